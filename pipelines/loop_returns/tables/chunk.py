"""What is loaded at once: which rows of the pages that were read, rows that are made for it, and the counts."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.tables.runs import READS
from loop_returns.tables.schema import PREVIOUS

COPY: Final = "_copy"  # the number of a copy of a row, and of the return that a child came with
LOADED: Final = ("number", *(one.name for one in PREVIOUS))  # of each copy that is loaded
_PART_ROWS: Final = 5_000  # handed on at once
_PART_BYTES: Final = 32_000_000  # fewer rows, where they are very long
Tables = Mapping[str, pa.Table]


class StoredTables(Mapping[str, pa.Table]):
    """Tables in a folder of their own, a file each: of a table only those columns take memory that are looked at."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder, self._names = folder, tuple(names)

    @classmethod
    def write(cls, folder: Path, tables: Tables) -> Self:
        """Makes the folder. Raises OSError."""
        folder.mkdir()
        for name, table in tables.items():
            with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        return cls(folder, [*tables])

    def __getitem__(self, name: str) -> pa.Table:
        with pa.memory_map(str(self._folder / name)) as file:
            return pa.ipc.open_file(file).read_all()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def remove(self) -> None:
        """Gives back the room on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)


def columns_of(pages: Sequence[Tables], name: str, columns: Sequence[str]) -> pa.Table:
    """These columns of a table, of all pages."""
    return pa.concat_tables([page[name].select(columns) for page in pages])


@dataclass
class Tally:
    """Counts of rows: new and changed ones by table, and what was left out."""

    new: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    older: int = 0

    def add(self, other: Self) -> None:
        """Adds the counts of another load."""
        self.new.update(other.new)
        self.changed.update(other.changed)
        self.unchanged += other.unchanged
        self.older += other.older

    def count(self, table: str, *, rows: int, new: int) -> None:
        """Adds rows of a table, of which so many are new."""
        self.new[table] += new
        self.changed[table] += rows - new


@dataclass(frozen=True)
class Chunk:
    """The rows to load.

    Attributes:
        tally: the counts.
        days: whose shipping notices are due: those on which the warehouse had the returns that are replaced, and those on
            which Loop has them now; with the time when the latest of these returns was updated, None where one has none.
        rows: how many there are, by table; none when nothing says anything new.
        pages: where they are.
        copies: a table with the columns `LOADED`: the copies to load, and what the warehouse has in place of each.
        made: rows to load that are in no page.
        is_new: the warehouse has no row of these tables with any of these keys, not even of a load that was cut off.
    """

    tally: Tally
    days: Mapping[date, datetime | None] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    pages: Sequence[Tables] = ()
    copies: pa.Table | None = None
    made: Tables = field(default_factory=dict)
    is_new: bool = False

    @property
    def says_something(self) -> bool:
        """Whether a table that people read changes."""
        return any(name != READS.name for name in self.rows)

    def without_tombstones(self) -> Self:
        """The same where there is nothing to remove."""
        gone = {name: table.num_rows for name, table in self.made.items() if "_removed" in table.column_names}
        rows = {name: left for name, count in self.rows.items() if (left := count - gone.get(name, 0))}
        return replace(self, rows=rows, made={name: table for name, table in self.made.items() if name not in gone})

    def parts(self, name: str) -> Iterator[pa.Table]:
        """The rows of one table, in parts of bounded size."""
        waiting: list[pa.Table] = []
        for page in self.pages:
            if name in page:
                waiting.append(page[name])
            if sum(one.num_rows for one in waiting) >= _PART_ROWS or sum(one.nbytes for one in waiting) >= _PART_BYTES:
                yield self._chosen(waiting)
                waiting = []
        if waiting:
            yield self._chosen(waiting)
        if name in self.made:
            yield self.made[name]

    def table(self, name: str) -> pa.Table:
        """All rows of a table at once."""
        return pa.concat_tables(self.parts(name), promote_options="default")

    def _chosen(self, tables: Sequence[pa.Table]) -> pa.Table:
        assert self.copies is not None  # noqa: S101 # where there are pages there are copies
        rows = pa.concat_tables(tables, promote_options="default")  # one may have columns that nobody has declared
        places = pc.index_in(rows[COPY], value_set=self.copies["number"].combine_chunks())
        if places.null_count:
            rows, places = rows.filter(pc.is_valid(places)), places.drop_null()
        for column in set(LOADED) & set(rows.column_names):
            rows = rows.set_column(rows.schema.get_field_index(column), column, self.copies[column].take(places))
        return rows.drop_columns([COPY])
