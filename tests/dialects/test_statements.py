"""Every statement that the project sends, said in the dialects of destinations that cannot be had here."""

from __future__ import annotations

import re
from typing import Any

import dlt
import pytest
import sqlglot
from sqlglot import exp

from loop_returns.warehouse.reader import Reader
from loop_returns.warehouse.translate import translated
from tests.dialects.statements import DIALECTS, said, statements

REFUSED = {  # what a dialect refuses, as its vendor's documentation says, and sqlglot leaves as it is
    "bigquery": r"\bUNION (?!ALL|DISTINCT)|WITHIN GROUP|\bISODOW\b|\bWEEK\b|JSON_ARRAY_LENGTH|CAST\(b\.line_items",
    "snowflake": r"WHEN (?:NOT )?EXISTS|\* INTERVAL|JSON_ARRAY_LENGTH|\bWINDOW w\b|\bISODOW\b",
    "databricks": r"WHEN (?:NOT )?EXISTS|AS VARCHAR\)|\* INTERVAL|\bISODOW\b|PERCENTILE_APPROX",
    "redshift": r"\* INTERVAL|JSON_ARRAY_LENGTH|\bWINDOW w\b|\bISODOW\b|CAST\(b\.line_items",
}


@pytest.mark.long
@pytest.mark.parametrize("dialect", DIALECTS)
def test_parsed(dialect: str) -> None:
    """sqlglot reads each of them in that dialect as the statement that it was, with as many values."""
    for sql, there in said(dialect).items():
        assert there.count("%s") == sql.count("%s"), there
        tree = sqlglot.parse_one(there.replace("%s", "NULL"), read=dialect)
        assert not isinstance(tree, exp.Command), there
        assert type(tree) is type(sqlglot.parse_one(sql.replace("%s", "NULL"), read="duckdb")), there


@pytest.mark.long
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_that_is_refused(dialect: str) -> None:
    """None has what is known to be refused there, or to mean something else."""
    found = {match[0] for sql in said(dialect).values() for match in re.finditer(REFUSED[dialect], sql)}
    assert not found


@pytest.mark.long
def test_ours_stay() -> None:
    """DuckDB and PostgreSQL get every statement to the letter."""
    assert len(statements()) > 100
    assert all(translated(sql, dialect) == sql for sql in statements() for dialect in ("duckdb", "postgres"))


class Client:
    """As much of dlt's client as a `Reader` asks when it makes a statement; notes what it is to run."""

    def __init__(self, destination: str) -> None:
        self.capabilities = getattr(dlt.destinations, destination)().capabilities()
        self.sql_client = self
        self.ran: list[str] = []

    def make_qualified_table_name_path(
        self, table: str | None, quote: bool = True, dataset_name: str | None = None
    ) -> list[str]:
        path = map(self.capabilities.casefold_identifier, filter(None, (dataset_name or "loop_returns", table)))
        return [self.capabilities.escape_identifier(name) if quote else name for name in path]

    def escape_column_name(self, name: str, quote: bool) -> str:
        assert not quote
        return str(self.capabilities.casefold_identifier(name))

    def execute_sql(self, sql: str, *values: Any) -> None:
        self.ran.append(sql)

    def begin_transaction(self) -> None:
        raise AssertionError("BigQuery and Databricks make no views in a transaction")


@pytest.mark.parametrize("destination", ["snowflake", "bigquery", "databricks"])
def test_names_and_literals(destination: str) -> None:
    """Names have the destination's case and quotes; literals need no function of dlt's, views no transaction.

    Marts are in a dataset of their own, where one is given, and find the tables in theirs.
    """
    client = Client(destination)
    reader = Reader(client, marts="loop_marts")  # type: ignore[arg-type] # as far as it is used
    reader.execute(f"SELECT {reader.column('state')} FROM {reader.name('returns')} WHERE note = {reader.literal(chr(39))}")
    (sql,) = client.ran
    assert {
        "snowflake": r"""SELECT "STATE" FROM "LOOP_RETURNS"."RETURNS" WHERE note = '\''""",
        "bigquery": r"SELECT `state` FROM `loop_returns`.`returns` WHERE note = '\''",
        "databricks": r"SELECT `state` FROM `loop_returns`.`returns` WHERE note = '\''",
    }[destination] == sql
    reader.execute(f"CREATE VIEW {reader.name('dim_shops')} AS SELECT shop FROM {reader.name('returns')}")
    assert {
        "snowflake": 'CREATE VIEW "LOOP_MARTS"."DIM_SHOPS" AS SELECT shop FROM "LOOP_RETURNS"."RETURNS"',
        "bigquery": "CREATE VIEW `loop_marts`.`dim_shops` AS SELECT shop FROM `loop_returns`.`returns`",
        "databricks": "CREATE VIEW `loop_marts`.`dim_shops` AS SELECT shop FROM `loop_returns`.`returns`",
    }[destination] == client.ran[-1]
    if destination != "snowflake":
        with reader.transaction():
            pass


@pytest.mark.engines
def test_analyzed_by_bigquery() -> None:
    """BigQuery's own analyzer takes each of them, with our tables as dlt makes them there, and then the marts."""
    pytest.importorskip("zetasql")
    from tests.dialects.bigquery import Warehouse

    assert Warehouse().refusals(said("bigquery").values()) == []


@pytest.mark.engines
def test_the_analyzer_refuses() -> None:
    """What BigQuery does not take is told: else the test above would say nothing."""
    pytest.importorskip("zetasql")
    from tests.dialects.bigquery import Warehouse

    wrong = [
        "SELECT CAST(line_items AS STRING) FROM `loop_returns`.`return_labels`",
        "SELECT nothing FROM `loop_returns`.`returns`",
    ]
    assert len(Warehouse().refusals(wrong)) == 2
