"""What is loaded at once, and the counts of the rows that were read for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Self

import pyarrow as pa

Tables = dict[str, pa.Table]


def joined(pages: Sequence[Tables]) -> Tables:
    """The tables of many pages as one of each name."""
    return {name: pa.concat_tables([one[name] for one in pages], promote_options="default") for name in pages[0]}


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
    """Tables to load by name, none when no row is new or changed; the counts; and days whose shipping notices are due.

    The days are those on which the warehouse had the returns that are replaced, and those on which Loop has them now.
    """

    tables: Tables
    tally: Tally
    days: frozenset[date] = frozenset()
