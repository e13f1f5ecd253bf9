"""A reconcile finds, repairs and reports what no cursor can see."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns.errors import ConfigurationError
from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

DRIFT = {"exit_code": 3, "outcome": "drift"}


def test_drift(drive: Callable[..., Driver]):
    """Silent changes, rows that are missing and returns that are gone are counted, then repaired; then there is no drift."""
    shop = Shop.generate(seed=1, returns=30, days=50, now=NOW)
    driver = drive(shop)
    driver.sync()
    gone = set(shop.delete_returns(2))
    silent = set(shop.change(4, silent=True)) | set(shop.remove_line_items(2, silent=True))
    lost = sorted(set(shop.ids()) - silent)[:3]
    with duckdb.connect(str(driver.file)) as connection:
        for table, column in (("returns", "id"), ("return_line_items", "return_id")):
            connection.execute(f"DELETE FROM loop_returns.{table} WHERE {column} IN (SELECT unnest(?))", [lost])
    before = driver.differences()

    dry = driver.reconcile(dry_run=True)
    assert {"exit_code": dry.exit_code, "outcome": dry.outcome} == DRIFT
    assert driver.differences() == before, "a dry run changes nothing"
    assert driver.count("_loop_sync_runs") == 1

    run = driver.reconcile()
    assert {"exit_code": run.exit_code, "outcome": run.outcome} == DRIFT
    assert run.drift == dry.drift
    assert run.drift["returns"] == {"missing": 3, "changed": len(changed_roots(before)), "deleted": 2}
    driver.assert_equal()
    marked = driver.query("SELECT id, _deleted_at FROM returns WHERE _deleted_at IS NOT NULL")
    assert dict(marked) == dict.fromkeys(gone, shop.now)
    ((recorded,),) = driver.query("SELECT drift FROM _loop_sync_runs WHERE command = 'reconcile'")
    assert json.loads(recorded) == run.drift

    again = driver.reconcile()
    assert (again.outcome, again.exit_code, again.drift) == ("done", 0, {})


def changed_roots(differences: list[str]) -> set[str]:
    """Ids of the returns of which a value differs in the table `returns` itself."""
    return {line.split("'")[1] for line in differences if line.startswith("returns (") and "instead of" in line}


@pytest.mark.long
def test_what_is_new_is_no_drift(drive: Callable[..., Driver]):
    """What changed after the last sync is loaded and is no drift; the sync cursor does not move."""
    shop = Shop.generate(seed=2, returns=20, days=30, now=NOW)
    driver = drive(shop)
    cursor = driver.sync().cursor_after
    shop.tick(60)
    shop.change(3)
    shop.add_returns(2)
    run = driver.reconcile()
    assert (run.outcome, run.exit_code) == ("done", 0)
    assert run.drift["returns"]["newer"] == 5
    assert run.cursor_after == cursor
    driver.assert_equal()


def test_only_the_days_asked_for(drive: Callable[..., Driver]):
    """What lies before the days asked for is neither looked at nor marked."""
    shop = Shop.generate(seed=3, returns=20, days=100, now=NOW)
    driver = drive(shop)
    driver.sync()
    old = [number for number in shop.ids() if shop.body(number)["created_at"] < f"{NOW - timedelta(days=31):%Y-%m-%d}"]
    assert old
    while len(shop) > 10:
        shop.delete_returns(1)
    run = driver.reconcile(30)
    marked = {one for (one,) in driver.query("SELECT id FROM returns WHERE _deleted_at IS NOT NULL")}
    assert marked
    assert not marked & set(old)
    assert run.drift["returns"] == {"deleted": len(marked)}


@pytest.mark.long
def test_a_return_comes_back(drive: Callable[..., Driver]):
    """A return that was marked as deleted and is there again loses the mark."""
    shop = Shop.generate(seed=4, returns=8, days=10, now=NOW)
    driver = drive(shop)
    driver.sync()
    (number,) = shop.delete_returns(1)
    away = shop.store
    driver.reconcile()
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 1
    driver.shop = Shop.generate(seed=4, returns=8, days=10, now=NOW)
    assert number in driver.shop.ids()
    assert number not in away
    driver.sandbox.shop = driver.shop
    driver.sync()
    driver.assert_equal()


def test_the_key_of_another_shop(drive: Callable[..., Driver]):
    """When Loop shows none of the returns, the key is another shop's: nothing is marked, and the message says so."""
    shop = Shop.generate(seed=5, returns=15, days=20, now=NOW)
    driver = drive(shop)
    driver.sync()
    driver.sandbox.shop = Shop(now=NOW)
    with pytest.raises(ConfigurationError, match="another shop"):
        driver.reconcile()
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 0


def test_an_empty_report(drive: Callable[..., Driver]):
    """A shop without a single shipping notice is reconciled like any other."""
    shop = Shop.generate(seed=6, returns=4, days=5, now=NOW)
    driver = drive(shop)
    shop.remove_line_items(4, all_of_it=True)
    run = driver.reconcile()
    assert shop.asn_snapshot() == []
    assert run.drift["returns"] == {"newer": 4}
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("again", ["backfill", "reconcile"])
def test_lines_whose_return_was_deleted_by_hand(drive: Callable[..., Driver], again: str):
    """Where somebody has deleted rows of `returns`, the lines that stayed are replaced, or go where Loop has none."""
    driver = drive(Shop.generate(seed=7, returns=12, days=30, now=NOW))
    driver.sync()
    driver.shop.tick(60)
    driver.shop.remove_line_items(2, all_of_it=True)
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute("DELETE FROM loop_returns.returns")
    if again == "backfill":
        assert driver.backfill(NOW - timedelta(days=40), driver.shop.now).outcome == "done"
    else:
        driver.reconcile(40)
    driver.sync()  # the notices of lines that are gone
    assert driver.differences() == []
