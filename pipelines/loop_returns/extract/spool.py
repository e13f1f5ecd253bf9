"""Keeps what a whole walk read on disk, so that only the newest copy of each row goes on, and memory stays flat.

A plain dlt load puts everything into one package; two copies of one return in it would leave both copies' children.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather

from loop_returns.tables.shape import COPY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loop_returns.warehouse.deduplicate import Tables


class Spool:
    """Tables of many pages on disk, by the root table's key; a context manager."""

    def __init__(self, root: str, key: Sequence[str]) -> None:
        self._root = root
        self._key = tuple(key)
        self._newest: dict[tuple[str, ...], tuple[int, int]] = {}  # key -> updated_at in microseconds, copy
        self._pages = 0
        self._folder = tempfile.TemporaryDirectory(prefix="loop-returns-")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()

    def add(self, tables: Tables) -> None:
        """Takes one page: its root table and the tables of its children, all with copy numbers."""
        root = tables[self._root]
        times = root.column("updated_at").cast(pa.int64()).to_pylist()
        copies = root.column(COPY).to_pylist()
        keys = zip(*(root.column(name).to_pylist() for name in self._key), strict=True)
        for key, time, copy in zip(keys, times, copies, strict=True):
            found = (-1 if time is None else time, copy)
            if found > self._newest.get(key, (-2, 0)):
                self._newest[key] = found
        for name, table in tables.items():
            feather.write_feather(table, str(self._path(self._pages, name)), compression="lz4")
        self._pages += 1

    def pages(self) -> Iterator[Tables]:
        """The pages again, in order, with the newest copies only."""
        copies = pa.array(sorted(copy for _, copy in self._newest.values()), pa.int64())
        for page in range(self._pages):
            tables = {path.suffixes[0][1:]: feather.read_table(str(path)) for path in self._folder_of(page)}
            yield {name: t.filter(pc.is_in(t.column(COPY), value_set=copies)) for name, t in tables.items()}

    def _path(self, page: int, name: str) -> Path:
        return Path(self._folder.name) / f"{page:07d}.{name}.arrow"

    def _folder_of(self, page: int) -> list[Path]:
        return sorted(Path(self._folder.name).glob(f"{page:07d}.*.arrow"))
