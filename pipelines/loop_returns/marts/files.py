"""Reads the `.sql` files of the marts: headers, columns' meanings, and which mart builds on which.

A file starts with a header of comment lines: a description, then `grain:`, `key:`, one `answers:` per question, and
`materialized: table` for what many others read: with `marts = "tables"` it is a table.
Each column of the last select list ends with ` -- ` and its meaning, so that both are changed together.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

VERSION: Final = 3  # of the marts: one more where a column, a key or a meaning changes or goes, not where one comes

SOURCE: Final = re.compile(r"(?<=\b(?:from|join) )[a-z_]+(?= as )")  # in a query: what it reads
VALUE: Final = re.compile(r"\$([a-z_]+)")  # what settings say
_KINDS: Final = ("fct", "dim", "rpt")
_COLUMN: Final = re.compile(r"\b([a-z_0-9]+),? -- (.+)$")


@dataclass(frozen=True, slots=True)
class Mart:
    """One mart: a query in DuckDB's dialect on raw tables and other marts, and what its header says about it."""

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    answers: tuple[str, ...]
    may_be_table: bool
    columns: Mapping[str, str]  # name -> meaning, in the order of the select list
    sql: str

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands in a list for people: facts, dimensions, reports, each by name."""
        return _KINDS.index(self.name[:3]), self.name

    @property
    def sources(self) -> frozenset[str]:
        """What it reads: raw tables, marts, and parts of its own query."""
        return frozenset(SOURCE.findall(self.sql))


@cache
def all_marts() -> tuple[Mart, ...]:
    """Every mart, each after those it reads. Raises ValueError when marts read each other in a circle."""
    texts = [entry for entry in files(__package__).iterdir() if entry.name.endswith(".sql")]
    marts = {mart.name: mart for mart in sorted(map(_parse, texts), key=lambda mart: mart.name)}
    reads = {name: sorted(marts.keys() & mart.sources) for name, mart in marts.items()}
    return tuple(marts[name] for name in TopologicalSorter(reads).static_order())


def _parse(file: Traversable) -> Mart:
    text = file.read_text(encoding="utf-8")
    header = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- ")]
    fields: dict[str, list[str]] = {}
    for line in header[1:]:
        field, _, value = line.partition(": ")
        fields.setdefault(field, []).append(value)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("-- "))
    columns = {match[1]: match[2] for line in body.splitlines() if (match := _COLUMN.search(line))}
    return Mart(
        name=file.name.removesuffix(".sql"),
        description=header[0],
        grain=fields["grain"][0],
        key=tuple(fields["key"][0].split(", ")),
        answers=tuple(fields["answers"]),
        may_be_table=fields.get("materialized") == ["table"],
        columns=columns,
        sql=body,
    )


def column_comments() -> list[tuple[str, str, str]]:
    """Mart, column and meaning of every column of every mart."""
    return [(mart.name, column, meaning) for mart in all_marts() for column, meaning in mart.columns.items()]
