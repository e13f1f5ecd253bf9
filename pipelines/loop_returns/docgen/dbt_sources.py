"""Describes the tables and marts as a dbt source, for people who put dbt on top of them.

`python -m loop_returns.docgen.dbt_sources` prints it.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from loop_returns.api.facts import STATES
from loop_returns.marts import all_marts
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS, STALE

_LINES: Final = (
    "fct_return_lines",
    "fct_exchange_lines",
    "fct_return_shipments",
    "fct_expected_units",
    "fct_return_timeline",
)


def dbt_sources(*, dataset: str = "loop_returns", marts: str | None = None) -> str:
    """The text of a `sources.yml` (dbt 1.8 or newer): tables and marts, described, with tests of keys, parents and states.

    Freshness is that of the last sync, not of the last row: a quiet shop is not stale. Texts are written as JSON strings,
    which YAML reads as they are. Marts that have a dataset of their own are a source of their own.
    """
    lines = ["version: 2", "", "sources:", *_source(dataset)]
    for table in TABLES.values():
        tests: dict[str, list[Any]] = {column.name: ["not_null"] for column in table.columns if not column.nullable}
        if table is RETURNS:
            tests["state"] = [{"accepted_values": {"values": [*STATES], "config": {"severity": "warn"}}}]
        described = {column.name: column.description for column in table.columns}
        lines += _table(table.name, table.description, table.key, described, tests, is_ledger=table is RUNS)
    lines += _source(marts) if marts else ()
    for mart in sorted(all_marts(), key=lambda mart: mart.rank):
        tests = {name: ["not_null"] for name in mart.key}
        if mart.name in _LINES:
            parent = {"to": f"source({marts or dataset!r}, 'fct_returns')", "field": "return_key"}
            tests["return_key"] = ["not_null", {"relationships": parent}]
        lines += _table(mart.name, f"{mart.description} Grain: {mart.grain}.", mart.key, mart.columns, tests)
    return "\n".join(lines) + "\n"


def _source(dataset: str) -> Iterator[str]:
    yield f"  - name: {json.dumps(dataset)}"
    yield from ("    description: Loop Returns, mirrored by loop-returns.", "    tables:")


def _table(
    name: str,
    description: str,
    key: Sequence[str],
    columns: Mapping[str, str],
    tests: Mapping[str, Sequence[Any]],
    *,
    is_ledger: bool = False,
) -> Iterator[str]:
    yield f"      - name: {name}"
    yield f"        description: {json.dumps(description, ensure_ascii=False)}"
    if is_ledger:
        hours = {"count": STALE // timedelta(hours=1), "period": "hour"}
        yield from ("        loaded_at_field: synced_up_to", f"        freshness: {json.dumps({'warn_after': hours})}")
    together = " || '|' || ".join(f"cast({column} as varchar)" for column in key)
    yield from ("        data_tests:", "          - unique:", f"              column_name: {json.dumps(together)}")
    yield "        columns:"
    for column, meaning in columns.items():
        yield f"          - name: {column}"
        yield f"            description: {json.dumps(meaning, ensure_ascii=False)}"
        if column in tests:
            yield f"            data_tests: {json.dumps(tests[column])}"


if __name__ == "__main__":
    sys.stdout.write(dbt_sources(**dict(zip(("dataset", "marts"), sys.argv[1:], strict=False))))
