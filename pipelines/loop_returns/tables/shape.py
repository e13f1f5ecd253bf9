"""Turns rows as the API sends them into typed Arrow tables, a return and its children into five of them.

Every copy of a row gets a number (`_copy`), and so do its children, so that a later step can keep the newest copy with
its own children only. Fields nobody has declared become text columns.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from loop_returns.tables import values
from loop_returns.tables.catalog import ARRAYS_OF, ARROW, arrow_schema
from loop_returns.tables.chunk import COPY, Tables
from loop_returns.tables.fields import (
    Children,
    Fields,
    Rows,
    child_keys,
    children_of,
    fields_of,
    objects_of,
    undeclared_fields,
    values_at,
)
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.resource import Parent, Resource
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.schema import Pii, Row, Table, Type
from loop_returns.tables.shipping import ASN

_KEEP: Final = Privacy()


@dataclass(frozen=True)
class Shaper:
    """Shapes rows for one shop under one privacy policy. Fields nobody has declared count as personal."""

    shop: str
    privacy: Privacy = _KEEP

    def returns(self, rows: Rows, *, first_copy: int = 0) -> Tables:
        """`returns` and its four child tables; copies are numbered from `first_copy` in the order of `rows`."""
        return self._with_children(RETURNS, rows, range(first_copy, first_copy + len(rows)))

    def notices(self, rows: Sequence[Row], *, first_copy: int = 0) -> Tables:
        """The table `advanced_shipping_notices`; a row without a key gets one from its content."""
        return self._with_children(ASN, rows, range(first_copy, first_copy + len(rows)))

    def listed(self, resource: Resource, rows: Sequence[Row], *, first_copy: int = 0) -> Tables:
        """The tables of another resource that is read as a list."""
        return self._with_children(resource.table, rows, range(first_copy, first_copy + len(rows)))

    def of_parent(self, resource: Resource, rows: Sequence[Row], parent: Parent, *, copy: int) -> Tables:
        """The tables of what belongs to one parent, all with one number, and the row in `_loop_reads` that says so."""
        table = resource.table
        marks = "".join(self.privacy.fingerprint(row, table) for row in rows)
        note: Row = {"shop": self.shop, "resource": resource.name, "id": parent.id}
        note |= {"parent_updated_at": parent.updated_at, "parent_hash": parent.row_hash}
        note |= {"_row_hash": hashlib.sha256(f"{self.privacy.mark} {marks}".encode()).hexdigest()[:32], COPY: copy}
        schema = arrow_schema(READS.name).append(pa.field(COPY, pa.int64()))
        tables = {READS.name: pa.Table.from_pylist([note], schema)}
        return {**tables, **self._with_children(table, rows, [copy] * len(rows), parent=parent.id)}

    def _with_children(self, table: Table, rows: Rows, copies: Sequence[int], *, parent: str | None = None) -> Tables:
        """The table with its children, whose copies are those of their row; `parent` is that of a set's rows."""
        arrays, fields = ARRAYS_OF.get(table.name, {}), fields_of(rows)
        children = {name: children_of(fields.get(name, ())) for name in arrays}
        strays: list[Row] = []
        if any(child.strays for child in children.values()):
            strays = [{k: fields[k][i] for k, c in children.items() if i in c.strays} for i in range(len(rows))]
        if parent is None:
            own = {"_row_hash": [self.privacy.fingerprint(row, table) for row in rows]} | _keys(table, rows, fields)
            parents = own.get(table.key[-1])
        else:
            own = {table.replace_by[-1]: [parent] * len(rows)} | _place(table, fields, len(rows))
            parents = own[table.replace_by[-1]]
        root = self._table(table, fields, copies, own=own, known=frozenset(arrays), strays=strays)
        tables = {table.name: root}
        ids = parents or root.column(table.key[-1]).to_pylist()
        for name, one in arrays.items():
            child = children[name]
            fields = fields_of(child.rows)
            own = {one.replace_by[-1]: [ids[i] for i in child.parents]} | child_keys(one, fields, child)
            numbers = [copies[i] for i in child.parents]
            tables[one.name] = self._table(one, fields, numbers, own=own, known=frozenset({one.replace_by[-1]}))
        return tables

    def _table(
        self,
        table: Table,
        fields: Fields,
        copies: Sequence[int],
        *,
        own: dict[str, list[Any]],
        known: frozenset[str] = frozenset(),
        strays: Sequence[Row] = (),
    ) -> pa.Table:
        """`fields` in the columns of `table`; `own` are the columns whose values are given; `known` fields are skipped."""
        columns: dict[str, pa.Array] = {"shop": pa.array([self.shop] * len(copies), pa.string())}
        unread: dict[int, Row] = {}
        objects = objects_of(table, fields)
        for column in table.columns:
            if column.name in own:
                columns[column.name] = pa.array(own[column.name], ARROW[column.type])
            elif column.path and column.path[0] in fields:
                array, failed = values.array(column.type, values_at(column.path, fields, objects))
                for row, value in failed.items():
                    unread.setdefault(row, {})[column.name] = value
                columns[column.name] = self.privacy.protect(array, column.pii, column.type)
        undeclared = undeclared_fields(table, fields, known, objects, strays)
        for name, texts in undeclared.items():
            columns[name] = self.privacy.protect(values.array(Type.TEXT, texts)[0], Pii.UNKNOWN, Type.TEXT)
        unparsed, _ = values.array(Type.JSON, [unread.get(i) for i in range(len(copies))])
        columns["_unparsed"] = self.privacy.protect(unparsed, Pii.UNKNOWN, Type.JSON)
        columns[COPY] = pa.array(copies, pa.int64())
        schema = pa.schema(
            [*arrow_schema(table.name), *(pa.field(name, pa.string()) for name in undeclared), pa.field(COPY, pa.int64())]
        )
        arrays = [columns[one.name] if one.name in columns else pa.nulls(len(copies), one.type) for one in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


def _keys(table: Table, rows: Rows, fields: Fields) -> dict[str, list[Any]]:
    """The key columns, where a row may lack one: then it gets one from its content.

    It is the same under every policy on personal data, so that a changed one replaces the row.
    """
    if table is RETURNS:  # a page with a return that has no id is refused
        return {}
    keys: dict[str, list[Any]] = {}
    for name in table.key[1:]:
        given = fields.get(table.column(name).path[0], [None] * len(rows))
        pairs: Iterator[tuple[Any, Any]] = zip(given, rows, strict=True)
        keys[name] = [values.to_text(value) or f"missing-{_KEEP.fingerprint(row, table)[:16]}" for value, row in pairs]
    return keys


def _place(table: Table, fields: Fields, rows: int) -> dict[str, list[Any]]:
    """What tells the rows of one parent apart; nothing where there is one for each."""
    if table.key == table.replace_by:
        return {}
    return child_keys(table, fields, Children([{}] * rows, [0] * rows, [*range(rows)], frozenset()))
