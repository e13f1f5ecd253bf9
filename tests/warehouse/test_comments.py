"""The meaning of every table, column and mart stands in the database itself, where BI tools look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dlt
import pytest

from loop_returns import marts
from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse import comments
from loop_returns.warehouse.reader import Reader, connected
from tests.support.golden_shop import SHOP
from tests.support.warehouses import (
    duckdb_pipeline,
    load,
    postgres,  # noqa: F401 - a fixture
    postgres_pipeline,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> dlt.Pipeline:
    if getattr(request, "param", "duckdb") == "duckdb":
        made = duckdb_pipeline(tmp_path)
    else:
        made = postgres_pipeline(request.getfixturevalue("postgres"), tmp_path, dataset=f"comments_{tmp_path.name}")
    load(made, SHOP)
    return made


def written(pipeline: dlt.Pipeline) -> dict[tuple[str, str], str | None]:
    with connected(pipeline) as stored:
        assert stored is not None
        return comments.read(stored)


def expected() -> dict[tuple[str, str], str]:
    columns = {(table.name, column.name): column.description for table in TABLES.values() for column in table.columns}
    columns |= {(mart.name, name): meaning for mart in marts.all_marts() for name, meaning in mart.columns.items()}
    return columns


@pytest.mark.parametrize("pipeline", ["duckdb", "postgres"], indirect=True)
def test_all_written(pipeline: dlt.Pipeline):
    """After a load, every declared column and every column of a mart has its comment, and so have tables and marts."""
    marts.refresh(pipeline)
    comments.write_comments(pipeline, marts.column_comments())
    found = written(pipeline)
    assert {key: found.get(key) for key in expected()} == expected()
    for table in TABLES.values():
        assert str(found[table.name, ""]).startswith(table.description)
    for mart in marts.all_marts():
        assert str(found[mart.name, ""]).startswith(mart.description)


@pytest.mark.long
@pytest.mark.parametrize("pipeline", ["duckdb", "postgres"], indirect=True)
def test_later_loads(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch):
    """Comments survive a load; a later call writes only what is missing or differs, and nothing if nothing does."""
    marts.refresh(pipeline)
    comments.write_comments(pipeline, marts.column_comments())
    before = written(pipeline)
    load(pipeline, SHOP)
    assert written(pipeline) == before
    said: list[str] = []
    run = Reader.run  # which statements are sent, the warehouse does not tell afterwards
    monkeypatch.setattr(Reader, "run", lambda self, *statements: (said.extend(statements), run(self, *statements)))
    comments.write_comments(pipeline, marts.column_comments())
    assert said == []
    with pipeline.sql_client() as client:
        client.execute_sql("COMMENT ON COLUMN returns.state IS 'something else'")
    comments.write_comments(pipeline, marts.column_comments())
    assert len(said) == 1
    assert written(pipeline) == before


def test_without_marts(pipeline: dlt.Pipeline):
    """Raw tables are commented also where there are no marts."""
    comments.write_comments(pipeline, marts.column_comments())
    found = written(pipeline)
    assert found["returns", "id"] == TABLES["returns"].column("id").description
    assert "fct_returns" not in {table for table, _ in found}


def test_columns_nobody_declared(pipeline: dlt.Pipeline):
    """A column that nobody declared gets no comment, and is in nobody's way."""
    with pipeline.sql_client() as client:
        client.execute_sql("ALTER TABLE returns ADD COLUMN brand_new TEXT")
    comments.write_comments(pipeline, marts.column_comments())
    assert written(pipeline)["returns", "brand_new"] is None


def test_destinations_that_know_no_comments(tmp_path: Path):
    """Files, and a pipeline that has loaded nothing yet, are left alone without a word."""
    folder = dlt.destinations.filesystem(f"file://{tmp_path}/lake")
    pipeline = dlt.pipeline("files", pipelines_dir=str(tmp_path / "pipelines"), destination=folder, dataset_name="lake")
    pipeline.run([{"id": 1}], table_name="returns")
    comments.write_comments(pipeline, marts.column_comments())
    empty = duckdb_pipeline(tmp_path)
    comments.write_comments(empty)
    assert empty.default_schema_name is None
