"""Whatever Loop's clock and this machine's say, nothing is lost for good: the next run with right clocks equals the shop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dlt
import pytest
import time_machine

from loop_returns.extract.clocks import tell
from loop_returns.extract.state import ShopState
from loop_returns.sandbox import Shop
from loop_returns.source import loop_returns_source
from loop_returns.tables.catalog import arrow_schema
from loop_returns.warehouse.load import Warehouse
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox import SeenRequest
    from tests.support.driving import Driver

DAY = timedelta(days=1)
YEAR = 365 * DAY
FAR = 400 * DAY
few = pytest.mark.long  # the ways are many; two of them are an ordinary test


def date(driver: Driver, how: str) -> None:
    """Sets what the `Date` header says: `once` a year ahead, `ahead` or `behind` always, `missing`, or `right`."""
    ahead = {"once": YEAR, "ahead": YEAR, "behind": -YEAR}.get(how, 0 * DAY)
    driver.quirk(date_ahead=ahead.total_seconds(), date_header=how != "missing")

    def right_again(_: SeenRequest) -> None:  # from the next answer on: this one is under way
        driver.quirk(date_ahead=0.0)

    driver.sandbox.on_request = right_again if how == "once" else None


def life(driver: Driver) -> None:
    driver.shop.tick(3600)
    driver.shop.change(3)
    driver.shop.add_returns(2)


MATRIX = [  # one wrong, both, both in the same way; nothing wrong is in test_sync_cursor.py
    ("right", FAR),
    ("ahead", 0 * DAY),
    *(pytest.param(*one, marks=few) for one in (("once", FAR), ("behind", -FAR))),
]


@pytest.mark.long
@pytest.mark.parametrize(("how", "off"), MATRIX)
def test_wrong_clocks_then_right_ones(drive: Callable[..., Driver], how: str, off: timedelta):
    """After runs with wrong clocks a run with right ones equals the shop, and its times are not in the future."""
    driver = drive(Shop.generate(seed=31, returns=30, days=60, now=NOW), settings={"lookback": timedelta(0)})
    driver.sync()
    for run in (driver.sync, lambda: driver.backfill(NOW - 20 * DAY, NOW), lambda: driver.reconcile(30)):
        life(driver)
        date(driver, how)
        with time_machine.travel(driver.shop.now + off):
            run()
    if {how, off} & {"right", 0 * DAY} or how == "once":  # one of the clocks at least was right
        with time_machine.travel(driver.shop.now + off):
            date(driver, how)
            assert driver.sync().outcome == "done"
        driver.assert_equal()
    life(driver)
    date(driver, "right")
    run = driver.sync()
    driver.assert_equal()
    assert run.cursor_after is not None
    assert run.cursor_after <= driver.shop.now
    read = ShopState.read(state_of(driver)).notices_read
    assert read is not None
    assert read <= driver.shop.now.date()


def state_of(driver: Driver) -> dict[str, object]:
    with Warehouse(driver.options().target()) as warehouse:
        warehouse.restore()
        return warehouse.state("default")


@pytest.mark.parametrize("how", ["once", "ahead"])
def test_first_sync_with_a_wrong_date(drive: Callable[..., Driver], how: str):
    """One `Date` a year ahead, or every one, moves neither the cursor nor the notices' horizon there."""
    driver = drive(Shop.generate(seed=32, returns=30, days=60, now=NOW), settings={"lookback": timedelta(0)})
    date(driver, how)
    run = driver.sync()
    assert run.cursor_after is not None
    assert run.cursor_after <= NOW
    assert ("clock" in " ".join(run.notices)) is (how == "ahead"), "a clock that is always off is named"
    life(driver)
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize(("read_too_far", "start"), [pytest.param(False, NOW - 500 * DAY, marks=few), (True, NOW - DAY)])
def test_a_cursor_ahead_of_every_clock(drive: Callable[..., Driver], read_too_far: bool, start: datetime):
    """A cursor that an earlier version left in the future is not believed: everything is read again, which is said.

    The newest row tells nothing either: a backfill may have loaded it, and returns of other days have changed before.
    """
    driver = drive(Shop.generate(seed=33, returns=20, days=5, now=NOW), settings={"lookback": timedelta(0)})
    since = driver.resolved().start_date
    driver.sync()
    driver.shop.tick(40 * 86400)
    driver.shop.change(15)
    driver.shop.tick(86400)
    driver.shop.add_returns(3)
    driver.backfill(driver.shop.now - DAY, driver.shop.now)
    ahead = replace(ShopState.read(state_of(driver)), cursor=NOW + YEAR)
    if read_too_far:
        ahead = replace(ahead, notices_read=(NOW + YEAR).date())
    with Warehouse(driver.options().target()) as warehouse:
        warehouse.restore()
        warehouse.load_tables(
            {"_loop_sync_runs": arrow_schema("_loop_sync_runs").empty_table()}, shop="default", state=ahead.written()
        )
    driver.shop.tick(40 * 86400)
    run = driver.sync(start_date=start)
    driver.assert_equal()
    assert run.cursor_after is not None
    assert run.cursor_after <= driver.shop.now
    assert f"{since:%Y-%m-%d}" in " ".join(run.notices)


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "off"), [("ahead", 0 * DAY), pytest.param("right", FAR, marks=few), pytest.param("missing", FAR, marks=few)]
)
def test_the_source_alone(drive: Callable[..., Driver], how: str, off: timedelta):
    """The public source in somebody's own pipeline loses nothing by wrong clocks either."""
    driver = drive(Shop.generate(seed=34, returns=20, days=60, now=NOW))
    given = driver.resolved()

    def run() -> None:
        pipeline = dlt.pipeline(
            "mine",
            destination=dlt.destinations.duckdb(str(driver.file)),
            dataset_name="loop_returns",
            pipelines_dir=str(driver.folder),
        )
        source = loop_returns_source(
            api_key=given.api_key, base_url=given.base_url, start_date=given.start_date, lookback=timedelta(0),
        )  # fmt: skip
        pipeline.run(source, loader_file_format="parquet")

    dlt.config["mine.normalize.parquet_normalizer.add_dlt_load_id"] = True
    for _ in range(2):
        date(driver, how)
        with time_machine.travel(driver.shop.now + off):
            run()
        life(driver)
        driver.shop.tick(86400)
    date(driver, "right")
    with time_machine.travel(driver.shop.now):
        run()
    driver.assert_equal()


def test_answers_that_agree():
    """Of three answers the odd one is not believed; an answer near this machine's clock is asked for once."""
    here = datetime(2026, 10, 10, tzinfo=UTC)
    with time_machine.travel(here, tick=False):
        for odd in (YEAR, -YEAR):
            answers = iter([here + odd, here, here])
            assert tell(lambda answers=answers: next(answers)).latest == here  # type: ignore[misc]
        answers = iter([here + timedelta(hours=2)])
        assert tell(lambda: next(answers)).now == here + timedelta(hours=2)
        lost = tell(lambda: datetime(1970, 1, 1, tzinfo=UTC))
        assert lost.latest <= here, "a time before Loop existed is no time"
