"""Takes rows of the API apart: the values of each field, the objects inside a row, its children, undeclared fields."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import astuple

from loop_returns.tables.schema import Row, Table, Type
from loop_returns.tables.values import to_text

Rows: TypeAlias = "Sequence[Row] | Sequence[Struct]"  # as dictionaries, or as structs that have nothing undeclared in them
Fields = dict[str, "Sequence[Any]"]  # the values of each field, one for each row

_OBJECT: Final = (dict, Struct)


def fields_of(rows: Rows) -> Fields:
    """The values of every field that a row has, None for the rows without it.

    Usually all rows have the same fields in the same order. Then each row is walked through once, as it lies in memory: to
    look up field after field in all of them takes several times as long.
    """
    if not rows:
        return {}
    if isinstance(rows[0], Struct):
        structs = cast("Sequence[Struct]", rows)
        return dict(zip(rows[0].__struct_fields__, zip(*map(astuple, structs), strict=True), strict=True))
    dicts = cast("Sequence[Row]", rows)
    names = tuple(dicts[0])
    if all(tuple(row) == names for row in dicts):
        return dict(zip(names, zip(*(row.values() for row in dicts), strict=True), strict=True))
    return {name: [row.get(name) for row in dicts] for name in set().union(*dicts)}


def objects_of(table: Table, fields: Fields) -> dict[str, list[Row]]:
    """The objects in the fields that are flattened into prefixed columns; an empty one where the value is no object."""
    flattened = {column.path[0] for column in table.columns if len(column.path) > 1} & fields.keys()
    return {parent: [value if isinstance(value, dict) else {} for value in fields[parent]] for parent in flattened}


def values_at(path: tuple[str, ...], fields: Fields, objects: dict[str, list[Row]]) -> Sequence[Any]:
    """The values of a declared column."""
    if len(path) > 1:
        return [inner.get(path[1]) for inner in objects[path[0]]]
    return _without_objects(fields[path[0]]) if path[0] in objects else fields[path[0]]


def undeclared_fields(
    table: Table, fields: Fields, known: frozenset[str], objects: dict[str, list[Row]], strays: Sequence[Row]
) -> Fields:
    """The values of every field that no column is declared for, by column name."""
    columns: Fields = {}
    for name in sorted(fields.keys() - _declared(table, "") - known):
        columns[_column_name(name, table, columns)] = fields[name]
    for parent, inner in objects.items():
        if parent not in _declared(table, "", flat=True):
            others = _without_objects(fields[parent])
            if any(value not in (None, "", []) for value in others):
                columns[parent] = others
        for name in sorted(set().union(*inner) - _declared(table, parent)):
            columns[_column_name(f"{parent}_{name}", table, columns)] = [row.get(name) for row in inner]
    for name in sorted(set().union(*strays)):
        columns[_column_name(name, table, columns)] = [row.get(name) for row in strays]
    return columns


@dataclass(frozen=True)
class Children:
    """The children in one field of many returns."""

    rows: Rows
    parents: list[int]  # the position of each one's return in the page
    positions: list[int]  # the position of each one within its return
    strays: frozenset[int]  # the returns whose field holds something that is no list of objects


def children_of(values: Sequence[Any]) -> Children:
    """The children in the values of one field."""
    children: list[Any] = []
    parents: list[int] = []
    positions: list[int] = []
    strays: set[int] = set()
    for i, value in enumerate(values):
        if not value or _is_blank(value):  # absent, null, [], {} and "" all say that there are none
            continue
        items = [value] if isinstance(value, _OBJECT) else value
        if not isinstance(items, list) or not all(isinstance(item, _OBJECT) for item in items):
            strays.add(i)
            items = [item for item in items if isinstance(item, _OBJECT)] if isinstance(items, list) else []
        children.extend(items)
        parents.extend([i] * len(items))
        positions.extend(range(len(items)))
    return Children(children, parents, positions, frozenset(strays))


def child_keys(table: Table, fields: Fields, children: Children) -> dict[str, list[Any]]:
    """The last key column of a child table: its position, or its id made unique within the return."""
    column = table.column(table.key[-1])
    if column.type is Type.INTEGER:
        return {column.name: children.positions}
    given = fields.get(column.path[0], [None] * len(children.rows))
    keys = [to_text(value) or f"missing-{place}" for value, place in zip(given, children.positions, strict=True)]
    pairs = list(zip(children.parents, keys, strict=True))
    if len(set(pairs)) < len(pairs):  # never seen; lose neither row
        seen: Counter[tuple[int, str]] = Counter()
        for i, pair in enumerate(pairs):
            seen[pair] += 1
            if seen[pair] > 1:
                keys[i] = f"{pair[1]}#{seen[pair]}"
    return {column.name: keys}


def _is_blank(value: object) -> bool:
    """True for an object in which every field is null."""
    fields = value.values() if isinstance(value, dict) else astuple(value) if isinstance(value, Struct) else (value,)
    return all(one is None for one in fields)


def _without_objects(values: Sequence[Any]) -> list[Any]:
    """The values that are no object: the objects are in the prefixed columns."""
    return [None if isinstance(value, dict) else value for value in values]


@cache
def _declared(table: Table, parent: str, *, flat: bool = False) -> frozenset[str]:
    """The declared fields of a row, `flat` only those with a column of their own, or those of its object `parent`."""
    if parent:
        return frozenset(c.path[1] for c in table.columns if len(c.path) > 1 and c.path[0] == parent)
    return frozenset(c.path[0] for c in table.columns if c.path and not (flat and len(c.path) > 1))


def _column_name(field_name: str, table: Table, taken: Iterable[str]) -> str:
    """dlt's own form of the name; with a prefix where it would collide with a column that is already there."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention  # slow to import, rarely needed

    name = NamingConvention(max_length=60).normalize_identifier(field_name.strip() or "unnamed")
    while name in table.names or name in taken or name.startswith("_"):
        name = f"api_{name.lstrip('_')}"
    return name
