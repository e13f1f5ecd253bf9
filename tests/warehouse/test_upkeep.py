"""PostgreSQL finds rows by indexes and plans with statistics of what was loaded, also of a shop that is new to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2
import pytest

from loop_returns.extract.reading import Limits
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import TABLES
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INDEXED = sorted(TABLES)


@pytest.fixture
def drive(
    home: Path, postgres: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Driver]]:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    made: list[Driver] = []

    def driver(shop: str, *, seed: int, returns: int) -> Driver:
        contents = Shop.generate(seed=seed, returns=returns, days=60, now=NOW)
        dataset = request.node.originalname.removeprefix("test_")
        made.append(Driver(contents, home, settings={"shop": shop}, address=postgres, dataset=dataset).start())
        return made[-1]

    yield driver
    for one in made:
        one.stop()


def run_sql(address: str, *statements: str) -> None:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def indexes(driver: Driver) -> dict[str, str]:
    """The indexed columns by table."""
    rows = driver.query(
        f"SELECT tablename, substring(indexdef FROM '[(].*[)]') FROM pg_indexes WHERE schemaname = '{driver.dataset}'"
        " AND indexname LIKE '%by_shop'"
    )
    return dict(rows)


def known_shops(driver: Driver, table: str) -> str:
    """The shops that the statistics of a table have seen."""
    rows = driver.query(
        f"SELECT most_common_vals::text FROM pg_stats WHERE schemaname = '{driver.dataset}' AND tablename = '{table}'"
        " AND attname = 'shop'"
    )
    return str(rows)


def plan(driver: Driver, sql: str) -> str:
    return "\n".join(str(line) for (line,) in driver.query(f"EXPLAIN {sql}"))


@pytest.mark.long
def test_second_shop(drive: Callable[..., Driver]) -> None:
    """After its first run the database knows how much of each table is a second shop's, and joins it as a whole.

    It finds single rows by their index.
    """
    north, south = drive("north", seed=1, returns=600), drive("south", seed=2, returns=2500)
    north.sync()
    assert "north" in known_shops(north, "returns")
    south.sync()
    for table in ("returns", "return_line_items", "advanced_shipping_notices"):
        assert "south" in known_shops(south, table), table
    assert south.differences(shop="south") == []
    orphans = plan(
        south,
        "SELECT count(*) FROM return_line_items t LEFT JOIN returns r ON r.shop = t.shop AND r.id = t.return_id"
        " WHERE t.shop = 'south' AND r.id IS NULL",
    )
    assert "Nested Loop" not in orphans, orphans
    found_by_index(south)


def test_many_loads(drive: Callable[..., Driver]) -> None:
    """A first sync of many loads has the database look at a table as it grows, not after each load of the same size."""
    driver = drive("default", seed=4, returns=300)
    driver.limits = Limits(rows=30, idle_rows=30)
    driver.sync()
    ((loads,),) = driver.query(f"SELECT count(*) FROM {driver.dataset}._dlt_loads")
    ((looks, new, rows),) = driver.query(
        "SELECT analyze_count, n_mod_since_analyze, n_live_tup FROM pg_stat_user_tables"
        f" WHERE schemaname = '{driver.dataset}' AND relname = 'advanced_shipping_notices'"
    )
    assert 1 < looks < loads / 2
    assert new < rows / 2
    assert "default" in known_shops(driver, "returns")


def found_by_index(driver: Driver) -> None:
    """Rows are compared, and replaced by dlt, over an index on the shop and the id of the return or notice."""
    found = indexes(driver)
    assert sorted(found) == INDEXED
    assert found["returns"] == "(shop, id)"
    assert found["return_line_items"] == "(shop, return_id)"
    run_sql(
        str(driver.address),
        f"SET search_path TO {driver.dataset}; CREATE TABLE staged AS SELECT * FROM returns LIMIT 20; ANALYZE staged",
    )
    for sql in (
        "SELECT * FROM returns r WHERE r.shop = 'south' AND r.id = ANY('{101,102}'::text[])",
        "DELETE FROM returns AS d WHERE EXISTS (SELECT 1 FROM staged AS s WHERE d.shop = s.shop AND d.id = s.id)",
    ):
        assert "returns_by_shop" in plan(driver, sql), plan(driver, sql)


def test_existing_warehouse(drive: Callable[..., Driver]) -> None:
    """A warehouse that an earlier version made gets its indexes in the next run, once."""
    driver = drive("default", seed=3, returns=10)
    driver.sync()
    run_sql(str(driver.address), *(f"DROP INDEX {driver.dataset}.{name}_by_shop" for name in INDEXED))
    for _ in range(2):
        driver.sync()
        assert sorted(indexes(driver)) == INDEXED


def test_role_that_owns_nothing(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may load, but neither index nor analyze nor comment, loads all the same; the run says what it left out."""
    driver = drive("default", seed=3, returns=10)
    driver.sync(marts="views")
    address, schemas = str(driver.address), (driver.dataset, f"{driver.dataset}_staging")
    run_sql(
        address,
        f"DROP INDEX {driver.dataset}.returns_by_shop",
        f"COMMENT ON COLUMN {driver.dataset}.returns.id IS NULL",
        "DROP ROLE IF EXISTS loader",
        "CREATE ROLE loader LOGIN",
        *(f"GRANT ALL ON SCHEMA {schema} TO loader" for schema in schemas),
        *(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO loader" for schema in schemas),
    )
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address.replace("//postgres:", "//loader:"))
    driver.shop.add_returns(3)
    run = driver.sync(marts="views")
    run_sql(address, "REASSIGN OWNED BY loader TO postgres", "DROP OWNED BY loader", "DROP ROLE loader")
    assert (run.outcome, run.exit_code) == ("done", 0)
    assert [note for note in run.notices if "index" in note]
    assert [note for note in run.notices if "omment" in note]
    assert len(run.notices) == 2
    driver.assert_equal()
