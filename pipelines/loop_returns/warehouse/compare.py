"""Compares what the shop says with what the warehouse holds, value by value, and names the rows that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from loop_returns.api.decode import decode_json
from loop_returns.tables.catalog import TABLES, arrow_schema
from loop_returns.tables.schema import Type
from loop_returns.tables.shape import COPY
from loop_returns.tables.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN: Final = frozenset({"_deleted_at", "_row_hash", "_previous_state", "_removed", "_dlt_load_id", COPY})


def differing(name: str, shop: pa.Table, warehouse: pa.Table, *, by: Sequence[str]) -> set[tuple[str, ...]]:
    """The `by` values of all rows that are not the same on both sides, value by value.

    Columns of this project's own making are left out; a column that one side lacks counts as null there.
    """
    columns = sorted({*shop.column_names, *warehouse.column_names} - OWN)
    ours, theirs = _comparable(name, shop, columns), _comparable(name, warehouse, columns)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        keys = ", ".join(f'"{key}"' for key in by)
        rows = connection.execute(
            f"SELECT DISTINCT {keys} FROM (FROM ours EXCEPT ALL FROM theirs) UNION "
            f"SELECT DISTINCT {keys} FROM (FROM theirs EXCEPT ALL FROM ours)"
        ).fetchall()
    return set(rows)


def _comparable(name: str, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    declared = {column.name: column for column in TABLES[name].columns}
    schema = arrow_schema(name)
    made: dict[str, Any] = {}
    for column in columns:
        kind = schema.field(column).type if column in declared else pa.string()
        if column not in table.column_names:
            made[column] = pa.nulls(table.num_rows, kind)
        elif column in declared and declared[column].type is Type.JSON:
            made[column] = pa.array([_canonical(value) for value in table.column(column).to_pylist()], pa.string())
        else:
            made[column] = table.column(column).cast(kind)
    return pa.table(made)


def _canonical(value: object) -> str | None:
    """JSON text with sorted keys: a database may keep the value, but not the order it came in."""
    if value is None:
        return None
    return canonical_json(decode_json(value.encode()) if isinstance(value, str) else value).decode()
