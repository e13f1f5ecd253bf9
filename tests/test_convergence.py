"""Whatever happens to the shop, the API and the runs: afterwards the warehouse is the shop, row by row, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from .driving import impatient
from .shop_life import ShopLife

if TYPE_CHECKING:
    from collections.abc import Mapping


def live(*, examples: int, steps: int, repeatable: bool = True, **facts: Any) -> Mapping[str, int]:
    """Lets that many shops live through so many steps each; returns how many steps, runs and kills there were."""
    counts = {"steps": 0, "runs": 0, "kills": 0, "shops": 0}
    machine = type("Life", (ShopLife,), {"counts": counts, **facts})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=repeatable,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes many minutes; add Phase.shrink to look into a failure
        suppress_health_check=list(HealthCheck),
    )
    with impatient():
        run_state_machine_as_test(machine, settings=chosen)
    print(counts)  # noqa: T201 # pytest shows it with -s, and the closing note quotes it
    return counts


def test_duckdb():
    """A few shops in DuckDB, the same ones every time."""
    assert live(examples=6, steps=50, pause=8)["steps"] >= 200


def test_postgres(postgres: str, monkeypatch: pytest.MonkeyPatch):
    """The same in a real PostgreSQL, so that nothing quietly leans on DuckDB."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    assert live(examples=2, steps=40, pause=8, address=postgres)["steps"] >= 40


@pytest.mark.long
def test_duckdb_long():
    """Thousands of steps, other ones every time."""
    assert live(examples=60, steps=50, repeatable=False)["steps"] >= 2000


@pytest.mark.long
def test_postgres_long(postgres: str, monkeypatch: pytest.MonkeyPatch):
    """Hundreds of steps in PostgreSQL, other ones every time."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    assert live(examples=15, steps=50, repeatable=False, address=postgres)["steps"] >= 500
