"""`loop_returns_source` alone, in anyone's dlt pipeline, with dlt's own configuration and dlt's own habits."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.configuration.container import Container
from dlt.extract.incremental.context import TimeIntervalContext
from dlt.pipeline.exceptions import PipelineStepFailed

from loop_returns import loop_returns_source
from loop_returns.sandbox import Quirks, Shop
from tests.support.driving import NOW
from tests.support.mirror import CHILDREN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.driving import Driver

ASN = "advanced_shipping_notices"
TABLES = ("returns", *CHILDREN, ASN)


@pytest.fixture
def driver(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A small shop at a fixed time, with pages of a few returns; dlt is configured through the environment."""
    made = drive(Shop.generate(seed=5, returns=60, days=200, now=NOW), quirks=Quirks(cursor_column="filter"))
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", made.sandbox.api_key)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__BASE_URL", made.sandbox.url)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__START_DATE", "2026-01-01")
    return made


def pipeline(driver: Driver) -> dlt.Pipeline:
    """An ordinary pipeline that knows nothing of this project's runs."""
    return dlt.pipeline("theirs", destination=dlt.destinations.duckdb(str(driver.file)), dataset_name="loop_returns")


def load(driver: Driver, source: Any = None, **more: Any) -> None:
    """Runs the pipeline once."""
    pipeline(driver).run(source or loop_returns_source(), loader_file_format="parquet", **more)


def counts(driver: Driver) -> dict[str, int]:
    """Rows of every table."""
    return {table: driver.count(table) for table in TABLES}


def asked(driver: Driver) -> set[tuple[str, str]]:
    """The ranges that the returns list was asked for, to the hour."""
    seen = [one.params for one in driver.sandbox.requests if one.path.endswith("/list")]
    return {(one["from"][:13], one["to"][:13]) for one in seen if "pageSize" in one and one["pageSize"] != "1"}


@pytest.mark.long
def test_loaded_twice_it_has_the_same_rows(driver: Driver):
    """Two loads of an unchanged shop leave the same rows, and they are the shop's, value by value."""
    load(driver)
    first = counts(driver)
    load(driver)
    assert counts(driver) == first
    driver.assert_equal()


def test_it_is_incremental(driver: Driver):
    """A second load asks for what changed, not for everything, and brings changes, new returns and vanished line items."""
    load(driver)
    newest = max(row["updated_at"] for row in driver.rows("returns"))
    driver.shop.tick(86_400 * 3)
    driver.shop.change(10)
    driver.shop.remove_line_items(6, all_of_it=True)
    driver.shop.add_returns(3)
    driver.sandbox.clear_log()
    load(driver)
    assert {start for start, _ in asked(driver)} == {f"{newest - timedelta(days=1, seconds=1):%Y-%m-%dT%H}"}
    differing = [line for line in driver.differences() if ASN not in line]
    assert differing == []


@pytest.mark.long
def test_the_notices_of_changed_returns(driver: Driver):
    """The notices of an old return that changes are read by the load after the one that saw it."""
    load(driver)
    driver.shop.tick(86_400)
    driver.shop.change(10)
    load(driver)
    load(driver)
    driver.assert_equal()


def test_returns_first_then_all(driver: Driver):
    """Loading `returns` alone brings the children too; a later load of everything lacks nothing."""
    load(driver, loop_returns_source().with_resources("returns"))
    assert {name for (name,) in tables(driver)} == {"returns", *CHILDREN}
    paths = {seen.path for seen in driver.sandbox.requests}
    assert paths == {"/warehouse/return/list"}
    load(driver)
    driver.assert_equal()


def tables(driver: Driver) -> list[tuple[str]]:
    """Names of all tables that are not dlt's own."""
    return driver.query("SELECT table_name FROM duckdb_tables() WHERE table_name NOT LIKE '\\_dlt%' ESCAPE '\\'")  # type: ignore[return-value]


@pytest.mark.long
@pytest.mark.parametrize("refresh", ["drop_resources", "drop_sources"])
def test_refresh(driver: Driver, refresh: str):
    """A refresh, of one resource or of all, reads everything again."""
    load(driver)
    driver.shop.change(5)
    load(driver, loop_returns_source().with_resources("returns"), refresh=refresh)
    load(driver)
    load(driver)
    driver.assert_equal()
    load(driver, refresh=refresh)
    driver.assert_equal()


@pytest.mark.parametrize("limit", [1, *(pytest.param(limit, marks=pytest.mark.long) for limit in (2, 6))])
def test_a_limited_load(driver: Driver, limit: int):
    """`add_limit` looks at a sample and moves no cursor: the next load brings everything."""
    load(driver, loop_returns_source().add_limit(limit))
    load(driver)
    driver.assert_equal()


@pytest.mark.long
def test_a_range_keeps_no_cursor(driver: Driver):
    """`end_date` reads what was updated in a range; the next ordinary load still reads everything."""
    load(driver, loop_returns_source(start_date="2026-06-01", end_date="2026-07-01"))
    updated = [row["updated_at"] for row in driver.rows("returns")]
    assert updated
    assert all(f"{moment:%Y-%m}" == "2026-06" for moment in updated)
    load(driver)
    driver.assert_equal()


@pytest.mark.parametrize(
    "end",
    [pytest.param("9999-12-31", marks=pytest.mark.long), datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5)))],
)
def test_an_end_beyond_all_time(driver: Driver, end: Any):
    """An `end_date` that means `for ever` reads up to now, in as many requests as without it."""
    load(driver, loop_returns_source(start_date="2026-01-01"))
    usual = len(driver.sandbox.requests)
    driver.sandbox.clear_log()
    load(driver, loop_returns_source(start_date="2026-01-01", end_date=end))
    assert len(driver.sandbox.requests) <= usual + 20
    driver.assert_equal()


@contextmanager
def interval(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The month of May as a scheduler gives it, in the environment; dlt looks there once in a process."""
    monkeypatch.setenv("DLT_ALLOW_EXTERNAL_SCHEDULERS", "true")
    monkeypatch.setenv("DLT_INTERVAL_START", "2026-05-01T00:00:00Z")
    monkeypatch.setenv("DLT_INTERVAL_END", "2026-06-01T00:00:00Z")
    with Container().injectable_context(TimeIntervalContext()):
        yield


@pytest.mark.long
def test_the_interval_of_a_scheduler(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """An interval that a scheduler gives dlt is read exactly, whatever was read before, and moves no cursor."""
    load(driver)
    before = pipeline(driver).state["sources"]["loop_returns"]["resources"]
    driver.sandbox.clear_log()
    with interval(monkeypatch):
        load(driver)
    assert asked(driver) == {("2026-04-30T23", "2026-06-01T00")}
    assert pipeline(driver).state["sources"]["loop_returns"]["resources"] == before
    driver.assert_equal()


def test_the_commands_take_no_interval(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """A scheduler's interval in the environment does not cut a `sync`."""
    with interval(monkeypatch):
        driver.sync()
    driver.assert_equal()


@pytest.mark.long
def test_the_date_is_hours_ahead_of_the_data(driver: Driver):
    """A replica whose `Date` runs ahead of its data costs nothing."""
    driver.quirk(date_ahead=6 * 3600)
    for _ in range(3):
        load(driver, loop_returns_source(lookback="0s"))
        driver.shop.tick(3600)
        driver.shop.change(5)
    load(driver, loop_returns_source(lookback="0s"))
    assert [line for line in driver.differences() if ASN not in line] == []


@pytest.mark.long
def test_two_shops(driver: Driver, drive: Callable[..., Driver]):
    """Two shops in one dataset, each by a pipeline of its own as its cursor is its own, do not touch each other."""
    other = drive(Shop.generate(seed=6, returns=20, days=100, now=NOW))
    mine, theirs = loop_returns_source(shop="a"), loop_returns_source
    for _ in range(2):
        load(driver, loop_returns_source(shop="a"))
        second = dlt.pipeline("others", destination=dlt.destinations.duckdb(str(driver.file)), dataset_name="loop_returns")
        source = theirs(shop="b", base_url=other.sandbox.url, api_key=other.sandbox.api_key)
        second.run(source, loader_file_format="parquet")
        driver.shop.remove_line_items(5, all_of_it=True)
        other.shop.remove_line_items(5, all_of_it=True)
    load(driver, loop_returns_source(shop="a"))
    assert mine.name == "loop_returns"
    assert [line for line in driver.differences(shop="a") if ASN not in line] == []


@pytest.mark.long
def test_history_is_not_dropped_with_returns(driver: Driver):
    """A refresh in somebody's pipeline leaves the history of states and the ledger that the commands keep."""
    driver.sync()
    driver.shop.move_state(driver.shop.ids("open")[0], "review")
    driver.sync()
    load(driver, refresh="drop_resources")
    assert driver.count("return_state_changes") == 1
    assert driver.count("_loop_sync_runs") == 2


def test_a_stray_key_is_not_used(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """A variable that happens to be called API_KEY, BASE_URL or SHOP is never used."""
    for name in ("BASE_URL", "SHOP"):
        monkeypatch.setenv(name, "somebody-elses")
    load(driver, loop_returns_source().with_resources("returns"))
    assert driver.query("SELECT DISTINCT shop FROM returns") == [("default",)]
    monkeypatch.delenv("SOURCES__LOOP_RETURNS__API_KEY")
    monkeypatch.setenv("API_KEY", "somebody-elses-key")
    with pytest.raises(PipelineStepFailed, match="no API key"):
        load(driver)


def test_a_missing_key_is_missed_when_it_is_used(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """A source can be made without a key, as schedulers do to learn what there is; it uses the one that is there later."""
    monkeypatch.delenv("SOURCES__LOOP_RETURNS__API_KEY")
    source = loop_returns_source(pii="hash")
    assert {"advanced_shipping_notices", "returns", "destinations", "return_notes"} <= source.resources.keys()
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", driver.sandbox.api_key)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__PII_KEY", "a-key-of-the-tests-with-enough-letters")
    load(driver, source)
    assert driver.count("returns") > 0
