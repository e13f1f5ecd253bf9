"""Dagster materializes the assets with real runs against the sandbox. Needs Dagster, which `.ci/engines` installs."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.docgen.dbt_sources import dbt_sources
from loop_returns.marts import all_marts
from loop_returns.runs.checks import all_checks
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse.lock import hold
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

pytestmark = pytest.mark.engines
dg = pytest.importorskip("dagster")
yaml = pytest.importorskip("yaml")  # comes with dlt
RANGE = "dagster/asset_partition_range_{}"


@pytest.fixture
def driver(drive: Callable[..., Driver]) -> Driver:
    return drive(Shop.generate(seed=3, returns=40, days=60), settings={"marts": "views"})


def made(driver: Driver, **more: Any) -> Any:
    """The definitions of the driver's shop and of another with the same rows."""
    from loop_returns.dagster import definitions

    given = {"settings": lambda shop: driver.resolved(shop=shop), "file": str(driver.file)}
    return definitions(shops=["default", "eu"], since=date(2026, 1, 1), **(given | more))


def materialize(driver: Driver, name: str, partition: str = "default", **more: Any) -> Any:
    """Materializes the assets of one op, as Dagster's own tests do: in this process."""
    given = {"raise_on_error": False, "partition_key": partition, "instance": dg.DagsterInstance.ephemeral()}
    (asset,) = (one for one in made(driver).assets if one.op.name == f"loop_returns_{name}")
    return dg.materialize([asset], **(given | more))


def failed(result: Any) -> dict[tuple[str, str], str]:
    """What the failed checks of the result say."""
    every = result.get_asset_check_evaluations()
    return {(one.asset_key.path[-1], one.check_name): one.description for one in every if not one.passed}


def runs(driver: Driver) -> list[tuple[Any, ...]]:
    return driver.query("SELECT shop, command, outcome FROM _loop_sync_runs ORDER BY started_at")


def test_definitions() -> None:
    """They load without a key: tables and marts with meanings, columns, dbt's keys and what they read, and every check."""
    from loop_returns.dagster import definitions

    defs = definitions(destination="postgres", dataset="mine")
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assets = {key.path[-1]: graph.get(key) for key in graph.get_all_asset_keys()}
    assert assets.keys() == {*TABLES, *(mart.name for mart in all_marts()), "backfill", "reconcile"}
    assert {key.path[0] for key in graph.get_all_asset_keys()} == {"mine"}
    assert {key.path[-1] for key in assets["rpt_sync_freshness"].parent_keys} == {"returns", "_loop_sync_runs"}
    (source,) = yaml.safe_load(dbt_sources(dataset="mine"))["sources"]
    sources = {dg.AssetKey([source["name"], table["name"]]) for table in source["tables"]}  # the keys that dagster-dbt makes
    assert sources == graph.get_all_asset_keys() - {dg.AssetKey(["mine", name]) for name in ("backfill", "reconcile")}
    for name in (*TABLES, *(mart.name for mart in all_marts())):
        columns = assets[name].metadata["dagster/column_schema"].columns
        assert all(column.description for column in columns)
        assert assets[name].description
    checks = {(key.asset_key.path[-1], key.name) for key in graph.asset_check_keys}
    assert checks >= {(table, name) for name, table in all_checks()}
    result = dg.materialize([defs.assets[0]], partition_key="default", raise_on_error=False)
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    assert "There is no API key" in failure.step_failure_data.user_failure_data.description
    assert not [event for event in result.all_events if event.is_step_up_for_retry], "nobody but the operator can help"


def test_life(driver: Driver) -> None:
    """Syncs of two shops, a backfill over a range of months as one run, a reconcile: the warehouse is the shop."""
    for shop in ("default", "eu"):
        result = materialize(driver, "sync", shop)
        assert result.success
        assert failed(result) == {}
    rows = {one.asset_key.path[-1]: one.metadata for one in result.asset_materializations_for_node("loop_returns_sync")}
    assert rows["returns"]["rows_new"].value == 40
    assert rows["_loop_sync_runs"]["runs"].value[0]["outcome"] == "done"
    driver.shop.change(3, silent=True)
    tags = {RANGE.format("start"): "2026-01-01|default", RANGE.format("end"): f"{datetime.now(UTC):%Y-%m}-01|eu"}
    assert materialize(driver, "backfill", partition_key=None, tags=tags).success
    result = materialize(driver, "reconcile")
    assert result.success
    expected = [("default", "sync"), ("eu", "sync"), ("default", "backfill"), ("eu", "backfill"), ("default", "reconcile")]
    assert [(shop, command) for shop, command, _ in runs(driver)] == expected
    assert driver.differences() == driver.differences(shop="eu") == []


def test_a_check_that_fails(driver: Driver) -> None:
    """What a check of the data finds is a failed asset check on its table, and the run succeeds."""
    materialize(driver, "sync")
    oldest = "(SELECT id FROM returns ORDER BY created_at LIMIT 1)"  # too old to be repaired by the reconcile
    with duckdb.connect(str(driver.file)) as connection:
        twice = f"INSERT INTO return_line_items SELECT * FROM return_line_items WHERE return_id = {oldest} LIMIT 1"
        connection.execute(f"USE loop_returns; {twice}")
    result = materialize(driver, "reconcile")
    assert result.success
    assert "repeats the key" in failed(result)["reconcile", "exit_code"]
    result = materialize(driver, "sync")
    assert result.success
    assert failed(result).keys() >= {("return_line_items", "unique_key"), ("_loop_sync_runs", "exit_code")}
    assert "repeats the key" in failed(result)["return_line_items", "unique_key"]


def test_busy(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another run is at work the step is tried again, until that has ended."""
    monkeypatch.setattr("loop_returns.dagster._BUSY", {"max_retries": 3, "seconds_to_wait": 0})
    attempts: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(hold(driver.options().target(), command="sync"))

        def settings(shop: str) -> Any:
            attempts.append(shop)
            if len(attempts) == 2:
                stack.close()
            return driver.resolved(shop=shop)

        (asset, *_) = made(driver, settings=settings).assets
        result = dg.materialize([asset], partition_key="eu", raise_on_error=False)
    assert result.success
    assert attempts == ["eu", "eu"]
    assert [event.event_type_value for event in result.all_events].count("STEP_UP_FOR_RETRY") == 1
    assert runs(driver) == [("eu", "sync", "done")]


def test_killed(driver: Driver) -> None:
    """A materialization that is killed in the middle of its load is made good by the next one."""

    def loaded(what: str, detail: str) -> bool:
        return what == "execute_query" and "INSERT INTO" in detail and "_dlt_loads" in detail

    assert run_and_kill(lambda: materialize(driver, "sync"), at=loaded)
    assert materialize(driver, "sync").success
    driver.assert_equal()
    assert runs(driver) == [("default", "sync", "killed"), ("default", "sync", "done")]
