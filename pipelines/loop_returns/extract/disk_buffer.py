"""Keeps the pages of a whole plan on disk, so that only the newest copy of each row goes on, and memory stays flat.

A plain dlt load puts everything into one package; two copies of one return in it would leave both copies' children.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pyarrow.compute as pc
from pyarrow import feather

from loop_returns.tables.catalog import KEYS
from loop_returns.tables.shape import COPY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loop_returns.tables.chunk import Tables


def newest_copies(pages: Iterable[Tables], root: str) -> Iterator[Tables]:
    """The pages in order, with the newest copies only: `root` names the table with the rows whose copies are compared.

    All pages are taken before the first one comes.
    """
    key = ", ".join(KEYS[root])
    stored: list[tuple[Path, list[str], int, int]] = []  # folder, tables, first and last copy's number
    with TemporaryDirectory(prefix="loop-returns-") as place, duckdb.connect(config={"threads": 1}) as index:
        for tables in pages:
            rows = tables[root].select([*KEYS[root], "updated_at", COPY])
            index.register("page", rows)
            index.execute(f"{'INSERT INTO copies' if stored else 'CREATE TABLE copies AS'} FROM page")
            folder = Path(place, str(len(stored)))
            folder.mkdir()
            for name, table in tables.items():
                feather.write_feather(table, str(folder / name), compression="lz4")
            numbers = pc.min_max(rows.column(COPY)).as_py()
            stored.append((folder, list(tables), numbers["min"], numbers["max"]))
        if stored:
            index.execute(
                f"CREATE TABLE newest AS SELECT {COPY} FROM copies QUALIFY row_number() OVER"
                f" (PARTITION BY {key} ORDER BY updated_at DESC NULLS LAST, {COPY} DESC) = 1 ORDER BY {COPY}"
            )
        for folder, names, first, last in stored:
            newest = index.execute(f"FROM newest WHERE {COPY} BETWEEN ? AND ?", [first, last]).to_arrow_table()
            copies = newest.column(COPY).combine_chunks()
            page = {name: feather.read_table(str(folder / name)) for name in names}
            yield {name: table.filter(pc.is_in(table.column(COPY), value_set=copies)) for name, table in page.items()}
