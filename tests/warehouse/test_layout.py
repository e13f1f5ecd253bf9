"""How tables lie in a destination: rows that are found by the same columns together in BigQuery, as it comes elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.runs.ledger import to_table
from loop_returns.tables.catalog import CHILDREN, TABLES, layout_hints
from loop_returns.tables.runs import RUNS
from loop_returns.tables.schema import Type
from loop_returns.warehouse import load
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.levels import EXPECTED, PROVEN
from loop_returns.warehouse.load import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from loop_returns.warehouse.destination import Target

HINT = "x-bigquery-cluster-columns"


def test_clusters() -> None:
    """By the shop and what a merge looks for, never more than four columns that BigQuery can sort by; nowhere else any."""
    clusters = {name: layout_hints(table, "bigquery")[HINT] for name, table in TABLES.items()}
    assert clusters["returns"] == ["shop", "id"]
    assert all(clusters[child.name] == ["shop", "return_id"] for child in CHILDREN)
    for name, columns in clusters.items():
        assert columns[0] == "shop"
        assert 2 <= len(columns) <= 4
        assert all(TABLES[name].column(one).type is not Type.JSON for one in columns)
    elsewhere = {*PROVEN, *EXPECTED} - {"bigquery"}
    assert not any(layout_hints(table, one) for table in TABLES.values() for one in elsewhere)


def run(target: Target) -> tuple[int, dict[str, object]]:
    """What a run does to the schema: how many versions it has then, and which tables of the latest are laid out."""
    with Warehouse(target) as warehouse:
        warehouse.restore()
        warehouse.prepare()
        warehouse.load_tables({RUNS.name: to_table([{"shop": "default", "run_id": "the same"}])})
        schema = warehouse.pipeline.default_schema
        hints = {name: table[HINT] for name, table in schema.tables.items() if HINT in table}  # type: ignore[literal-required]
        with warehouse.reader() as reader:
            ((versions,),) = reader.rows(f"SELECT count(*) FROM {reader.name('_dlt_version')}")
        return versions, hints


def test_loads_leave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that an earlier version made stays as it is; in a new one each table is laid out, once and for all."""
    file, hints = str(tmp_path / "loop.duckdb"), layout_hints
    earlier, new = find_target(file=file, dataset="earlier"), find_target(file=file, dataset="new")
    assert run(earlier) == (before := run(earlier))
    assert before[1] == {}, "DuckDB"
    monkeypatch.setattr(load, "layout_hints", lambda table, kind: hints(table, kind and "bigquery"))
    assert run(earlier) == before
    assert run(new) == run(new) == (before[0], {name: hints(table, "bigquery")[HINT] for name, table in TABLES.items()})
