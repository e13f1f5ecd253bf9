"""Describes the tables and marts as a dbt source, for people who put dbt on top of them.

`python -m loop_returns.docgen.dbt_sources` prints it.
"""

import json
import sys
from collections.abc import Iterable, Iterator

from loop_returns.marts import all_marts
from loop_returns.tables.catalog import TABLES


def dbt_sources(*, dataset: str = "loop_returns") -> str:
    """The text of a `sources.yml` (dbt 1.8 or newer): tables and marts, described, with not_null and unique tests.

    Texts are written as JSON strings, which YAML reads as they are.
    """
    lines = ["version: 2", "", "sources:", f"  - name: {json.dumps(dataset)}"]
    lines += ["    description: Loop Returns, mirrored by loop-returns.", "    tables:"]
    for table in TABLES.values():
        columns = ((c.name, c.description, not c.nullable) for c in table.columns)
        lines += _table(table.name, table.description, table.key, columns)
    for mart in sorted(all_marts(), key=lambda mart: mart.rank):
        described = ((name, meaning, name == "shop") for name, meaning in mart.columns.items())
        lines += _table(mart.name, f"{mart.description} Grain: {mart.grain}.", (), described)
    return "\n".join(lines) + "\n"


def _table(name: str, description: str, key: tuple[str, ...], columns: Iterable[tuple[str, str, bool]]) -> Iterator[str]:
    yield f"      - name: {name}"
    yield f"        description: {json.dumps(description, ensure_ascii=False)}"
    if key:
        together = " || '|' || ".join(f"cast({column} as varchar)" for column in key)
        yield from ("        data_tests:", "          - unique:", f"              column_name: {json.dumps(together)}")
    yield "        columns:"
    for column, meaning, filled in columns:
        yield f"          - name: {column}"
        yield f"            description: {json.dumps(meaning, ensure_ascii=False)}"
        if filled:
            yield "            data_tests: [not_null]"


if __name__ == "__main__":
    sys.stdout.write(dbt_sources(dataset=sys.argv[1]) if sys.argv[1:] else dbt_sources())
