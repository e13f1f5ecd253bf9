"""After every run the marts say what the tables say, whether they are views or tables, and whatever ended the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import duckdb
import pytest

from loop_returns import marts
from loop_returns.runs import session
from loop_returns.sandbox import Shop
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def driver(drive: Callable[..., Driver]) -> Driver:
    """A shop whose facts are tables."""
    return drive(Shop.generate(seed=3, returns=30, days=40, now=NOW), settings={"marts": "tables"})


def kinds(driver: Driver) -> tuple[set[str], set[str]]:
    """The marts that are tables, and those that are views."""
    rows = driver.query("SELECT table_name, table_type FROM information_schema.tables WHERE table_name ~ '(fct|rpt|dim)_.*'")
    views = {name for name, kind in rows if kind == "VIEW"}
    return {name for name, _ in rows} - views, views


FACTS = {mart.name for mart in marts.all_marts() if mart.may_be_table}
OTHERS = {mart.name for mart in marts.all_marts()} - FACTS


def assert_fresh(driver: Driver) -> None:
    """Every return that Loop has is in the facts as it is in the tables, and no other."""
    facts = set(driver.query("SELECT return_id, state, updated_at, units_returned FROM fct_returns"))
    units = "(SELECT count(*) FROM return_line_items l WHERE l.return_id = r.id)"
    assert facts == set(driver.query(f"SELECT id, state, updated_at, {units} FROM returns r WHERE _deleted_at IS NULL"))


@pytest.mark.long
def test_tables_follow(driver: Driver):
    """Facts as tables follow what changed, what is new and what is gone; reports stay views."""
    driver.sync()
    assert kinds(driver) == (FACTS, OTHERS)
    assert_fresh(driver)
    driver.shop.tick(60)
    driver.shop.change(4)
    driver.shop.add_returns(2)
    driver.sync()
    assert_fresh(driver)
    driver.shop.delete_returns(2)
    driver.reconcile()
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 2
    assert_fresh(driver)


@pytest.mark.long
def test_another_kind_in_a_quiet_shop(driver: Driver):
    """A changed setting takes effect with the next run, though nothing is new."""
    driver.sync()
    driver.sync(marts="views")
    assert kinds(driver) == (set(), FACTS | OTHERS)
    driver.sync()
    assert kinds(driver) == (FACTS, OTHERS)


def test_another_table_in_a_quiet_shop(driver: Driver):
    """A setting that names a table for the marts takes effect with the next run, though nothing is new."""
    driver.sync()
    assert driver.count("rpt_group_daily", "rate IS NOT NULL") == 0
    with duckdb.connect(str(driver.file)) as warehouse:
        warehouse.execute("CREATE SCHEMA platform")
        warehouse.execute("CREATE TABLE platform.rates AS SELECT 'USD' AS currency, DATE '2020-01-01' AS day, 0.9 AS rate")
    driver.sync(rates="platform.rates")
    assert driver.count("rpt_group_daily", "rate IS NOT NULL")


@pytest.mark.long
def test_a_run_that_ends_when_it_has_marked_returns(driver: Driver):
    """Facts follow a deletion whose run was cut off right after it, with the next sync that finds nothing new."""
    driver.sync()
    driver.shop.delete_returns(2)
    with mock.patch.object(session.Session, "finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        driver.reconcile()
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 2
    driver.sync()
    assert_fresh(driver)


@pytest.mark.long
def test_children_of_returns_that_are_gone(driver: Driver):
    """What belongs to a return that Loop no longer has is marked like the return, and nothing else is."""
    driver.sync()
    bodies = driver.shop.returns_snapshot()
    driver.shop.delete_returns(2)
    driver.reconcile()
    gone = {str(body["id"]) for body in bodies} - {str(body["id"]) for body in driver.shop.returns_snapshot()}
    for table in ("return_line_items", "return_exchanges", "return_labels", "return_refunds"):
        marked = {one for (one,) in driver.query(f"SELECT return_id FROM {table} WHERE _deleted_at IS NOT NULL")}
        assert marked == {one for (one,) in driver.query(f"SELECT return_id FROM {table}")} & gone, table
    assert driver.count("return_line_items", "_deleted_at IS NOT NULL")


@pytest.mark.long
def test_somebody_builds_on_a_mart(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    """Where PostgreSQL cannot replace a mart under somebody's view, the sync loads all the same, and says what to do."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=3, returns=10, days=40, now=NOW)
    driver = Driver(shop, home, settings={"marts": "views"}, address=postgres, dataset="built_on").start()
    driver.sync()
    import psycopg2

    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO built_on; CREATE VIEW mine AS SELECT count(*) FROM fct_returns")
    driver.shop.tick(60)
    driver.shop.add_returns(1)
    run = driver.sync(marts="tables")
    assert (run.outcome, run.exit_code) == ("done", 0)
    assert [note for note in run.notices if "marts are still those" in note and "mine" in note]
    driver.assert_equal()
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("DROP VIEW built_on.mine")
    assert not driver.sync(marts="tables").notices
    assert_fresh(driver)
    driver.stop()
