"""Marts are always there and up to date: on an empty warehouse, on an old one, as views or as tables."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import dlt
import pytest
import sqlglot
from sqlglot import exp

from loop_returns import marts
from loop_returns.marts import views
from loop_returns.marts.files import SOURCE
from loop_returns.marts.outside import OUTSIDE
from loop_returns.tables.catalog import TABLES
from tests.support.golden_shop import SHOP, golden, written
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(mart.name for mart in marts.all_marts())
FACTS = sorted(mart.name for mart in marts.all_marts() if mart.may_be_table)


def kinds(pipeline: dlt.Pipeline) -> dict[str, str]:
    rows = select(
        pipeline, "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'loop_returns'"
    )
    return {name: kind for name, kind in rows if name in NAMES}


def test_what_marts_read():
    """What is found in a text by its form is what a parser finds: else a table would stand in a view without its schema."""
    for mart in marts.all_marts():
        tree = sqlglot.parse_one(mart.sql, read="duckdb")
        parts = {one.alias for one in tree.find_all(exp.CTE)}
        read = sorted(table.name for table in tree.find_all(exp.Table) if table.name not in parts)
        assert sorted(name for name in SOURCE.findall(mart.sql) if name not in parts) == read, mart.name
        assert not parts & {*NAMES, *TABLES, *OUTSIDE}, mart.name
        assert {*read} <= {*NAMES, *TABLES, *OUTSIDE}, mart.name


@pytest.mark.long
def test_empty_warehouse(tmp_path: Path):
    """On a shop without a single return every mart answers, with the columns that its file describes."""
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, {})
    marts.refresh(pipeline)
    for mart in marts.all_marts():
        with pipeline.sql_client() as client, client.execute_query(f"SELECT * FROM {mart.name}") as cursor:
            assert [column[0] for column in cursor.description] == list(mart.columns), mart.name
            assert cursor.fetchall() == []


def test_before_the_first_load(tmp_path: Path):
    """Where nothing was ever loaded there is nothing to do, and that is no error."""
    pipeline = duckdb_pipeline(tmp_path)
    assert marts.refresh(pipeline) == []


def test_files(tmp_path: Path):
    """A destination of files gets no marts, and that is no error."""
    folder = dlt.destinations.filesystem(f"file://{tmp_path}/lake")
    pipeline = dlt.pipeline("files", pipelines_dir=str(tmp_path / "pipelines"), destination=folder, dataset_name="lake")
    pipeline.run([{"id": 1}], table_name="returns")
    assert marts.refresh(pipeline) == []


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    made = duckdb_pipeline(folder)
    load(made, SHOP)
    marts.refresh(made)
    return folder


@pytest.fixture
def pipeline(template: Path, tmp_path: Path) -> dlt.Pipeline:
    """A copy of the loaded warehouse for one test."""
    return duckdb_pipeline(shutil.copytree(template, tmp_path / "copy"))


def test_nothing_changed(pipeline: dlt.Pipeline):
    """A second refresh touches nothing, also after another load."""
    assert marts.refresh(pipeline) == []
    load(pipeline, SHOP)
    assert marts.refresh(pipeline) == []


def test_lost_view(pipeline: dlt.Pipeline):
    """A mart that somebody dropped comes back."""
    with pipeline.sql_client() as client:
        client.execute_sql("DROP VIEW rpt_returns_daily")
    assert "rpt_returns_daily" in marts.refresh(pipeline)
    assert kinds(pipeline) == dict.fromkeys(NAMES, "VIEW")


@pytest.mark.long
def test_tables_and_views(pipeline: dlt.Pipeline):
    """Facts can be turned into tables, hold the same rows there, follow the next load, and can be turned back."""
    before = {
        name: sorted(map(str, select(pipeline, f"SELECT * FROM {name}"))) for name in NAMES if name != "rpt_sync_freshness"
    }
    for made in (NAMES, FACTS):
        assert sorted(marts.refresh(pipeline, as_tables=True)) == made
        assert marts.are_current(pipeline, as_tables=True)
        assert kinds(pipeline) == {name: "BASE TABLE" if name in FACTS else "VIEW" for name in NAMES}
        assert {name: sorted(map(str, select(pipeline, f"SELECT * FROM {name}"))) for name in before} == before
    load(pipeline, {"returns": [{"shop": "north", "id": "new", "state": "open"}]})
    marts.refresh(pipeline, as_tables=True)
    assert select(pipeline, "SELECT count(*) FROM fct_returns WHERE return_id = 'new'") == [(1,)]
    marts.refresh(pipeline)
    assert kinds(pipeline) == dict.fromkeys(NAMES, "VIEW")


def test_what_depends_on_the_clock():
    """What is of the moment at which it is read, or of the latest run, is no table, nor what is built on it."""
    outside = "|".join(OUTSIDE)
    changing = rf"current_(timestamp|date)|_loop_sync_runs|(from|join) ({outside})\b"
    moving = {mart.name for mart in marts.all_marts() if re.search(changing, mart.sql)}
    for mart in marts.all_marts():  # each after those it reads
        if any(re.search(rf"(from|join) {name}\b", mart.sql) for name in moving):
            moving.add(mart.name)
    assert not [mart.name for mart in marts.all_marts() if re.search(rf"\b({outside}) as \(", mart.sql)], "read as tables"
    assert "fct_returns" in FACTS
    assert not moving & set(FACTS)


def test_another_text_with_the_same_columns(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch):
    """When the text of a fact changes and its columns do not, its table stays and holds the new rows."""
    marts.refresh(pipeline, as_tables=True)
    with pipeline.sql_client() as client:
        client.execute_sql("COMMENT ON COLUMN fct_returns.state IS 'of mine'")
    changed = [
        replace(mart, sql=f"{mart.sql}\nwhere false") if mart.name == "fct_returns" else mart for mart in marts.all_marts()
    ]
    monkeypatch.setattr(views, "all_marts", lambda: tuple(changed))
    assert sorted(marts.refresh(pipeline, as_tables=True)) == NAMES
    assert select(pipeline, "SELECT count(*) FROM fct_returns") == [(0,)]
    comment = select(
        pipeline, "SELECT comment FROM duckdb_columns() WHERE table_name = 'fct_returns' AND column_name = 'state'"
    )
    assert comment == [("of mine",)]


def test_another_type(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch):
    """A fact in which a column has another type than before is made anew, not cut to the old type."""
    marts.refresh(pipeline, as_tables=True)
    with pipeline.sql_client() as client:
        client.execute_sql("ALTER TABLE fct_returns ALTER COLUMN returned_value TYPE DECIMAL(18, 0)")
        client.execute_sql("COMMENT ON TABLE fct_returns IS 'of an older version'")
    assert sorted(marts.refresh(pipeline, as_tables=True)) == NAMES
    columns, expected = golden("fct_returns")
    with pipeline.sql_client() as client:
        rows = client.execute_sql(f"SELECT {', '.join(columns)} FROM fct_returns")
    assert sorted([written(value) for value in row] for row in rows) == expected


@pytest.mark.long
def test_old_warehouse(pipeline: dlt.Pipeline):
    """Where a column or a whole table has never been seen a mart has nulls and no rows instead of an error."""
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE advanced_shipping_notices")
        client.execute_sql("ALTER TABLE returns DROP COLUMN outcomes_processed_at_refund_processed")
        client.execute_sql("ALTER TABLE return_line_items DROP COLUMN condition_inspected_at")
    assert sorted(marts.refresh(pipeline)) == NAMES
    of_settings = ("rpt_return_rates", "rpt_shopper_cohorts", "rpt_group_daily")  # no table to read
    for name in NAMES:
        count = select(pipeline, f"SELECT count(*) FROM {name}")[0][0]
        empty = {"fct_return_notices", "rpt_notice_mismatches", *of_settings}
        assert (count > 0) == (name not in empty), name
    rows = select(
        pipeline, "SELECT shop, ordered_at, refunded_at IS NOT NULL FROM fct_returns WHERE return_id = 'R1' ORDER BY 1"
    )
    assert rows == [("north", None, True), ("south", None, True)]


def test_undeclared_columns(pipeline: dlt.Pipeline):
    """A field that Loop adds one day collides with no name that a mart uses inside."""
    with pipeline.sql_client() as client:
        for mart in marts.all_marts():
            for column in mart.columns:
                client.execute_sql(f"ALTER TABLE returns ADD COLUMN IF NOT EXISTS {column} TEXT")
                client.execute_sql(f"ALTER TABLE advanced_shipping_notices ADD COLUMN IF NOT EXISTS {column} TEXT")
        client.execute_sql("DROP VIEW fct_returns CASCADE")
    marts.refresh(pipeline)
    counts = select(pipeline, "SELECT (SELECT count(*) FROM fct_returns), (SELECT count(*) FROM fct_return_lines)")
    assert counts == [(16, 20)]


def test_every_column_has_a_meaning():
    """Each mart's file says what each of its columns means, and which questions it answers."""
    for mart in marts.all_marts():
        assert mart.answers, mart.name
        assert all(question.endswith((".", "?", ")")) for question in mart.answers), mart.name
        assert set(mart.key) <= set(mart.columns), mart.name
        assert all(meaning.endswith((".", "…")) for meaning in mart.columns.values()), mart.name
