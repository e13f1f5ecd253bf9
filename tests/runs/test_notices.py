"""The shipping notices are those of the shop, whichever timestamp the report filters on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns.errors import AccessDeniedError
from loop_returns.extract import api_reader
from loop_returns.sandbox import Quirks, Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox import SeenRequest
    from tests.support.driving import Driver

FILTERS = ("created_at", "updated_at", "label_updated_at")
ASN = "advanced_shipping_notices"
REPORT = "/warehouse/reporting/asn"


def by_filter(hardest: str) -> pytest.MarkDecorator:
    """Runs a test for each thing the report may filter on; all but the hardest one in the long suite only."""
    others = [pytest.param(name, marks=pytest.mark.long) for name in FILTERS if name != hardest]
    return pytest.mark.parametrize("asn_filter", [hardest, *others])


def wrong(driver: Driver) -> list[str]:
    return [line for line in driver.differences() if line.startswith(ASN)]


def gone(driver: Driver) -> set[str]:
    return {str(item) for (item,) in driver.query(f"SELECT return_line_item_id FROM {ASN} WHERE _deleted_at IS NOT NULL")}


@by_filter("updated_at")
def test_first_sync_of_a_sparse_shop(drive: Callable[..., Driver], asn_filter: str):
    """The first sync has the notices of old returns too, also where nothing else happened on the days that matter."""
    shop = Shop.generate(seed=3, returns=12, days=400, now=NOW)
    for number in shop.ids():
        shop.move_state(number, "closed" if shop.body(number)["state"] == "open" else "open")
        shop.tick(-7 * 86_400)
    shop.now = NOW
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 30})  # type: ignore[arg-type]
    driver.sync()
    assert not wrong(driver)


@by_filter("label_updated_at")
def test_labels_move_without_their_return(drive: Callable[..., Driver], asn_filter: str):
    """A parcel that moves without touching its return is seen within the horizon."""
    shop = Shop.generate(seed=2, returns=30, days=60, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter))  # type: ignore[arg-type]
    driver.sync()
    assert shop.change_label(5, touch_return=False)
    driver.sync()
    assert not wrong(driver)


@pytest.mark.long
@by_filter("created_at")
def test_an_old_return_changes_today(drive: Callable[..., Driver], asn_filter: str):
    """A return far older than the horizon that changes today has its notices read again, in few windows."""
    shop = Shop.generate(seed=7, returns=60, days=400, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 20})  # type: ignore[arg-type]
    driver.sync()
    shop.change(2)
    driver.sandbox.clear_log()
    driver.sync()
    assert not wrong(driver)
    asked = [one for one in driver.sandbox.requests if one.path == REPORT]
    assert len(asked) <= 8
    days = {one.params["from"] for one in asked}
    driver.sandbox.clear_log()
    driver.sync()
    again = {one.params["from"] for one in driver.sandbox.requests if one.path == REPORT}
    assert len(again) < len(days), "the days of a changed return are read once, not for ever"


@pytest.mark.long
@by_filter("updated_at")
def test_rows_are_gone(drive: Callable[..., Driver], asn_filter: str):
    """Notices of removed lines, of emptied returns and of young returns that vanish get `_deleted_at`, no others do."""
    shop = Shop.generate(seed=8, returns=60, days=200, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 30})  # type: ignore[arg-type]
    driver.sync()
    shop.remove_line_items(12)
    shop.remove_line_items(3, all_of_it=True)
    young = [number for number in shop.ids() if shop.body(number)["created_at"] > "2026-09-20"]
    shop.store.remove(young[0])
    driver.sync()
    assert gone(driver)
    assert not wrong(driver)


@pytest.mark.long
@by_filter("updated_at")
def test_a_line_leaves_a_return(drive: Callable[..., Driver], asn_filter: str):
    """The notice of a removed line gets `_deleted_at`, however old its return is; no other row does."""
    shop = Shop.generate(seed=8, returns=60, days=300, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 30})  # type: ignore[arg-type]
    driver.sync()
    before = {line["line_item_id"] for body in shop.returns_snapshot() for line in body["line_items"]}
    shop.remove_line_items(12)
    run = driver.sync()
    removed = before - {line["line_item_id"] for body in shop.returns_snapshot() for line in body["line_items"]}
    seen = {str(item) for (item,) in driver.query(f"SELECT return_line_item_id FROM {ASN}")}
    assert gone(driver) == removed & seen
    assert any("_deleted_at" in notice for notice in run.notices)
    assert not wrong(driver)


@pytest.mark.long
@by_filter("label_updated_at")
def test_all_lines_leave_an_old_return(drive: Callable[..., Driver], asn_filter: str):
    """So do the notices of an old return that has no line left, though no row of it shows any more."""
    shop = Shop.generate(seed=9, returns=40, days=300, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 30})  # type: ignore[arg-type]
    driver.sync()
    shop.remove_line_items(3, all_of_it=True)
    driver.sync()
    assert not wrong(driver)


@pytest.mark.long
@by_filter("created_at")
def test_a_return_vanishes(drive: Callable[..., Driver], asn_filter: str):
    """The notices of young returns that vanish get `_deleted_at` by the next sync; a reconcile finds the old ones."""
    shop = Shop.generate(seed=10, returns=30, days=60, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter))  # type: ignore[arg-type]
    driver.sync()
    shop.delete_returns(4)
    driver.sync()
    assert not wrong(driver)
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 0, "a sync proves nothing about returns"
    driver.reconcile()
    driver.assert_equal()
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 4


@by_filter("created_at")
def test_rows_outside_the_window(drive: Callable[..., Driver], asn_filter: str):
    """Rows that nobody asked for are kept, the run says so, and they make no other row look deleted."""
    shop = Shop.generate(seed=11, returns=60, days=300, now=NOW)
    driver = drive(shop, quirks=Quirks(asn_filter=asn_filter), settings={"asn_horizon_days": 30})  # type: ignore[arg-type]
    driver.sync()
    assert not wrong(driver)
    driver.quirk(asn_outside_rows=5)
    run = driver.sync()
    assert any("not asked for" in notice for notice in run.notices)
    assert not gone(driver)
    assert not wrong(driver)


@pytest.mark.long
def test_a_row_comes_back(drive: Callable[..., Driver]):
    """A notice that was marked as deleted and shows again loses the mark."""
    shop = Shop.generate(seed=12, returns=10, days=30, now=NOW)
    driver = drive(shop)
    driver.sync()
    with duckdb.connect(str(driver.file)) as connection:
        newest = f"SELECT max(id) FROM loop_returns.{ASN}"
        connection.execute(f"UPDATE loop_returns.{ASN} SET _deleted_at = now() WHERE id IN ({newest})")
    assert gone(driver)
    driver.sync()
    assert not gone(driver)


@pytest.mark.long
def test_the_horizon_reaches_back_to_the_last_time(drive: Callable[..., Driver]):
    """After a pause longer than the horizon, the next sync reads all days since the notices were read last."""
    shop = Shop.generate(seed=13, returns=20, days=30, now=NOW)
    driver = drive(shop, settings={"asn_horizon_days": 5})
    driver.sync()
    for _ in range(4):
        shop.tick(10 * 86_400)
        shop.add_returns(2)
    driver.sync(only="returns")
    assert wrong(driver)
    driver.sync(only=ASN)
    assert not wrong(driver)


@pytest.mark.parametrize("to_end_of_day", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_last_day(drive: Callable[..., Driver], to_end_of_day: bool):
    """Today's notices are there, whether a date as the upper border includes that day or not."""
    shop = Shop.generate(seed=14, returns=10, days=10, now=NOW.replace(hour=23, minute=59))
    driver = drive(shop, quirks=Quirks(asn_to_end_of_day=to_end_of_day))
    driver.sync()
    shop.add_returns(3)
    driver.sync()
    assert not wrong(driver)


@pytest.mark.long
def test_a_row_moves_while_days_are_read(drive: Callable[..., Driver]):
    """A notice that changes during a sync, from a day that was not read yet to one that was, is not taken for gone."""
    shop = Shop.generate(seed=2, returns=120, days=14, now=NOW)
    settings = {"asn_horizon_days": 12, "window_days": 1, "max_concurrency": 1}
    driver = drive(shop, quirks=Quirks(asn_filter="label_updated_at", asn_to_end_of_day=False), settings=settings)
    driver.sync()
    today, asked, moved = f"{NOW:%Y-%m-%d}", list[str](), list[str]()

    def move(request: SeenRequest) -> None:
        if request.path == REPORT:
            if today in asked and not moved:  # it has been read, some days before it have not
                moved.extend(shop.change_label(80, touch_return=False))
            asked.append(request.params["from"])

    driver.sandbox.on_request = move
    run = driver.sync()
    assert len(moved) > 10
    assert run.outcome == "done"
    assert gone(driver) == set()
    assert asked.count(today) == 2


def test_a_key_without_the_report(drive: Callable[..., Driver]):
    """A key that may not read the notices brings every return all the same, however early Loop refuses it the report."""
    driver = drive(Shop.generate(seed=2, returns=60, days=100, now=NOW), settings={"page_size": 3, "max_concurrency": 2})
    driver.quirk(denied=frozenset({REPORT}))
    with pytest.raises(AccessDeniedError, match="lacks the right"):
        driver.sync()
    assert driver.count("returns") == 60
    driver.quirk(denied=frozenset())
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
def test_an_answer_that_is_too_long(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """Where an answer would be longer than memory allows, fewer days are asked for, until all are read."""
    monkeypatch.setattr(api_reader, "_MOST_BYTES", 20_000)
    driver = drive(Shop.generate(seed=2, returns=150, days=100, now=NOW))
    driver.sync(only="returns")
    driver.sandbox.clear_log()
    driver.sync()
    driver.assert_equal()
    assert len([one for one in driver.sandbox.requests if one.path == REPORT]) > 20
