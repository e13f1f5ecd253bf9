"""On a real PostgreSQL the marts say the same as on DuckDB, and replacing them respects what others built on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dlt.destinations.exceptions import DatabaseException

from loop_returns import marts
from tests.marts.test_totals import random_shop
from tests.support.golden_answers import OTHERS
from tests.support.golden_shop import SHOP, golden, written
from tests.support.warehouses import (
    duckdb_pipeline,
    load,
    postgres,  # noqa: F401 - a fixture
    postgres_pipeline,
    select,
)

if TYPE_CHECKING:
    from pathlib import Path

    import dlt

ALL = sorted(mart.name for mart in marts.all_marts())
NAMES = sorted(set(ALL) - OTHERS)  # the rest: `test_answers.py`


@pytest.fixture(scope="module")
def pipeline(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> dlt.Pipeline:  # noqa: F811 - the fixture
    folder = tmp_path_factory.mktemp("golden")  # numbered: of the tests that are left another worker may take some
    made = postgres_pipeline(postgres, folder, dataset=folder.name)
    load(made, SHOP)
    marts.refresh(made)
    return made


def test_rows(pipeline: dlt.Pipeline):
    """Every mart has the rows that were worked out by hand, also in a session with another zone."""
    for zone in ("UTC", "Pacific/Auckland"):
        for mart in NAMES:
            columns, expected = golden(mart)
            with pipeline.sql_client() as client:
                client.execute_sql(f"SET TIME ZONE '{zone}'")
                rows = client.execute_sql(f"SELECT {', '.join(columns)} FROM {mart}")
            assert sorted([written(value) for value in row] for row in rows) == expected, (zone, mart)


@pytest.mark.long
def test_random_shop(postgres: str, tmp_path: Path):  # noqa: F811 - the fixture
    """Of a random shop every mart has the same rows on both, to the last hundredth of a mean or a median."""
    theirs = postgres_pipeline(postgres, tmp_path / "pg", dataset="random")
    ours = duckdb_pipeline(tmp_path)
    for one in (theirs, ours):
        load(one, random_shop(7))
        marts.refresh(one)
    for mart in marts.all_marts():
        sql = f"SELECT {', '.join(mart.columns)} FROM {mart.name}"
        here, there = ([[written(value) for value in row] for row in select(one, sql)] for one in (ours, theirs))
        assert sorted(there) == sorted(here), mart.name


def test_changed_columns(pipeline: dlt.Pipeline):
    """A mart whose columns differ from the new ones is dropped and made anew, though PostgreSQL replaces no such view."""
    with pipeline.sql_client() as client:
        client.execute_sql("DROP VIEW fct_returns CASCADE")
        client.execute_sql("CREATE VIEW fct_returns AS SELECT 1 AS shop, 2 AS something_else")
    assert sorted(marts.refresh(pipeline)) == ALL
    columns, expected = golden("fct_returns")
    assert len(select(pipeline, f"SELECT {', '.join(columns)} FROM fct_returns")) == len(expected)


def test_views_of_others(pipeline: dlt.Pipeline):
    """Somebody's own view on a mart survives a refresh that need not drop it, and stops one that would have to."""
    with pipeline.sql_client() as client:
        client.execute_sql("CREATE VIEW mine AS SELECT count(*) AS n FROM fct_returns")
        client.execute_sql("COMMENT ON VIEW fct_returns IS 'of an older version'")
    assert sorted(marts.refresh(pipeline)) == ALL
    assert select(pipeline, "SELECT n FROM mine") == [(16,)]
    with pytest.raises(DatabaseException, match="mine") as refused:
        marts.refresh(pipeline, as_tables=True)
    assert marts.is_depended_on(refused.value)
    assert marts.refresh(pipeline) == []
    with pipeline.sql_client() as client:
        client.execute_sql("DROP VIEW mine")


def test_tables_with_views_of_others(pipeline: dlt.Pipeline):
    """Facts as tables are filled anew under somebody's views and grants, also when their text has changed."""
    marts.refresh(pipeline, as_tables=True)
    with pipeline.sql_client() as client:
        client.execute_sql("CREATE VIEW mine AS SELECT count(*) AS n FROM fct_returns")
        client.execute_sql("GRANT SELECT ON fct_returns TO PUBLIC")
        client.execute_sql("DELETE FROM fct_returns")
    assert sorted(marts.refresh(pipeline, as_tables=True)) == sorted(
        mart.name for mart in marts.all_marts() if mart.may_be_table
    )
    assert select(pipeline, "SELECT n FROM mine") == [(16,)]
    with pipeline.sql_client() as client:
        client.execute_sql("COMMENT ON TABLE fct_returns IS 'of an older version'")
        client.execute_sql("DELETE FROM fct_returns")
    assert sorted(marts.refresh(pipeline, as_tables=True)) == ALL
    assert select(pipeline, "SELECT n FROM mine") == [(16,)]
    granted = (
        "SELECT count(*) FROM information_schema.table_privileges WHERE table_name = 'fct_returns' AND grantee = 'PUBLIC'"
    )
    assert select(pipeline, granted) == [(1,)]
    with pipeline.sql_client() as client:
        client.execute_sql("DROP VIEW mine")
    marts.refresh(pipeline)


def test_reset_of_the_tables(pipeline: dlt.Pipeline):
    """Marts that went with a raw table or a column of it are made again."""
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE return_refunds CASCADE")
        client.execute_sql("ALTER TABLE returns DROP COLUMN upsell CASCADE")
    assert sorted(marts.refresh(pipeline)) == ALL
    assert select(pipeline, "SELECT count(*), count(upsell) FROM fct_returns") == [(16, 0)]
