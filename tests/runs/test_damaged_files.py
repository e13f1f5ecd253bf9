"""Files that a power cut has damaged stop no run: the next sync equals the shop, or says exactly what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns.errors import ConfigurationError
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver

DAMAGE = [b"", b"{", b"\x00\xff garbage \x80"]


def left_behind(driver: Driver) -> list[Path]:
    """Every file of a run but the database itself: working folder, journal, lock and who holds it."""
    folder = driver.options().target().folder
    return [path for path in (*folder.rglob("*"), *driver.folder.glob("*.lock*")) if path.is_file()]


@pytest.mark.parametrize("first", [0, *(pytest.param(one, marks=pytest.mark.long) for one in (1, 2))])
def test_whatever_a_killed_run_leaves(drive: Callable[..., Driver], first: int):
    """All that a run killed in the middle of a load leaves on this machine may be damaged."""
    driver = drive(Shop.generate(seed=71, returns=20, days=30, now=NOW))
    loads = []

    def in_a_load(what: str, _: str) -> bool:
        loads.extend([1] * (what == "commit_transaction"))
        return len(loads) > 8

    assert run_and_kill(driver.sync, at=in_a_load)
    names = {path.name for path in left_behind(driver)}
    assert {"state.json"} <= names
    assert any(name.endswith(".schema.json") for name in names)
    for number, path in enumerate(sorted(left_behind(driver)), start=first):
        path.write_bytes(DAMAGE[number % len(DAMAGE)])
    driver.sync()
    driver.assert_equal()


def test_the_database_itself(drive: Callable[..., Driver]):
    """An empty file is filled; one that is no database is left alone, and the message names it and what to do."""
    driver = drive(Shop.generate(seed=72, returns=10, days=30, now=NOW))
    nothing, *garbage = DAMAGE
    for damage in garbage:
        driver.file.write_bytes(damage)
        with pytest.raises(ConfigurationError, match=driver.file.name) as told:
            driver.sync()
        assert "move this one away" in told.value.message
        assert driver.file.read_bytes() == damage
    driver.file.write_bytes(nothing)
    driver.sync()
    driver.assert_equal()
