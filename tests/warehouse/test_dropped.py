"""What somebody has dropped from the warehouse is made again by the next run, which names the backfill that fills it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import psycopg2
import pytest

from loop_returns.errors import ConfigurationError
from loop_returns.runs.check import check
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

DAYS = timedelta(days=1)
RETURNS = ["returns", "return_line_items", "return_exchanges", "return_labels", "return_refunds"]
TABLES = [*RETURNS, "advanced_shipping_notices", "return_state_changes", "return_label_changes", "_loop_sync_runs"]
HISTORY = {"return_state_changes", "return_label_changes", "_loop_sync_runs"}  # Loop keeps none
OWN = ["_dlt_loads", "_dlt_pipeline_state", "_dlt_version"]
COLUMNS = [
    "returns.total", "returns._row_hash", "returns._dlt_load_id", "return_refunds._removed",
    "advanced_shipping_notices.sku", "_loop_sync_runs.notices",
]  # fmt: skip
OF_A_KIND = {
    "return_line_items",
    "return_exchanges",
    "return_refunds",
    "return_label_changes",
    "advanced_shipping_notices.sku",
}
ALL = [one for one in TABLES + OWN + COLUMNS if one not in OF_A_KIND]
POSTGRES = ["returns", "_dlt_loads", "return_labels", "returns._row_hash"]


def statement(what: str) -> str:
    table, _, column = what.partition(".")
    return f"ALTER TABLE {{}}.{table} DROP COLUMN {column} CASCADE" if column else f"DROP TABLE {{}}.{table} CASCADE"


def execute(driver: Driver, sql: str) -> None:
    if driver.address is None:
        with duckdb.connect(str(driver.file)) as connection:
            connection.execute(sql.format(driver.dataset))
        return
    connection = psycopg2.connect(driver.address)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.format(driver.dataset))
    connection.close()


def life(driver: Driver) -> None:
    driver.shop.tick(3600)
    driver.shop.change(3)
    driver.shop.add_returns(1)


def heal(driver: Driver, *whats: str) -> None:
    driver.sync()
    for what in whats:
        heals(driver, what)


def heals(driver: Driver, what: str) -> None:
    execute(driver, statement(what))
    if what != "_dlt_version":
        found = [one.message for one in check(driver.resolved(requests_per_minute=300), driver.options()) if not one.is_well]
        assert what.split(".", maxsplit=1)[0] in " ".join(found)
    life(driver)
    run = driver.sync()
    if what != "_dlt_version":  # dlt makes it again by itself, and nothing is lost with it
        told, table = " ".join(run.notices), what.split(".", maxsplit=1)[0]
        assert table in told
        assert ("cannot be read again" in told) == (table in HISTORY)
    driver.assert_equal()
    life(driver)
    run = driver.sync()
    assert (run.outcome, run.notices) == ("done", [])
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("whats", [ALL[::2], ALL[1::2]])
def test_duckdb(drive: Callable[..., Driver], whats: list[str]):
    """Any kind of table or column: the next sync makes it again and fills it, without anybody's help."""
    heal(drive(Shop.generate(seed=61, returns=25, days=200, now=NOW), settings={"marts": "views"}), *whats)


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_postgres(drive: Callable[..., Driver], postgres: str, part: int, monkeypatch: pytest.MonkeyPatch):
    """The same in PostgreSQL, for one of each kind."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=61, returns=25, days=200, now=NOW)
    heal(drive(shop, settings={"marts": "views"}, address=postgres, dataset=f"dropped_{part}"), *POSTGRES[part::2])


def test_a_view(drive: Callable[..., Driver]):
    """A mart that was dropped is there again after the next run, also when nothing had changed."""
    driver = drive(Shop.generate(seed=62, returns=10, days=20, now=NOW), settings={"marts": "views"})
    driver.sync()
    execute(driver, "DROP VIEW {}.fct_returns")
    assert driver.sync().outcome == "done"
    assert driver.count("fct_returns") == 10


@pytest.mark.long
@pytest.mark.parametrize(
    "what",
    [
        "TABLE {0}_staging.return_labels",
        "TABLE {0}_staging._dlt_version",
        "SCHEMA {0}_staging CASCADE",
        "SCHEMA {0}_staging CASCADE; CREATE SCHEMA {0}_staging",
    ],
)
def test_dlts_staging_dataset(drive: Callable[..., Driver], what: str):
    """Whatever was dropped of dlt's staging dataset stops nothing, nor does one that somebody has made and left empty."""
    driver = drive(Shop.generate(seed=62, returns=10, days=20, now=NOW))
    driver.sync()
    driver.shop.tick(60)
    driver.shop.change_label(5)
    driver.sync()  # only rows that replace others go by way of it
    execute(driver, f"DROP {what}")
    life(driver)
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.long
def test_every_shop_and_an_unfinished_backfill(drive: Callable[..., Driver]):
    """The rows of all shops are read again, those too that an unfinished backfill had loaded."""
    driver = drive(Shop.generate(seed=63, returns=30, days=200, now=NOW), settings={"window_days": 30, "page_size": 5})
    driver.sync()
    driver.sync(shop="second")
    windows = []

    def later(what: str, _: str) -> bool:
        windows.extend([1] * (what == "_fetch"))
        return len(windows) > 40

    start = NOW - 500 * DAYS
    run_and_kill(lambda: driver.backfill(start, NOW, shop="second"), at=later)
    execute(driver, statement("return_labels"))
    for shop in ("default", "second"):
        driver.sync(shop=shop)
        assert not driver.differences(shop=shop)


@pytest.mark.long
@pytest.mark.parametrize("step", ["CREATE TABLE", "UPDATE", "_fetch"])
def test_killed_while_it_repairs(drive: Callable[..., Driver], step: str):
    """A run that is killed before, while or after it makes the table again leaves nothing that the next would not fill."""
    driver = drive(Shop.generate(seed=64, returns=20, days=100, now=NOW))
    driver.sync()
    execute(driver, statement("return_labels"))
    updated = []

    def now(what: str, detail: str) -> bool:
        updated.extend([1] * ("UPDATE" in detail))
        return bool(updated) and (step in detail or what == step)

    assert run_and_kill(driver.sync, at=now)
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("how", ["DROP TABLE", "DELETE FROM"])
@pytest.mark.parametrize("what", ["returns", "return_labels"])
def test_with_dlts_schema(drive: Callable[..., Driver], what: str, how: str):
    """Where dlt's schema has gone too, which tells what there was, the rows of every shop come back, also after a kill."""
    driver = drive(Shop.generate(seed=68, returns=20, days=200, now=NOW), settings={"window_days": 30})
    for shop in ("default", "second"):
        driver.sync(shop=shop)
    driver.sync()  # so that dlt's state has several versions
    execute(driver, statement(what))
    execute(driver, f"{how} {{}}._dlt_version")
    assert run_and_kill(driver.sync, at=lambda step, sql: step != "_fetch" and "_dlt_loads" in sql and "INSERT" in sql)
    for shop in ("default", "second"):
        driver.sync(shop=shop)
        assert not driver.differences(shop=shop)


@pytest.mark.long
def test_returns_older_than_start_date(drive: Callable[..., Driver]):
    """What was submitted before `start_date` and had changed since is read again, too."""
    settings = {"start_date": NOW - 100 * DAYS, "lookback": timedelta(0)}
    driver = drive(Shop.generate(seed=66, returns=30, days=200, now=NOW), settings=settings)
    driver.shop.tick(60)
    driver.shop.bulk_change(len(driver.shop))
    driver.sync()
    driver.assert_equal()
    driver.shop.tick(86_400)
    driver.shop.add_returns(1)
    driver.sync()
    execute(driver, statement("returns"))
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("what", ["returns", "returns.created_at"])
def test_what_loop_no_longer_has(drive: Callable[..., Driver], what: str):
    """What Loop cannot give again is marked by a reconcile, with all that is left of it, and no check fails for good."""
    driver = drive(Shop.generate(seed=67, returns=30, days=100, now=NOW), settings={"marts": "views"})
    driver.sync()
    lines = driver.count("return_line_items")
    gone = driver.shop.delete_returns(3)
    execute(driver, statement(what))
    driver.sync()
    assert driver.reconcile().drift["returns"] == {"deleted": 3}
    assert {row[0] for row in driver.query("SELECT id FROM returns WHERE _deleted_at IS NOT NULL")} == set(gone)
    assert driver.count("return_line_items") == lines
    assert driver.sync().outcome == "done"
    assert driver.reconcile().drift == {}
    driver.assert_equal()


@pytest.mark.long
def test_a_key(drive: Callable[..., Driver]):
    """Rows that have lost their key are not touched: the run says what to do, and that does it."""
    driver = drive(Shop.generate(seed=65, returns=10, days=20, now=NOW))
    driver.sync()
    execute(driver, statement("return_labels.label_index"))
    with pytest.raises(ConfigurationError, match="DROP TABLE"):
        driver.sync()
    execute(driver, statement("return_labels"))
    driver.sync()
    driver.assert_equal()
