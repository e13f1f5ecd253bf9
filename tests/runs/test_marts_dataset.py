"""With `--marts-dataset` the marts are in a dataset of their own, and say there what the tables say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from loop_returns import marts
from loop_returns.errors import ConfigurationError
from loop_returns.marts.outside import Given
from loop_returns.report.data import read_data
from loop_returns.runs.check import check
from loop_returns.runs.status import status
from loop_returns.sandbox import Shop
from loop_returns.warehouse import comments
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.publish import publish_path
from loop_returns.warehouse.reader import looking
from tests.support.driving import NOW, Driver
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = {mart.name for mart in marts.all_marts()}
FACTS = {mart.name for mart in marts.all_marts() if mart.may_be_table}
BESIDE = "marts_beside"  # where a test has its marts; "Marts Beside" to the operator


@pytest.fixture(params=[pytest.param("duckdb", marks=pytest.mark.long), "postgres"])
def driver(request: pytest.FixtureRequest, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    where = {}
    if request.param == "postgres":
        where = {"address": request.getfixturevalue("postgres"), "dataset": "marts_elsewhere"}
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", where["address"])
    return drive(Shop.generate(seed=3, returns=15, days=40, now=NOW), settings={"marts": "tables"}, **where)


def kinds(driver: Driver, dataset: str) -> dict[str, str]:
    """What there is of the marts in a dataset."""
    sql = f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{dataset}'"
    return {name: kind for name, kind in driver.query(sql) if name in NAMES}


def assert_true(driver: Driver, *datasets: str) -> None:
    """The facts in these datasets are as the tables are."""
    returns = set(driver.query("SELECT shop, id, state, updated_at FROM returns WHERE _deleted_at IS NULL"))
    for dataset in datasets:
        assert set(driver.query(f"SELECT shop, return_id, state, updated_at FROM {dataset}.fct_returns")) == returns


AS_TABLES = {name: "BASE TABLE" if name in FACTS else "VIEW" for name in NAMES}
AS_VIEWS = dict.fromkeys(NAMES, "VIEW")


@pytest.mark.long
def test_a_life(driver: Driver, drive: Callable[..., Driver], home: Path):
    """They move with the first run that has the option, though nothing is new, and follow every run, of two shops too.

    Those that are left beside the tables become views, so that they stay true. A run without the option makes the others
    old, and says so once; the next one that has it puts that right. Comments, the report and the Parquet files find the
    marts where they are.
    What a backfill takes out of the tables is gone from the marts in either dataset; `status` names the option for it.
    """
    driver.sync()
    assert kinds(driver, driver.dataset) == AS_TABLES
    driver.marts_dataset = "Marts Beside"
    driver.sync(publish="out/")
    assert (kinds(driver, BESIDE), kinds(driver, driver.dataset)) == (AS_TABLES, AS_VIEWS)
    with looking(driver.options().target()) as reader:
        said = comments.read(reader)
    assert {key: said[key] for key in said if key[0] in NAMES and key[1]} == {
        (mart, column): meaning for mart, column, meaning in marts.column_comments()
    }
    published = json.loads((home / "out" / "manifest.json").read_text())["tables"]
    counts = {name: driver.count(f"{BESIDE}.{name}") for name in NAMES}
    assert {name: published[name]["rows"] for name in NAMES} == counts
    south = Shop.generate(seed=4, returns=10, days=40, now=NOW)
    other = drive(south, settings={**driver.settings, "shop": "south"}, address=driver.address, dataset=driver.dataset)
    other.marts_dataset = driver.marts_dataset
    other.sync()
    driver.shop.tick(60)
    driver.shop.change(4)
    driver.marts_dataset = None
    (said,) = driver.sync().notices
    assert said.startswith(f"Marts were in the dataset `{BESIDE}` before.")
    assert driver.sync().notices == []
    assert kinds(driver, driver.dataset) == AS_TABLES
    driver.marts_dataset = other.marts_dataset
    driver.sync()
    assert_true(driver, BESIDE, driver.dataset)
    assert kinds(driver, driver.dataset) == AS_VIEWS
    assert len(driver.query(f"SELECT DISTINCT shop FROM {BESIDE}.fct_returns")) == 2
    with driver._at_its_time():
        assert read_data(driver.options().target(), days=400).shops == ["default", "south"]
        assert f"marts in `{BESIDE}`" in check(driver.resolved(), driver.options())[-1].message
    advice = status(driver.resolved(pii="drop"), driver.options()).personal_data
    assert advice
    assert advice.endswith("--marts-dataset 'Marts Beside'")
    driver.backfill(driver.resolved().start_date, driver.shop.now, pii="drop")
    for dataset in (BESIDE, driver.dataset):
        assert {shop for (shop,) in driver.query(f"SELECT shop FROM {dataset}.fct_returns WHERE customer > ''")} == {"south"}


@pytest.mark.long
def test_refused(home: Path):
    """A dataset that has other things of the marts' names keeps them; so does one that has another dataset's marts.

    DuckDB's file cannot have the name of the dataset, nor can its read copy.
    """
    pipeline = duckdb_pipeline(home)
    load(pipeline, {})
    given = Given(dataset="analytics")
    with pipeline.sql_client() as client:
        client.execute_sql("CREATE SCHEMA analytics")
        client.execute_sql("CREATE TABLE analytics.dim_date AS SELECT 1 AS mine")
    with pytest.raises(ConfigurationError, match=r"`analytics` has dim_date from somebody else.*--marts-dataset"):
        marts.refresh(pipeline, given=given)
    assert select(pipeline, "SELECT mine FROM analytics.dim_date") == [(1,)]
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE analytics.dim_date")
    assert set(marts.refresh(pipeline, given=given)) == NAMES
    with pipeline.sql_client() as client:
        client.execute_sql("COMMENT ON VIEW analytics.dim_date IS NULL")  # as all are when a file was made anew
    assert set(marts.refresh(pipeline, given=given)) == NAMES
    another = duckdb_pipeline(home / "another", dataset="another", file=home / "test.duckdb")
    load(another, {})
    with pytest.raises(ConfigurationError, match="of another dataset"):
        marts.refresh(another, given=given)
    assert marts.are_current(pipeline, given=given)
    with pytest.raises(ConfigurationError, match="choose another --marts-dataset"):
        find_target(file="analytics.duckdb", marts="Analytics")
    with pytest.raises(ConfigurationError, match="could not tell the file and the dataset `analytics` apart"):
        publish_path(find_target(file="test.duckdb", marts="analytics"), "analytics.duckdb")
