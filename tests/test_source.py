"""`loop_returns_source` alone, in anyone's dlt pipeline, with dlt's own configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pytest

from loop_returns import loop_returns_source
from loop_returns.api.errors import ChangeSettings
from loop_returns.sandbox import Quirks, Shop

from .driving import NOW
from .mirror import CHILDREN

if TYPE_CHECKING:
    from collections.abc import Callable

    from .driving import Driver

TABLES = ("returns", *CHILDREN, "advanced_shipping_notices")


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


def load(driver: Driver, source: Any) -> None:
    """Runs the pipeline once."""
    pipeline(driver).run(source, loader_file_format="parquet")


def counts(driver: Driver) -> dict[str, int]:
    """Rows of every table."""
    return {table: driver.count(table) for table in TABLES}


def test_loaded_twice_it_has_the_same_rows(driver: Driver):
    """Two loads of an unchanged shop leave the same rows, and they are the shop's, value by value."""
    load(driver, loop_returns_source())
    first = counts(driver)
    load(driver, loop_returns_source())
    assert counts(driver) == first
    driver.assert_equal()


def test_it_is_incremental(driver: Driver):
    """A second load asks for what changed, not for everything, and brings changes, new returns and vanished line items."""
    load(driver, loop_returns_source())
    driver.shop.tick(86_400 * 3)
    driver.shop.change(10)
    driver.shop.remove_line_items(6, all_of_it=True)
    driver.shop.add_returns(3)
    driver.sandbox.clear_log()
    load(driver, loop_returns_source())
    asked = [seen for seen in driver.sandbox.requests if seen.path.endswith("/list")]
    assert {seen.params["from"][:10] for seen in asked if "pageSize" in seen.params and seen.params["pageSize"] != "1"} == {
        "2026-10-09"
    }
    differing = [line for line in driver.differences() if "advanced_shipping_notices" not in line]
    assert differing == []


def test_resources_can_be_chosen(driver: Driver):
    """`with_resources` loads the tables that are named, and no other."""
    load(driver, loop_returns_source().with_resources("returns", "return_labels"))
    names = {
        row[0]
        for row in driver.query("SELECT table_name FROM duckdb_tables() WHERE table_name NOT LIKE '\\_dlt%' ESCAPE '\\'")
    }
    assert names == {"returns", "return_labels"}
    assert driver.count("returns") == len(driver.shop)
    paths = {seen.path for seen in driver.sandbox.requests}
    assert paths == {"/warehouse/return/list"}


def test_with_an_end_it_keeps_no_cursor(driver: Driver):
    """`end_date` reads what was created in a range; the next ordinary load still reads everything."""
    load(driver, loop_returns_source(start_date="2026-06-01", end_date="2026-07-01"))
    created = [row["created_at"] for row in driver.rows("returns")]
    assert created
    assert all(f"{moment:%Y-%m}" == "2026-06" for moment in created)
    load(driver, loop_returns_source())
    driver.assert_equal()


def test_a_stray_key_is_not_used(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """A variable that happens to be called API_KEY is never sent to Loop."""
    monkeypatch.delenv("SOURCES__LOOP_RETURNS__API_KEY")
    monkeypatch.setenv("API_KEY", "somebody-elses-key")
    with pytest.raises(ChangeSettings, match="no API key"):
        loop_returns_source()
