"""Compares what the shop says with what the warehouse holds, value by value, and names the rows that differ."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from duckdb import DuckDBPyConnection as Connection

from loop_returns.api.decode import decode_json
from loop_returns.tables.catalog import ARROW, TABLES
from loop_returns.tables.chunk import COPY
from loop_returns.tables.schema import BOOKKEEPING, Type
from loop_returns.tables.values import canonical_json

OWN: Final = BOOKKEEPING | {COPY}


def differing(db: Connection, name: str, shop: pa.Table, warehouse: pa.Table, *, by: Sequence[str]) -> pa.Table:
    """The distinct `by` values of all rows that are not the same on both sides, value by value; the first is named `id`.

    Columns of this project's own making are left out; a column that one side lacks counts as null there.
    """
    columns = sorted({*shop.column_names, *warehouse.column_names} - OWN)
    keys = ", ".join([f"{by[0]} AS id", *by[1:]])
    return _query(
        db,
        f"SELECT DISTINCT {keys} FROM (FROM ours EXCEPT ALL FROM theirs) UNION "
        f"SELECT DISTINCT {keys} FROM (FROM theirs EXCEPT ALL FROM ours)",
        ours=_comparable(name, shop, columns),
        theirs=_comparable(name, warehouse, columns),
    )


def drift_counts(
    db: Connection, differs: pa.Table, newest: pa.Table, known: pa.Table, *, since: datetime | None
) -> dict[str, int]:
    """How many of the `newest` rows that Loop shows are missing, changed, or newer: changed since the shop was synced."""
    keys = ", ".join(differs.column_names)
    sql = f"""
        SELECT CASE WHEN late THEN 'newer' WHEN is_known THEN 'changed' ELSE 'missing' END AS kind, count(*) AS number
        FROM (
            SELECT ({keys}) IN (SELECT ({keys}) FROM known) AS is_known,
                   ({keys}) IN (SELECT ({keys}) FROM differs) AS differs,
                   $since IS NULL OR coalesce(greatest(updated_at, label_updated_at) >= $since, false) AS late
            FROM newest
        ) WHERE differs OR NOT is_known GROUP BY kind ORDER BY kind DESC
    """
    counts = _query(db, sql, {"since": since}, differs=differs, newest=newest, known=known)
    return dict(zip(*counts.to_pydict().values(), strict=True))


def known_by_value(db: Connection, known: pa.Table, differs: pa.Table, newest: pa.Table) -> pa.Table:
    """What the warehouse is known to have, with the fingerprints that the comparison has proved.

    A row that differs from an older one of the `newest` is outdated: Loop has been asked after it was loaded.
    """
    keys = ", ".join(name for name in known.column_names if name in {"id", "return_line_item_id"})
    sql = f"""
        SELECT k.* REPLACE (
            CASE WHEN n._row_hash IS NULL THEN k.row_hash WHEN d.id IS NULL THEN n._row_hash END AS row_hash,
            k.outdated OR (d.id IS NOT NULL AND coalesce(n.updated_at < k.updated_at, false)) AS outdated
        )
        FROM known AS k LEFT JOIN newest AS n USING ({keys}) LEFT JOIN (SELECT DISTINCT * FROM differs) AS d USING ({keys})
    """
    return _query(db, sql, differs=differs, newest=newest, known=known).cast(known.schema)


def _query(db: Connection, sql: str, parameters: dict[str, Any] | None = None, **tables: pa.Table) -> pa.Table:
    with db.cursor() as cursor:
        for name, table in tables.items():
            cursor.register(name, table)
        return cursor.sql(sql, params=parameters).to_arrow_table()


def _comparable(name: str, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    kinds = {column.name: column.type for column in TABLES[name].columns}
    arrays: dict[str, Any] = {}
    for column in columns:
        arrow = ARROW[kinds.get(column, Type.TEXT)]
        if column not in table.column_names:
            arrays[column] = pa.nulls(table.num_rows, arrow)
        elif kinds.get(column) is Type.JSON:
            arrays[column] = pa.array([_canonical(value) for value in table.column(column).to_pylist()], arrow)
        else:
            arrays[column] = table.column(column).cast(arrow)
    return pa.table(arrays)


def _canonical(value: object) -> str | None:
    """JSON text with sorted keys: a database may keep the value, but not the order it came in."""
    if value is None:
        return None
    return canonical_json(decode_json(value.encode()) if isinstance(value, str) else value).decode()
