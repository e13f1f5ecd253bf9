"""What the queries of a page share is worked out once, and says what the marts say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

from loop_returns import marts
from loop_returns.report import data as data_module
from loop_returns.report.data import QUERIES, read_data
from loop_returns.warehouse.destination import find_target
from tests.marts.test_totals import random_shop
from tests.support.warehouses import duckdb_pipeline, load

if TYPE_CHECKING:
    from pathlib import Path

SHARED = {"fct_returns", "fct_return_lines", "fct_return_notices", "fct_return_shipments", "fct_return_states"}


@pytest.mark.long
def test_shared_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No query of the page reads a view that others read too; facts that are tables are read as they are."""
    pipeline, target = duckdb_pipeline(tmp_path), find_target(file=str(tmp_path / "test.duckdb"))
    load(pipeline, random_shop(4))
    asked: list[str] = []
    usual = data_module._run

    def run(connection: Any, sql: str) -> Any:
        asked.append(sql)
        return usual(connection, sql)

    monkeypatch.setattr(data_module, "_run", run)
    marts.refresh(pipeline)
    as_views = read_data(target, days=30_000).tables
    of_pages = [sql for sql in asked if "duckdb_" not in sql and not sql.startswith(("ATTACH", "CREATE"))]
    assert len(of_pages) == len(QUERIES) + 1
    assert {name for name in SHARED for sql in of_pages if f"loop_returns.{name}" in sql} == set()
    assert {name for name in SHARED for sql in of_pages if f"loop_returns_report_facts.{name}" in sql} == SHARED
    asked.clear()
    marts.refresh(pipeline, as_tables=True)
    as_tables = read_data(target, days=30_000).tables
    tables = {mart.name for mart in marts.all_marts() if mart.may_be_table}
    assert SHARED & tables
    assert not [sql for sql in asked for name in tables if f"CREATE TABLE loop_returns_report_facts.{name} " in sql]
    assert as_tables == as_views
    assert as_views["month_ends"].num_rows
