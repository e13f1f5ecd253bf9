"""What a warehouse has nothing of is written once, and never twice, wherever a first sync is cut off."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest

from loop_returns.extract.reading import Limits
from loop_returns.sandbox import Shop
from tests.runs.test_cut_off import after, die, lose
from tests.support.driving import NOW, Driver
from tests.support.killing import KILLED, in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLES = ("returns", "return_line_items", "advanced_shipping_notices")
CUTS = [
    *(("duckdb", table) for table in TABLES),
    *(pytest.param("postgres", table, marks=pytest.mark.long) for table in TABLES),
]


@pytest.fixture
def driver(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """A shop that was never synced, whose first sync takes several loads, in either database."""
    address = None
    if getattr(request, "param", "duckdb") == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    shop, dataset = Shop.generate(seed=5, returns=24, days=40, now=NOW), f"first_{os.urandom(4).hex()}"
    made = Driver(shop, home, limits=Limits(rows=8, idle_rows=8), address=address, dataset=dataset).start()
    yield made
    made.stop()


def once(then: Callable[[], None]) -> Callable[[], None]:
    """Does it at the first call alone."""
    calls = count(1)
    return lambda: then() if next(calls) == 1 else None


def staged(driver: Driver) -> set[str]:
    """The tables that have ever been written to a second time, to look for rows that they replace."""
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}_staging'"
    return {name for (name,) in driver.query(sql.format(driver.dataset))}


@pytest.mark.long
def test_a_first_sync_replaces_nothing(driver: Driver):
    """Rows of a first sync are written once; what changes later is replaced."""
    driver.sync()
    assert not staged(driver) & {"returns", "return_line_items", "return_state_changes"}
    driver.shop.tick(60)
    driver.shop.change(3)
    driver.sync()
    assert "returns" in staged(driver)
    driver.assert_equal()


@pytest.mark.parametrize(("driver", "table"), CUTS, indirect=["driver"])
def test_killed_in_the_first_sync(driver: Driver, table: str):
    """Rows that a first sync has left in a table when it was killed are replaced by the next one."""
    with after(table, once(die)):
        assert in_child(driver.sync) == KILLED
    assert driver.count(table, "_dlt_load_id NOT IN (SELECT load_id FROM _dlt_loads)")
    driver.sync()
    driver.assert_equal()


@pytest.mark.parametrize(("driver", "table"), [CUTS[-1], CUTS[-2]], indirect=["driver"])
def test_the_answer_was_lost_in_the_first_sync(driver: Driver, table: str):
    """A load that is made again in the same run replaces what its first attempt has left."""
    with after(table, once(lose)):
        assert driver.sync().outcome == "done"
    driver.assert_equal()
