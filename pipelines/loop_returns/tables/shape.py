"""Turns rows as the API sends them into typed Arrow tables, a return and its children into five of them.

Every copy of a return gets a number (`_copy`), and so do its children, so that a later step can keep the newest copy with
its own children only. Fields nobody has declared become text columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from loop_returns.tables import values
from loop_returns.tables.catalog import ARRAYS, ARROW, arrow_schema
from loop_returns.tables.chunk import COPY, Tables
from loop_returns.tables.fields import (
    Fields,
    Row,
    Rows,
    child_keys,
    children_of,
    fields_of,
    objects_of,
    undeclared_fields,
    values_at,
)
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import PARENT
from loop_returns.tables.schema import Pii, Table, Type
from loop_returns.tables.shipping import ASN

_KEEP: Final = Privacy()


@dataclass(frozen=True)
class Shaper:
    """Shapes rows for one shop under one privacy policy. Fields nobody has declared count as personal."""

    shop: str
    privacy: Privacy = _KEEP

    def returns(self, rows: Rows, *, first_copy: int = 0) -> Tables:
        """`returns` and its four child tables; copies are numbered from `first_copy` in the order of `rows`."""
        copies = range(first_copy, first_copy + len(rows))
        fields = fields_of(rows)
        children = {name: children_of(fields.get(name, ())) for name in ARRAYS}
        strays: list[Row] = []
        if any(child.strays for child in children.values()):
            strays = [{k: fields[k][i] for k, c in children.items() if i in c.strays} for i in range(len(rows))]
        hashes = {"_row_hash": [self.privacy.fingerprint(row, RETURNS) for row in rows]}
        root = self._table(RETURNS, fields, copies, own=hashes, known=frozenset(ARRAYS), strays=strays)
        tables = {RETURNS.name: root}
        ids = root.column("id").to_pylist()
        for name, table in ARRAYS.items():
            child = children[name]
            fields = fields_of(child.rows)
            own = {"return_id": [ids[i] for i in child.parents]} | child_keys(table, fields, child)
            numbers = [copies[i] for i in child.parents]
            tables[table.name] = self._table(table, fields, numbers, own=own, known=frozenset({PARENT}))
        return tables

    def notices(self, rows: Sequence[Row], *, first_copy: int = 0) -> Tables:
        """The table `advanced_shipping_notices`; a row without a key gets one from its content."""
        own: dict[str, list[Any]] = {"_row_hash": [self.privacy.fingerprint(row, ASN) for row in rows]}
        for key in ("id", "return_line_item_id"):
            # under every policy the same key, so that a changed one replaces the row
            own[key] = [values.to_text(row.get(key)) or f"missing-{_KEEP.fingerprint(row, ASN)[:16]}" for row in rows]
        copies = range(first_copy, first_copy + len(rows))
        return {ASN.name: self._table(ASN, fields_of(rows), copies, own=own)}

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
