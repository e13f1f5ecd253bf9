"""What dlt itself would send to destinations that cannot be had here: its own generators, asked with its own drivers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dlt
import pytest
import sqlglot
from dlt.common.schema import Schema
from sqlglot import exp

from loop_returns.tables.catalog import CHILDREN, TABLES, dlt_hints, layout_hints
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.dlt_internals import SOURCE, sql_client
from loop_returns.warehouse.reader import Reader
from tests.dialects.statements import DIALECTS
from tests.warehouse.test_levels import account

pytestmark = pytest.mark.engines
DRIVERS = {
    "snowflake": "snowflake.connector",
    "bigquery": "google.cloud.bigquery",
    "databricks": "databricks.sql",
    "redshift": "psycopg2",
}


@pytest.fixture(params=DIALECTS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """dlt's client with our tables, which never connects."""
    pytest.importorskip(DRIVERS[request.param])
    account(monkeypatch, request.param, "warehouse")
    target = find_target(destination=request.param)
    made: Any = sql_client(target.destination, target.dataset)
    made.schema = Schema(SOURCE)
    for table in TABLES.values():
        hints: Any = layout_hints(table, request.param)
        made.schema.update_table({**dlt.resource([], **dlt_hints(table)).compute_table_schema(), **hints})
    return made


def merge(client: Any, table: str) -> list[str]:
    """The statements by which dlt replaces the rows of a table."""
    (job,) = client._create_merge_followup_jobs([client.prepare_load_table(table)])
    text = Path(job._file_path).read_text()
    return [one.strip(" ;\n") for one in re.split(r"\n(?=DELETE|INSERT|CREATE|DROP|MERGE)", text)]


def test_children_are_replaced_as_a_set(client: Any) -> None:
    """All children of a return that is loaded go before the new ones come, and a mark of removal is no new one."""
    dialect = client.capabilities.sqlglot_dialect
    for child in CHILDREN:
        trees = [sqlglot.parse_one(one, read=dialect) for one in merge(client, child.name)]
        delete = next(one for one in trees if isinstance(one, exp.Delete))
        compared = {column.name.lower() for column in delete.args["where"].find_all(exp.Column)}
        assert compared == {"shop", "return_id"}, "by the return, not by the key of the child"
        insert = next(one for one in trees if isinstance(one, exp.Insert))
        assert "_removed" in insert.expression.args["where"].sql().lower()
        assert trees.index(delete) < trees.index(insert)


def create(client: Any, table: str) -> str:
    """The statement by which dlt makes a table."""
    (sql,) = client._get_table_update_sql(table, client.schema.get_table_columns(table).values(), False)
    return str(sql)


def test_bigquery_takes_what_dlt_sends(client: Any) -> None:
    """BigQuery's own analyzer takes each table as dlt makes it, and dlt's merge of it; no clusters of what is not there."""
    pytest.importorskip("zetasql")
    if client.capabilities.sqlglot_dialect == "bigquery":
        from tests.dialects.bigquery import Warehouse

        wrong = create(client, RETURNS.name).replace("CLUSTER BY `shop`", "CLUSTER BY `nothing`")
        sent = [sql for table in TABLES for sql in (create(client, table), *merge(client, table))]
        (refused,) = Warehouse().refusals([*sent, wrong])
        assert refused.endswith(wrong[-50:])


def test_tables(client: Any) -> None:
    """Amounts keep four digits, times their zone, JSON has a type of its own where there is one."""
    name = client.capabilities.sqlglot_dialect
    sql = create(client, RETURNS.name)
    tree = sqlglot.parse_one(sql, read=name)
    kinds = {one.name.lower(): one.args["kind"].sql(name) for one in tree.find_all(exp.ColumnDef)}
    assert "18, 4" in kinds["return_total"]
    assert kinds["updated_at"].startswith("TIMESTAMP")
    assert (
        kinds["_unparsed"] == {"snowflake": "VARIANT", "bigquery": "JSON", "databricks": "STRING", "redshift": "SUPER"}[name]
    )
    assert ("Name of the shop" in sql) == (name != "redshift")


def test_layout(client: Any) -> None:
    """BigQuery makes each table in clusters, without partitions; a column that comes later changes nothing of it."""
    name = client.capabilities.sqlglot_dialect
    for table in TABLES.values():
        clusters = [", ".join(f"`{one}`" for one in (table.replace_by or table.key)[:4])] if name == "bigquery" else []
        assert re.findall("CLUSTER BY (.+)", create(client, table.name)) == clusters
        assert "PARTITION" not in create(client, table.name)
        (column, *_) = client.schema.get_table_columns(table.name).values()
        added = client._get_table_update_sql(table.name, [column], True)
        assert name == "snowflake" or not any("CLUSTER" in one for one in added)  # there dlt sends DROP CLUSTERING KEY


def test_names(client: Any) -> None:
    """Our statements name tables as dlt does, and the information schema so that it is found."""
    reader = Reader(client, marts="loop_marts")
    native = client.sql_client.make_qualified_table_name("returns")
    assert sqlglot.to_table(reader.name("returns"), dialect="duckdb") == sqlglot.to_table(native, dialect=reader.dialect)
    assert reader.name("fct_returns") == reader.name("returns").replace("returns", "marts", 1).replace(
        "RETURNS", "MARTS", 1
    ).replace('"returns"', '"fct_returns"').replace('"RETURNS"', '"FCT_RETURNS"')
    view, where = reader.information("tables")
    assert {
        "snowflake": ("information_schema.tables", "table_schema = 'LOOP_MARTS'"),
        "bigquery": ('"warehouse"."loop_marts".INFORMATION_SCHEMA.TABLES', "1 = 1"),
    }.get(reader.dialect, ("information_schema.tables", "table_schema = 'loop_marts'")) == (view, where)
