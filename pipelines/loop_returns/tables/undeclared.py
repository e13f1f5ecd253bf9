"""Finds the fields that nobody has declared, and names their columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loop_returns.tables.schema import Table

Row = dict[str, Any]


def undeclared_values(
    table: Table,
    fields: dict[str, Sequence[Any]],
    known: frozenset[str],
    objects: dict[str, list[Row]],
    strays: Sequence[Row],
) -> dict[str, Sequence[Any]]:
    """Values of every field that no column is declared for, by column name."""
    found: dict[str, Sequence[Any]] = {}
    for name in sorted(fields.keys() - _declared(table, "") - known):
        found[_column_name(name, table, found)] = fields[name]
    for parent, inner in objects.items():
        if (parent,) not in {column.path for column in table.columns}:
            others = [None if isinstance(value, dict) else value for value in fields[parent]]
            if any(value not in (None, "", []) for value in others):
                found[parent] = others
        for name in sorted(set().union(*inner) - _declared(table, parent)):
            found[_column_name(f"{parent}_{name}", table, found)] = [row.get(name) for row in inner]
    for name in sorted(set().union(*strays)):
        found[_column_name(name, table, found)] = [row.get(name) for row in strays]
    return found


@cache
def _declared(table: Table, parent: str) -> frozenset[str]:
    if parent:
        return frozenset(c.path[1] for c in table.columns if len(c.path) > 1 and c.path[0] == parent)
    return frozenset(c.path[0] for c in table.columns if c.path)


def _column_name(field_name: str, table: Table, taken: Iterable[str]) -> str:
    """dlt's own form of the name; set apart where it would collide with a column that is already there."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention  # slow to import, rarely needed

    name = NamingConvention(max_length=60).normalize_identifier(field_name.strip() or "unnamed")
    while name in table.names or name in taken or name.startswith("_"):
        name = f"api_{name.lstrip('_')}"
    return name
