"""Whatever happens to the shop, the API and the runs: afterwards the warehouse is the shop, row by row, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.shop_life import ShopLife

if TYPE_CHECKING:
    from collections.abc import Mapping


def live(*, examples: int, fate: int | None = None, **facts: Any) -> Mapping[str, int]:
    """Lets that many shops live through some steps each; returns how many steps, runs and kills there were.

    With a `fate` they are the same ones every time.
    """
    counts = {"steps": 0, "runs": 0, "kills": 0, "shops": 0}
    machine = type("Life", (ShopLife,), {"counts": counts, **facts})
    if fate is not None:
        seed(fate)(machine)
    chosen = settings(
        max_examples=examples,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes many minutes; add Phase.shrink to look into a failure
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    print(counts)  # noqa: T201 # pytest shows it with -s, and the closing note quotes it
    return counts


def test_duckdb():
    """A few shops in DuckDB, the same ones every time."""
    assert live(examples=3, pause=16, fate=9)["steps"] >= 100


@pytest.mark.long
def test_duckdb_long():
    """Many more steps, other ones every time."""
    steps = 0
    while steps < 150:
        steps += live(examples=2)["steps"]


@pytest.mark.long
def test_postgres_long(postgres: str, monkeypatch: pytest.MonkeyPatch):
    """Many steps in a real PostgreSQL, so that nothing quietly leans on DuckDB."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    steps = 0
    while steps < 60:
        steps += live(examples=2, address=postgres)["steps"]
