"""Turns rows as the API sends them into typed Arrow tables, a return and its children into five of them.

Every copy of a return gets a number (`_copy`), and so do its children, so that a later step can keep the newest copy with
its own children only. Fields nobody has declared become text columns and are named in `Shaped.undeclared`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import astuple

from loop_returns.tables import values as reading
from loop_returns.tables.catalog import ARRAYS, DATA, arrow_schema, arrow_type
from loop_returns.tables.privacy import Policy, protect
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import PARENT
from loop_returns.tables.schema import Pii, Table, Type
from loop_returns.tables.shipping import ASN
from loop_returns.tables.undeclared import undeclared_values

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
Rows: TypeAlias = "Sequence[Row] | Sequence[Struct]"  # as dictionaries, or as structs that have nothing undeclared in them
Fields = dict[str, "Sequence[Any]"]  # the values of each field, one for each row

COPY: Final = "_copy"
_SHAPE: Final = "0.1.0"  # the version in which a column's meaning changed last: then every row counts as changed
_OBJECT: Final = (dict, Struct)


@dataclass(frozen=True)
class Shaped:
    """Typed tables by name, and the columns among them that nobody has declared, as `table.column`."""

    tables: dict[str, pa.Table]
    undeclared: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True)
class Shaper:
    """Shapes rows for one shop under one privacy policy."""

    shop: str
    policy: Policy = Policy.KEEP

    def returns(self, rows: Rows, *, first_copy: int = 0) -> Shaped:
        """`returns` and its four child tables; copies are numbered from `first_copy` in the order of `rows`."""
        copies = range(first_copy, first_copy + len(rows))
        fields = _fields(rows)
        children = {name: _children(fields.get(name, ())) for name in ARRAYS}
        strays: list[Row] = []
        if any(child.strays for child in children.values()):
            strays = [{k: fields[k][i] for k, c in children.items() if i in c.strays} for i in range(len(rows))]
        root = self._table(
            RETURNS,
            fields,
            own={"_row_hash": [self.fingerprint(row) for row in rows]},
            known=frozenset(ARRAYS),
            strays=strays,
        )
        made = {RETURNS.name: (root[0].append_column(COPY, pa.array(copies, pa.int64())), root[1])}
        ids = root[0].column("id").to_pylist()
        for name, table in ARRAYS.items():
            child = children[name]
            fields = _fields(child.rows)
            own = {"return_id": [ids[i] for i in child.parents]} | _child_keys(table, fields, child)
            shaped, undeclared = self._table(table, fields, own=own, known=frozenset({PARENT}))
            numbers = pa.array([copies[i] for i in child.parents], pa.int64())
            made[table.name] = (shaped.append_column(COPY, numbers), undeclared)
        return Shaped(
            {name: table for name, (table, _) in made.items()},
            frozenset().union(*(undeclared for _, undeclared in made.values())),
        )

    def notices(self, rows: Sequence[Row], *, first_copy: int = 0) -> Shaped:
        """The table `advanced_shipping_notices`; a row without a key gets one from its content."""
        hashes = [self.fingerprint(row) for row in rows]
        own: dict[str, list[Any]] = {"_row_hash": hashes}
        for key in ("id", "return_line_item_id"):
            own[key] = [
                reading.to_text(row.get(key)) or f"missing-{digest[:16]}" for row, digest in zip(rows, hashes, strict=True)
            ]
        table, undeclared = self._table(ASN, _fields(rows), own=own)
        numbers = pa.array(range(first_copy, first_copy + len(rows)), pa.int64())
        return Shaped({ASN.name: table.append_column(COPY, numbers)}, undeclared)

    def fingerprint(self, row: Row | Struct) -> str:
        """128 bits that change when the row, the declared columns or the privacy policy change.

        A field that is null and one that is absent are the same.
        """
        digest = _salted(self.policy).copy()
        digest.update(reading.canonical_json(row if isinstance(row, Struct) else _without_nulls(row)))
        return digest.hexdigest()[:32]

    def _table(
        self,
        table: Table,
        fields: Fields,
        *,
        own: dict[str, list[Any]],
        known: frozenset[str] = frozenset(),
        strays: Sequence[Row] = (),
    ) -> tuple[pa.Table, frozenset[str]]:
        """`fields` in the columns of `table`; `own` are the columns whose values are given; `known` fields are skipped."""
        columns: dict[str, pa.Array] = {}
        unread: dict[int, Row] = {}
        count = len(next(iter(own.values())))
        objects = {parent: _objects(fields[parent]) for parent in _parents(table) & fields.keys()}
        for column in table.columns:
            if column.name in own:
                columns[column.name] = pa.array(own[column.name], arrow_type(column.type))
            elif column.name == "shop":
                columns["shop"] = pa.array([self.shop] * count, pa.string())
            elif column.path and column.path[0] in fields:
                taken = _take(fields, column.path, objects)
                made, failed = reading.array(column.type, taken)
                for row, value in failed.items():
                    unread.setdefault(row, {})[column.name] = value
                columns[column.name] = self._protect(made, column.pii, column.type)
        extra = undeclared_values(table, fields, known, objects, strays)
        for name, found in extra.items():
            texts, _ = reading.array(Type.TEXT, found)
            columns[name] = self._protect(texts, Pii.UNKNOWN, Type.TEXT)
        notes = [unread.get(i) for i in range(count)]
        columns["_unparsed"] = self._protect(reading.array(Type.JSON, notes)[0], Pii.UNKNOWN, Type.JSON)
        schema = arrow_schema(table.name)
        for fld in schema:
            if fld.name not in columns:
                columns[fld.name] = pa.nulls(count, fld.type)
        for name in extra:
            schema = schema.append(pa.field(name, pa.string()))
        arrays = [columns[fld.name] for fld in schema]
        return pa.Table.from_arrays(arrays, schema=schema), frozenset(f"{table.name}.{name}" for name in extra)

    def _protect(self, made: pa.Array, pii: Pii, kind: Type) -> pa.Array:
        return protect(made, pii=pii, kind=kind, policy=self.policy, key=self.shop)


@dataclass(frozen=True)
class _Children:
    rows: Rows
    parents: list[int]  # position of each row's return in the page
    positions: list[int]  # position of each row within its return
    strays: frozenset[int]  # returns whose field holds something that is no list of objects


def _children(values: Sequence[Any]) -> _Children:
    found: list[Any] = []
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
        found.extend(items)
        parents.extend([i] * len(items))
        positions.extend(range(len(items)))
    return _Children(found, parents, positions, frozenset(strays))


def _is_blank(value: object) -> bool:
    """True for an object in which every field is null."""
    fields = value.values() if isinstance(value, dict) else astuple(value) if isinstance(value, Struct) else (value,)
    return all(one is None for one in fields)


def _child_keys(table: Table, fields: Fields, child: _Children) -> dict[str, list[Any]]:
    """The last key column of a child table: its position, or its id made unique within the return."""
    name = table.key[-1]
    if table.column(name).type is Type.INTEGER:
        return {name: child.positions}
    given = fields.get(table.column(name).path[0], [None] * len(child.rows))
    keys = [reading.to_text(value) or f"missing-{position}" for value, position in zip(given, child.positions, strict=True)]
    if len(set(zip(child.parents, keys, strict=True))) < len(keys):  # never seen; lose neither row
        seen: dict[tuple[int, str], int] = {}
        for i, pair in enumerate(zip(child.parents, list(keys), strict=True)):
            seen[pair] = seen.get(pair, 0) + 1
            if seen[pair] > 1:
                keys[i] = f"{pair[1]}#{seen[pair]}"
    return {name: keys}


@cache
def _parents(table: Table) -> frozenset[str]:
    """The fields of a row that are flattened into prefixed columns."""
    return frozenset(column.path[0] for column in table.columns if len(column.path) > 1)


def _fields(rows: Rows) -> Fields:
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


def _objects(values: Sequence[Any]) -> list[Row]:
    return [value if isinstance(value, dict) else {} for value in values]


def _take(fields: Fields, path: tuple[str, ...], objects: dict[str, list[Row]]) -> Sequence[Any]:
    if len(path) > 1:
        return [inner.get(path[1]) for inner in objects[path[0]]]
    values = fields[path[0]]
    if path[0] in objects:  # the object itself is in its prefixed columns; here stays what is no object
        return [None if isinstance(value, dict) else value for value in values]
    return values


def _without_nulls(row: Row) -> Row:
    """The row and its children without the fields that are null."""
    bare = {name: value for name, value in row.items() if value is not None}
    for name in ARRAYS.keys() & bare.keys():
        value = bare[name]
        if isinstance(value, dict):
            bare[name] = {k: v for k, v in value.items() if v is not None}
        elif isinstance(value, list):
            bare[name] = [{k: v for k, v in one.items() if v is not None} if isinstance(one, dict) else one for one in value]
    return bare


@cache
def _salted(policy: Policy) -> hashlib._Hash:
    declared = repr([(t.name, [(c.name, c.type, c.path, c.pii) for c in t.columns]) for t in DATA])
    return hashlib.sha256(f"{_SHAPE} {policy} {declared}".encode())
