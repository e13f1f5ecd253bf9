"""A warehouse that version 0.1.0 made goes on: its cursor, its unfinished backfill, the days whose notices are due."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.sandbox import Shop
from tests.support import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

CURSOR = datetime.fromisoformat("2026-10-10T12:10:04+00:00")


@pytest.fixture
def old() -> dict[str, Any]:
    """The shop as it was when the warehouse was left in the middle of a backfill, with silent changes not yet seen."""
    found: dict[str, Any] = json.loads(gzip.decompress((FIXTURES / "shop_of_warehouse_0_1_0.json.gz").read_bytes()))
    return found


@pytest.fixture
def driver(drive: Callable[..., Driver], old: dict[str, Any]) -> Driver:
    shop = Shop.from_samples(returns=old["returns"], asn=old["asn"], now=datetime.fromisoformat(old["now"]))
    made = drive(shop, settings={"start_date": datetime.fromisoformat(old["start"]), "marts": "views"})
    with gzip.open(FIXTURES / "warehouse_0_1_0.gz") as packed, made.file.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return made


@pytest.mark.long
def test_the_backfill_goes_on(driver: Driver, old: dict[str, Any]):
    """The same backfill goes on after the windows that are loaded, and brings what no cursor shows."""
    assert driver.differences()
    run = driver.backfill(datetime.fromisoformat(old["start"]), datetime.fromisoformat(old["end"]), window_days=5)
    assert any("Went on with a backfill that had" in notice for notice in run.notices)
    assert run.outcome == "done"
    assert not [line for line in driver.differences() if not line.startswith("advanced_shipping_notices")]
    run = driver.sync()
    assert run.cursor_before == CURSOR, "the backfill has not moved it"
    driver.assert_equal()


@pytest.mark.long
def test_the_sync_goes_on(driver: Driver):
    """A sync reads on from the cursor, and the notices of the days that were due."""
    driver.sandbox.clear_log()
    run = driver.sync()
    assert (run.outcome, run.cursor_before) == ("done", CURSOR)
    assert run.tally.changed["returns"] == 1, "of the four that were read; fingerprints are still the same"
    asked = [seen.params for seen in driver.sandbox.requests if seen.path.endswith("/list")]
    assert {one["from"][:10] for one in asked if "pageSize" in one and one["pageSize"] != "1"} == {"2026-10-09"}
    ledger = driver.query(
        "SELECT command, outcome, synced_up_to IS NULL FROM _loop_sync_runs ORDER BY synced_up_to IS NOT NULL"
    )
    assert ledger == [("sync", "done", True), ("sync", "done", True), ("sync", "done", False)]
    assert driver.query("SELECT synced_up_to FROM rpt_sync_freshness") == [(run.synced_up_to,)], "of both versions' runs"
    driver.reconcile(100)
    driver.sync()
    driver.assert_equal()
