"""What carriers report between runs is kept: each report that a run saw replaced is one row, and the first scan is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from dlt.load import load

from loop_returns.sandbox import Shop
from loop_returns.sandbox.times import iso
from tests.support.driving import NOW, Driver
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loop_returns.runs.ledger import Run

_numbers = count()  # of datasets in one PostgreSQL
STEPS = 2  # of parcels between syncs
ON_ITS_WAY = {"in_transit", "out_for_delivery"}
Report = tuple[str | None, datetime | None]


def notices(driver: Driver) -> dict[tuple[str, str], Report]:
    """The report of the carrier in each row of the shipping notices, as the warehouse has it."""
    rows = driver.query("SELECT id, return_line_item_id, label_status, label_updated_at FROM advanced_shipping_notices")
    return {row[:2]: row[2:] for row in rows}


def returns(driver: Driver) -> dict[tuple[str, str], Report]:
    """The same in each return, of its latest label."""
    return {(id_, ""): tuple(row) for id_, *row in driver.query("SELECT id, label_status, label_updated_at FROM returns")}


def history(driver: Driver, source: str) -> list[tuple[Any, ...]]:
    sql = "SELECT return_id, line_item_id, from_status, from_updated_at, to_status, updated_at FROM return_label_changes"
    return sorted(driver.query(f"{sql} WHERE source = '{source}'"), key=repr)


@pytest.mark.long
@pytest.mark.parametrize(("notice_ids", "touch_return"), [("return", True), ("row", False)])
def test_history(drive: Callable[..., Driver], notice_ids: Any, touch_return: bool):
    """Every report that differs from the one before is a row, also where a scan does not move the return."""
    shop = Shop.generate(seed=4, returns=40, days=30, now=NOW, notice_ids=notice_ids)
    driver = drive(shop, settings={"marts": "views"})
    driver.sync()
    assert driver.count("return_label_changes") == 0
    expected: dict[str, list[tuple[Any, ...]]] = {"returns": [], "advanced_shipping_notices": []}
    seen: dict[tuple[str, str], set[Report]] = {}
    for _ in range(STEPS):
        before = {"returns": returns(driver), "advanced_shipping_notices": notices(driver)}
        shop.tick(3600)
        shop.change_label(15, touch_return=touch_return)
        shop.tick(3600)
        driver.sync()
        now = {"returns": returns(driver), "advanced_shipping_notices": notices(driver)}
        for source, rows in now.items():
            for key, report in rows.items():
                if report != before[source].get(key, report):
                    expected[source].append((*key, *before[source][key], *report))
        for key, report in (*before["advanced_shipping_notices"].items(), *now["advanced_shipping_notices"].items()):
            seen.setdefault(key, set()).add(report)
    for source, rows in expected.items():
        assert history(driver, source) == sorted(rows, key=repr), source
    assert expected["advanced_shipping_notices"]
    assert expected["returns"] or not touch_return
    driver.backfill(NOW - timedelta(days=60), shop.now)
    for source, rows in expected.items():
        assert len(history(driver, source)) >= len(rows), source
    if touch_return:
        assert {source: len(history(driver, source)) for source in expected} == {k: len(v) for k, v in expected.items()}
    assert_first_scans(driver, seen)


def assert_first_scans(driver: Driver, seen: dict[tuple[str, str], set[Report]]) -> None:
    """A label's first scan is the earliest report of its units' notices, of it, and of its return, that it is on its way."""
    units: dict[str, set[datetime]] = {}
    for notice, line, of in driver.query("SELECT notice_id, line_item_id, return_id FROM fct_return_notices"):
        times = {at for status, at in seen[notice, line] if status in ON_ITS_WAY and at is not None}
        units.setdefault(of, set()).update(times)
    alone = {of for of, n in driver.query("SELECT return_id, count(*) FROM return_labels GROUP BY 1") if n == 1}
    found = driver.query("SELECT return_id, first_scanned_at, days_in_transit, delivered_at FROM fct_return_shipments")
    known = 0
    for of, first, days, delivered in found:
        if of not in alone or not units.get(of):
            continue
        known += 1
        assert first is not None, of
        assert first <= min(units[of]), of
        if delivered is not None and delivered >= first:
            assert float(days) == pytest.approx((delivered - first) / timedelta(days=1), abs=0.0051), of
    assert known >= 5


@pytest.mark.long
def test_another_status_of_the_same_time(drive: Callable[..., Driver]):
    """A status that Loop corrects or takes away without a new time is a row beside the one before, not in its place."""
    shop = Shop.generate(seed=5, returns=3, days=30, now=NOW)
    driver, number = drive(shop), shop.ids()[0]
    first, second = NOW - timedelta(days=2), NOW - timedelta(days=1)
    reports: list[Report] = [("in_transit", first), ("delivered", second), (None, second), ("error", second)]
    for status, at in reports:
        with shop.lock:
            ret = shop.store.take(number)
            ret.body.update(label_status=status, label_updated_at=iso(int(at.timestamp())))
            ret.body["updated_at"] = iso(shop.clock.second(apart=True))
            shop.store.put(ret)
        driver.sync()
        shop.tick(60)
    found = {row[2:] for row in history(driver, "returns") if row[0] == str(number)}
    assert found == {(*before, status or "", at) for before, (status, at) in pairwise(reports)}


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def driver(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """Loads table after table, and the history of labels last; else the order is chance."""
    shop = Shop.generate(seed=6, returns=15, days=30, now=NOW)
    where: dict[str, Any] = {}
    if request.param == "postgres":
        where = {"address": request.getfixturevalue("postgres"), "dataset": f"label_kills_{next(_numbers)}"}
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", where["address"])
        monkeypatch.setenv("LOAD__WORKERS", "1")
    usual = load.filter_new_jobs
    last = partial(sorted, key=lambda name: "return_label_changes" in name)
    monkeypatch.setattr(load, "filter_new_jobs", lambda names, *more: usual(last(names), *more))
    driver = Driver(shop, home, settings={"lookback": timedelta(0)}, **where).start()
    yield driver
    driver.stop()


@pytest.mark.long
@pytest.mark.parametrize(("driver", "then"), [("duckdb", Driver.sync), ("postgres", Driver.reconcile)], indirect=["driver"])
def test_killed_between_the_row_and_its_history(driver: Driver, then: Callable[[Driver], Run]):
    """What killed runs had loaded the rows of, and not the history, is in the history after the next run."""
    driver.sync()
    shop, sources = driver.shop, {"returns": returns, "advanced_shipping_notices": notices}
    before = {source: look(driver) for source, look in sources.items()}
    shop.tick(3600)
    assert shop.change_label(5)
    shop.tick(3600)
    expected: dict[str, list[tuple[Any, ...]]] = {}
    for source, look in sources.items():
        for _ in range(2):
            assert run_and_kill(partial(driver.sync, only=source), at=before_history), f"the moment never came: {source}"
        old = before[source]
        expected[source] = sorted(((*k, *old[k], *v) for k, v in look(driver).items() if v != old[k]), key=repr)
        assert expected[source], "rows were loaded"
        assert history(driver, source) == []
    then(driver)
    driver.sync()
    assert {source: history(driver, source) for source in sources} == expected


def before_history(what: str, detail: str) -> bool:
    """Before rows get into the history of labels."""
    return what == "execute_query" and "INSERT INTO" in detail and '."return_label_changes"' in detail
