"""What Loop says now is what a reconcile leaves in the warehouse, also where its `updated_at` went backwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.extract.reading import Limits
from loop_returns.sandbox import Shop
from loop_returns.sandbox.times import iso
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox import SeenRequest
    from tests.support.driving import Driver

HISTORY = "SELECT return_id, from_state, to_state FROM return_state_changes ORDER BY updated_at, return_id"


def set_back(shop: Shop, number: str, *, days: int = 3) -> None:
    """The return's `updated_at` becomes an earlier one."""
    ret = shop.store.take(number)
    at = datetime.fromisoformat(ret.body["updated_at"]) - timedelta(days=days)
    ret.body["updated_at"] = iso(int(at.timestamp()))
    shop.store.put(ret)


@pytest.mark.long
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_reconcile_lands_what_loop_says_now(
    drive: Callable[..., Driver], destination: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    """Returns, their children and their notices are those of the shop; a second reconcile finds nothing."""
    more = {}
    if destination == "postgres":
        more = {"address": request.getfixturevalue("postgres"), "dataset": "goes_back"}
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", more["address"])
    shop = Shop.generate(seed=1, returns=40, days=50, now=NOW)
    driver = drive(shop, **more)
    driver.sync()
    changed = {*shop.change(8, silent=True), *shop.remove_line_items(4, silent=True)}
    for number in changed:
        set_back(shop, number)
    assert driver.sync().exit_code == 0
    assert driver.differences(), "a sync never replaces a newer row by an older copy"
    run = driver.reconcile()
    assert run.exit_code == 3
    assert set(run.drift["returns"]) == {"changed"}
    driver.assert_equal()
    again = driver.reconcile()
    assert (again.exit_code, again.drift, again.tally.older) == (0, {}, 0)


@pytest.mark.long
def test_the_history_goes_on(drive: Callable[..., Driver]):
    """A state that goes back with its time is a further step, seen last, and the earlier steps stay."""
    shop = Shop.generate(seed=2, returns=10, days=50, now=NOW)
    driver = drive(shop)
    driver.sync()
    number = shop.ids("open")[0]
    shop.move_state(number, "review")
    driver.sync()
    there = shop.store.take(number)
    shop.tick(60)
    shop.move_state(number, "closed")
    driver.sync()
    shop.store.put(there)
    driver.reconcile()
    steps = [(number, "open", "review"), (number, "review", "closed"), (number, "closed", "review")]
    assert driver.query(HISTORY) == steps
    driver.reconcile()
    assert driver.query(HISTORY) == steps
    driver.assert_equal()


@pytest.mark.long
def test_copies_of_one_reconcile(drive: Callable[..., Driver]):
    """A return that changes while a reconcile reads keeps its newest copy, also when the older one is loaded later."""
    shop = Shop.generate(seed=3, returns=24, days=50, now=NOW)
    driver = drive(shop, limits=Limits(rows=1, idle_rows=1), settings={"page_size": 2, "max_concurrency": 1})
    driver.sync()
    moves = iter(shop.ids("closed") * 3)

    def live(seen: SeenRequest) -> None:
        if seen.path == "/warehouse/return/list" and seen.params.get("pageSize") == "2":
            number = next(moves)
            shop.move_state(number, {"open": "cancelled", "cancelled": "closed"}.get(shop.body(number)["state"], "open"))

    driver.sandbox.on_request = live
    driver.reconcile()
    driver.sandbox.on_request = None
    newest: dict[str, datetime] = dict(driver.query("SELECT id, updated_at FROM returns"))
    held = dict(driver.query("SELECT return_id, max(updated_at) FROM return_state_changes GROUP BY 1"))
    assert held
    assert all(newest[number] >= moved for number, moved in held.items())
    driver.sync()
    driver.assert_equal()
