"""Keeps what a whole walk read on disk, so that only the newest copy of each row goes on, and memory stays flat.

A plain dlt load puts everything into one package; two copies of one return in it would leave both copies' children.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.compute as pc
from pyarrow import feather

from loop_returns.tables.shape import COPY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loop_returns.tables.chunk import Tables


class Spool:
    """Tables of many pages on disk, by the root table's key; a context manager."""

    def __init__(self, root: str, key: Sequence[str]) -> None:
        self._root = root
        self._key = ", ".join(key)
        self._pages: list[tuple[Path, list[str], int, int]] = []  # folder, tables, first and last copy's number
        self._open = ExitStack()

    def __enter__(self) -> Spool:
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="loop-returns-")))
        self._index = self._open.enter_context(closing(duckdb.connect(config={"threads": 1})))
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def add(self, tables: Tables) -> None:
        """Takes one page: its root table and the tables of its children, all with copy numbers."""
        rows = tables[self._root]
        made = "INSERT INTO copies" if self._pages else "CREATE TABLE copies AS"
        self._index.register("page", rows.select([*self._key.split(", "), "updated_at", COPY]))
        self._index.execute(f"{made} FROM page")
        folder = self._folder / str(len(self._pages))
        folder.mkdir()
        for name, table in tables.items():
            feather.write_feather(table, str(folder / name), compression="lz4")
        numbers = pc.min_max(rows.column(COPY)).as_py()
        self._pages.append((folder, list(tables), numbers["min"], numbers["max"]))

    def pages(self) -> Iterator[Tables]:
        """The pages again, in order, with the newest copies only."""
        if not self._pages:
            return
        self._index.execute(
            f"CREATE TABLE newest AS SELECT {COPY} FROM copies QUALIFY row_number() OVER"
            f" (PARTITION BY {self._key} ORDER BY updated_at DESC NULLS LAST, {COPY} DESC) = 1 ORDER BY {COPY}"
        )
        for folder, names, first, last in self._pages:
            found = self._index.execute(f"FROM newest WHERE {COPY} BETWEEN ? AND ?", [first, last]).to_arrow_table()
            for_page = found.column(COPY).combine_chunks()
            tables = {name: feather.read_table(str(folder / name)) for name in names}
            yield {name: table.filter(pc.is_in(table.column(COPY), value_set=for_page)) for name, table in tables.items()}
