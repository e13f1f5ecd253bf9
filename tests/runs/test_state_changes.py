"""Every change of a return's state that a run saw is one row, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from loop_returns.sandbox import Shop
from loop_returns.tables.shape import Shaper
from loop_returns.warehouse.deduplicate import KNOWN, newest_returns
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

COLUMNS = "return_id, from_state, to_state, observed_at, updated_at"


def changes(driver: Driver) -> list[tuple[Any, ...]]:
    return driver.query(f"SELECT {COLUMNS} FROM return_state_changes ORDER BY updated_at, return_id")


@pytest.mark.long
def test_history(drive: Callable[..., Driver]):
    """Syncs see each move once, with the server's time; a backfill that reads the same again adds nothing."""
    shop = Shop.generate(seed=1, returns=10, days=10, now=NOW)
    driver = drive(shop)
    driver.sync()
    assert changes(driver) == []
    first, second = shop.ids()[:2]
    shop.move_state(first, "review")
    shop.move_state(second, "cancelled")
    begun = dict(driver.query("SELECT id, state FROM returns"))
    one = driver.sync()
    moved = [moment(shop, first), moment(shop, second)]
    expected = [
        (first, begun[first], "review", one.synced_up_to, moved[0]),
        (second, begun[second], "cancelled", one.synced_up_to, moved[1]),
    ]
    assert changes(driver) == expected
    shop.tick(60)
    shop.move_state(first, "closed")
    two = driver.sync()
    expected.append((first, "review", "closed", two.synced_up_to, moment(shop, first)))
    assert changes(driver) == expected
    driver.backfill(NOW - timedelta(days=20), shop.now)
    assert changes(driver) == expected


def moment(shop: Shop, number: str) -> datetime:
    return datetime.fromisoformat(shop.body(number)["updated_at"])


@pytest.mark.long
def test_a_silent_move(drive: Callable[..., Driver]):
    """A move that `updated_at` does not show is in the history once a reconcile has seen it."""
    shop = Shop.generate(seed=2, returns=6, days=10, now=NOW)
    driver = drive(shop)
    driver.sync()
    number = shop.ids("open")[0]
    shop.move_state(number, "review", silent=True)
    driver.reconcile()
    assert [row[:3] for row in changes(driver)] == [(number, "open", "review")]


def copy(state: str, minute: int) -> dict[str, Any]:
    moment = f"{NOW + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
    return {"id": "1", "state": state, "updated_at": moment, "line_items": []}


def seen(copies: list[dict[str, Any]], *known: dict[str, Any]) -> list[tuple[str, str]]:
    """The moves that one load with these copies of a return sees."""
    tables = Shaper("default").returns(copies)
    held = pa.Table.from_pylist([*known], schema=KNOWN["returns"])
    with duckdb.connect() as db:
        found = newest_returns(db, [tables], held, shop="default", observed_at=NOW).made
    rows: list[dict[str, Any]] = found.get("return_state_changes", pa.table({})).to_pylist()
    return [(row["from_state"], row["to_state"]) for row in rows]


def test_several_moves_in_one_load():
    """Copies of one load tell every step between them, in the order of their times and not of their arrival."""
    assert seen([copy("closed", 9), copy("open", 1), copy("review", 5)]) == [("open", "review"), ("review", "closed")]
    assert seen([copy("open", 1)]) == []


def test_steps_from_what_was_known():
    """The first step starts from the state the warehouse has; copies older than that tell nothing."""
    known = {
        "id": "1",
        "updated_at": NOW + timedelta(minutes=4),
        "state": "review",
        "row_hash": "another",
        "outdated": False,
    }
    assert seen([copy("closed", 9), copy("open", 1)], known) == [("review", "closed")]
    assert seen([copy("review", 9)], known) == []
