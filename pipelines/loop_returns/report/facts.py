"""Works out once, for a page, the facts that are views in DuckDB and that several of its queries read.

As views, each query would work them out anew, with all that they read in turn. Here they are tables in memory, or in
DuckDB's temporary folder, of those columns that somebody reads.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from loop_returns.marts.files import all_marts
from loop_returns.warehouse.reader import Reader

_PLACE: Final = "loop_returns_report_facts"  # a database beside the warehouse's, which all cursors of its connection see
_MART: Final = re.compile(r'(?:[\w"]+\.)*"?\b((?:fct|dim|rpt)_\w+)"?')  # in the text of a view, by its full name


def worked_out(reader: Reader, queries: Sequence[str], execute: Callable[[str], pa.Table]) -> dict[str, str]:
    """What to read in place of marts: a table, or the query of a view that reads such tables; by the mart's name."""
    here = f"WHERE database_name = current_database() AND schema_name = {reader.literal(reader.marts)}"
    found = execute(f"SELECT view_name, sql FROM duckdb_views() {here}")  # noqa: S608
    views = {name: sql.partition(" AS ")[2].rstrip("; \n") for name, sql in _rows(found)}
    columns = list(_rows(execute(f"SELECT table_name, column_name FROM duckdb_columns() {here}")))  # noqa: S608
    texts = {name: views[name] for name in _read(" ".join(queries), views)}
    readers = {name: [text for text in (*texts.values(), *queries) if name in _MART.findall(text)] for name in texts}
    execute(f"ATTACH ':memory:' AS {_PLACE} (READ_WRITE)")
    instead: dict[str, str] = {}
    for name in (mart.name for mart in all_marts() if mart.name in texts):  # each after those it reads
        text = _MART.sub(lambda match: instead.get(match[1], match[0]), texts[name])
        if name.startswith("fct_") and len(readers[name]) > 1:
            words = set(re.findall(r"\w+", " ".join(readers[name])))
            kept = ", ".join(column for one, column in columns if one == name and column in words)
            execute(f"CREATE TABLE {_PLACE}.{name} AS SELECT {kept} FROM ({text})")  # noqa: S608
            instead[name] = f"{_PLACE}.{name}"
        elif text != texts[name]:
            instead[name] = f"({text})"
    return instead


def _rows(table: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _read(text: str, views: dict[str, str]) -> set[str]:
    """The views that the text reads, and what they read in turn."""
    found = set(_MART.findall(text)) & views.keys()
    return found.union(*(_read(views[name], views) for name in found))
