"""An answer that suddenly lacks many rows marks none of them as deleted, unless somebody says that it is right."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.ledger import Run
    from tests.support.driving import Driver

ASN = "advanced_shipping_notices"
REPORT = "/warehouse/reporting/asn"
LIST = "/warehouse/return/list"
RUNS = {
    "sync": lambda driver: driver.sync(),
    "sync of notices": lambda driver: driver.sync(only=ASN),
    "reconcile": lambda driver: driver.reconcile(80),
}


def marked(driver: Driver, table: str = ASN) -> int:
    return driver.count(table, "_deleted_at IS NOT NULL")


def refused(run: Run) -> str:
    """The notice of a run that ended with 3 because it refused to mark rows."""
    assert (run.exit_code, run.outcome) == (3, "check_failed")
    (notice,) = [one for one in run.notices if "--allow-deletions" in one]
    return notice


@pytest.mark.long
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_report_that_vanishes(drive: Callable[..., Driver], part: float):
    """A report that is empty, or lacks half, marks nothing; the run ends with 3, and the next one looks again."""
    shop = Shop.generate(seed=1, returns=100, days=80, now=NOW)
    driver = drive(shop)
    driver.sync()
    driver.quirk(asn_part=part)
    for name, work in RUNS.items():
        notice = refused(work(driver))
        assert "shipping notices" in notice
        assert marked(driver) == 0, name
        assert refused(work(driver)) == notice, "it stays so until the report is whole"
    driver.quirk(asn_part=1.0)
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.parametrize("returns", [4, pytest.param(15, marks=pytest.mark.long)])
def test_a_small_shop(drive: Callable[..., Driver], returns: int):
    """Nor does an empty report mark the few notices of a small shop: never more than half of them goes unasked."""
    driver = drive(Shop.generate(seed=4, returns=returns, days=60, now=NOW))
    driver.sync()
    assert 2 < driver.count(ASN) <= 40
    driver.quirk(blank=frozenset({REPORT}))
    refused(driver.sync())
    assert marked(driver) == 0
    driver.quirk(blank=frozenset())
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.long
def test_the_days_stay_due(drive: Callable[..., Driver]):
    """Days of a report that vanished are not taken for read: when it is back, what had changed on them arrives."""
    shop = Shop.generate(seed=2, returns=120, days=300, now=NOW)
    driver = drive(shop, settings={"asn_horizon_days": 20})
    driver.sync()
    shop.change(100)
    driver.quirk(blank=frozenset({REPORT}))
    refused(driver.sync())
    shop.tick(40 * 86_400)
    refused(driver.sync())
    driver.quirk(blank=frozenset())
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.long
def test_a_backfill_leaves_them_due(drive: Callable[..., Driver]):
    """A backfill, which cannot tell moved rows from vanished ones, marks nothing and leaves the days to the next sync."""
    shop = Shop.generate(seed=2, returns=120, days=80, now=NOW)
    driver = drive(shop, settings={"asn_horizon_days": 5})
    driver.sync()
    shop.tick(60)
    shop.change(100)
    driver.sync(only="returns")
    driver.quirk(blank=frozenset({REPORT}))
    run = driver.backfill(NOW - timedelta(days=90), shop.now)
    assert any("the next sync reads these days again" in one for one in run.notices)
    assert (run.exit_code, marked(driver)) == (0, 0)
    driver.quirk(blank=frozenset())
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
def test_one_window_that_is_empty(drive: Callable[..., Driver]):
    """One empty answer among many is doubtful too, where the warehouse has many rows of just these days."""
    shop = Shop.generate(seed=3, returns=700, days=600, now=NOW)
    driver = drive(shop, settings={"asn_horizon_days": 600, "window_days": 20, "start_date": NOW - timedelta(days=601)})
    driver.sync()
    driver.sandbox.clear_log()
    driver.sync()
    days = sorted({one.params["from"] for one in driver.sandbox.requests if one.path == REPORT})
    driver.quirk(blank=frozenset({days[len(days) // 2]}))
    notice = refused(driver.sync())
    assert days[len(days) // 2] in notice
    assert marked(driver) == 0


@pytest.mark.long
def test_somebody_allows_it(drive: Callable[..., Driver]):
    """With --allow-deletions the rows are marked, and the run is done."""
    driver = drive(Shop.generate(seed=1, returns=100, days=80, now=NOW))
    driver.sync()
    held = driver.count(ASN)
    driver.quirk(asn_part=0.0)
    run = driver.sync(allow_deletions=True)
    assert (run.outcome, run.exit_code) == ("done", 0)
    assert held - 15 <= marked(driver) <= held, "all but those on the first and the last day"


@pytest.mark.long
def test_what_the_returns_explain(drive: Callable[..., Driver]):
    """Lines that left their returns, and returns that a reconcile has proved to be gone, are marked however many."""
    shop = Shop.generate(seed=4, returns=400, days=80, now=NOW)
    driver = drive(shop)
    driver.sync()
    shop.remove_line_items(60, all_of_it=True)
    assert driver.sync().outcome == "done"
    assert marked(driver) > 60
    driver.assert_equal()
    shop.delete_returns(19)
    refused(driver.sync())
    assert driver.reconcile(100).drift["returns"] == {"deleted": 19}
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.long
def test_many_returns_are_gone(drive: Callable[..., Driver]):
    """A reconcile that Loop tells that many returns are gone marks none; with --allow-deletions it marks them all."""
    shop = Shop.generate(seed=5, returns=200, days=80, now=NOW)
    driver = drive(shop)
    driver.sync()
    shop.delete_returns(100)
    driver.execute(f"UPDATE returns SET total = total + 1 WHERE id = '{shop.ids()[0]}'")
    driver.sandbox.clear_log()
    run = driver.reconcile(100)
    assert any("200 returns" in one and "no longer has" in one for one in run.notices)
    assert run.drift["returns"] == {"changed": 1}, "repaired, and yet the outcome is that somebody has to look"
    assert run.outcome == "check_failed"
    assert (run.exit_code, marked(driver, "returns"), marked(driver)) == (3, 0, 0)
    assert len(driver.sandbox.requests) < 60, "it stops asking when it is clear"
    run = driver.reconcile(100, allow_deletions=True)
    assert run.drift["returns"] == {"deleted": 100}
    driver.assert_equal()


@pytest.mark.long
def test_a_list_that_vanishes(drive: Callable[..., Driver]):
    """A reconcile whose list is empty while Loop still has the returns marks none, says so once, and ends with 3."""
    driver = drive(Shop.generate(seed=6, returns=100, days=80, now=NOW))
    driver.sync()
    driver.quirk(blank=frozenset({LIST}))
    run = driver.reconcile(100)
    assert any("list lacks 100 of 100 returns" in one for one in run.notices)
    assert len(run.notices) == 2
    assert run.exit_code == 3
    assert marked(driver, "returns") == marked(driver) == 0
    driver.quirk(blank=frozenset())
    assert driver.reconcile(100).exit_code == 0
