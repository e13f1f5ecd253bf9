"""What the warehouse holds: what is known of keys that were read, whole rows, keys in a range; and the mark of deletion."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from loop_returns.dates import in_utc
from loop_returns.tables.catalog import CHILDREN, KEYS, PARENTS, TABLES, arrow_schema
from loop_returns.tables.resource import Parent, Resource
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.schema import Table
from loop_returns.warehouse.changed import FINGERPRINTS
from loop_returns.warehouse.deduplicate import IDS, KNOWN
from loop_returns.warehouse.dlt_internals import LOADS_TABLE
from loop_returns.warehouse.reader import Reader

_BATCH: Final = 10_000  # values in one question: databases accept no endless lists
_MARKS: Final = 200  # rows marked by one statement


def known_rows(reader: Reader, table: str, shop: str, ids: Iterable[str]) -> pa.Table:
    """What the warehouse has of the rows of `returns` or of the shipping notices with these ids, as `KNOWN`.

    A row whose load was never completed has no fingerprint: it counts as unknown until it is read again. It alone has
    what was known before.
    """
    previous = (
        "CASE WHEN l.status = 0 THEN NULL ELSE r._previous_state END" if table == RETURNS.name else "NULL",
        "CASE WHEN l.status = 0 THEN NULL ELSE r._previous_label_status END",
        f"CASE WHEN l.status = 0 THEN NULL ELSE {reader.time('r._previous_label_updated_at')} END",
    )
    keys = ", ".join(f"r.{name}" for name in KEYS[table])
    sql = (
        f"SELECT {keys}, {reader.time('r.updated_at')}, {reader.time('r.label_updated_at')}, r.state, {', '.join(previous)},"
        " r.label_status,"
        " CASE WHEN l.status = 0 THEN r._row_hash END, r._deleted_at IS NOT NULL, r._dlt_load_id"
        f" FROM {reader.name(table)} r LEFT JOIN {reader.name(LOADS_TABLE)} l ON l.load_id = r._dlt_load_id"
        " WHERE r.shop = %s AND {among}"
    )
    return _in_batches(reader, sql, shop, "r.id", ids, schema=KNOWN[table])


def fingerprints(reader: Reader, table: str, shop: str, ids: Iterable[str], *, resource: str | None = None) -> pa.Table:
    """What the warehouse has of the rows of another resource's table, or of what was read of parents, as `FINGERPRINTS`."""
    key = KEYS[table][-1]
    there = "l.status = 0" if table == READS.name else "l.status = 0 AND r._deleted_at IS NULL"
    sql = (
        f"SELECT r.{key}, CASE WHEN {there} THEN r._row_hash END FROM {reader.name(table)} r"
        f" LEFT JOIN {reader.name(LOADS_TABLE)} l ON l.load_id = r._dlt_load_id WHERE r.shop = %s AND {{among}}"
    )
    sql += "" if resource is None else f" AND r.resource = '{resource}'"
    return _in_batches(reader, sql, shop, f"r.{key}", ids, schema=FINGERPRINTS)


def due_parents(
    reader: Reader, resource: Resource, shop: str, *, most: int | None, stale: datetime
) -> tuple[list[Parent], int]:
    """Parents that were never asked about or have changed since, newest first, `most` at most; and how many there are.

    Open returns that were last asked about before `stale` follow: what is sought need not change them.
    """
    parent = resource.parent
    assert parent is not None  # noqa: S101 # only these are asked about
    key = parent.key[-1]
    read = (
        f"SELECT r.id, r.parent_updated_at, r.parent_hash, r.read_at FROM {reader.name(READS.name)} r"
        f" JOIN {reader.name(LOADS_TABLE)} l"
        " ON l.load_id = r._dlt_load_id AND l.status = 0 WHERE r.shop = %s AND r.resource = %s AND r._row_hash IS NOT NULL"
    )
    changed, turn = "k.id IS NULL OR k.parent_hash IS NULL OR p._row_hash IS NULL OR k.parent_hash <> p._row_hash", ""
    if parent is RETURNS:  # not by fingerprint: a change of what is kept of all returns would make every one due
        undated = "(k.parent_updated_at IS NULL AND p.updated_at IS NOT NULL)"
        changed = f"k.id IS NULL OR k.parent_updated_at <> p.updated_at OR {undated}"
        turn = " OR (p.state IN ('open', 'review') AND k.read_at < %s)"
    sql = (
        f"FROM {reader.name(parent.name)} p LEFT JOIN ({read}) k ON k.id = p.{key}"
        f" WHERE p.shop = %s AND p._deleted_at IS NULL AND ({changed}{turn})"
    )
    values = [shop, resource.name, shop, *([stale] if turn else [])]
    order = f"ORDER BY CASE WHEN {changed} THEN 0 ELSE 1 END, p.updated_at DESC"
    limit = "" if most is None else f" LIMIT {most}"
    rows = reader.rows(f"SELECT p.{key}, {reader.time('p.updated_at')}, p._row_hash {sql} {order}{limit}", *values)
    due = [Parent(one, at and in_utc(at), row_hash) for one, at, row_hash in rows]
    every = len(due) if most is None or len(due) < most else int(reader.rows(f"SELECT count(*) {sql}", *values)[0][0])
    return due, every


def incomplete_returns(reader: Reader, shop: str) -> pa.Table:
    """Returns that have children of a load that was never completed, as a table `id`: these children tell nothing."""
    return _of_children(
        reader, shop, without=f"{reader.name(LOADS_TABLE)} p WHERE p.load_id = c._dlt_load_id AND p.status = 0"
    )


def without_parent(reader: Reader, shop: str) -> pa.Table:
    """Returns that the warehouse has children of and no row, as a table `id`: somebody has dropped or deleted it."""
    return _of_children(reader, shop, without=f"{reader.name(RETURNS.name)} p WHERE p.shop = c.shop AND p.id = c.return_id")


def _of_children(reader: Reader, shop: str, *, without: str) -> pa.Table:
    sql = " UNION ".join(
        f"SELECT c.return_id FROM {reader.name(child.name)} c WHERE c.shop = %s AND NOT EXISTS (SELECT 1 FROM {without})"
        for child in CHILDREN
    )
    return reader.table(sql, *[shop] * len(CHILDREN), schema=IDS)


def returns_with_children(reader: Reader, shop: str, ids: Iterable[str]) -> pa.Table:
    """Those of the returns that have children in the warehouse, as a table `id`; a return may stand in it more than once."""
    queries = [f"SELECT DISTINCT return_id FROM {reader.name(one.name)} WHERE shop = %s AND {{among}}" for one in CHILDREN]
    return pa.concat_tables(_in_batches(reader, sql, shop, "return_id", ids, schema=IDS) for sql in queries)


def has_rows(reader: Reader, shop: str, tables: Iterable[Table]) -> bool:
    """True when one of the tables has a row of the shop."""
    return any(reader.rows(f"SELECT 1 FROM {reader.name(one.name)} WHERE shop = %s LIMIT 1", shop) for one in tables)


def rows_of(reader: Reader, table: str, shop: str, values: Iterable[str]) -> pa.Table:
    """All rows of a table that belong to these returns, or notices with these ids; undeclared columns as text."""
    declared = arrow_schema(table)
    stored = sorted(reader.columns([table]).get(table, ()))
    schema = pa.schema([(name, declared.field(name).type if name in declared.names else pa.string()) for name in stored])
    if not stored:
        return schema.empty_table()
    columns = ", ".join(
        f"CAST({reader.column(one.name)} AS VARCHAR)"  # JSON as text
        if pa.types.is_string(one.type)
        else (reader.time if pa.types.is_timestamp(one.type) else str)(reader.column(one.name))
        for one in schema
    )
    sql = f"SELECT {columns} FROM {reader.name(table)} WHERE shop = %s AND {{among}}"
    by = TABLES[table].replace_by[-1] if TABLES[table].replace_by else KEYS[table][0]
    return _in_batches(reader, sql, shop, by, values, schema=schema)


def keys_where(reader: Reader, table: str, shop: str, condition: str, values: Sequence[Any]) -> Iterator[pa.Table]:
    """The keys of all rows of a table that are not marked as deleted and for which the condition holds, in parts."""
    names = KEYS[table]
    sql = f"SELECT {', '.join(names)} FROM {reader.name(table)} WHERE shop = %s AND _deleted_at IS NULL AND {condition}"
    return reader.parts(sql, shop, *values, schema=pa.schema([(name, pa.string()) for name in names]))


def mark_deleted(reader: Reader, table: str, shop: str, rows: pa.Table, *, at: datetime) -> None:
    """Sets `_deleted_at` on the rows with these keys, and on all that belongs to rows that have it."""
    this = "(" + " AND ".join(f"{name} = %s" for name in rows.column_names) + ")"
    for batch in rows.to_batches(max_chunksize=_MARKS):
        which = " OR ".join([this] * batch.num_rows)
        values = [value for row in zip(*batch.to_pydict().values(), strict=True) for value in row]
        reader.execute(f"UPDATE {reader.name(table)} SET _deleted_at = %s WHERE shop = %s AND ({which})", at, shop, *values)
    gone = f"SELECT {KEYS[table][0]} FROM {reader.name(table)} WHERE shop = %s AND _deleted_at IS NOT NULL"
    for child in (TABLES[name] for name, parent in PARENTS.items() if parent.name == table):
        where = f"shop = %s AND _deleted_at IS NULL AND {child.replace_by[-1]} IN ({gone})"
        reader.execute(f"UPDATE {reader.name(child.name)} SET _deleted_at = %s WHERE {where}", at, shop, shop)
    for one in (one for one in RESOURCES if one.parent is TABLES[table]):  # should they come back, they are read again
        where = f"shop = %s AND resource = '{one.name}' AND id IN ({gone})"
        reader.execute(f"UPDATE {reader.name(READS.name)} SET _row_hash = NULL WHERE {where}", shop, shop)


def _in_batches(reader: Reader, sql: str, shop: str, column: str, values: Iterable[str], *, schema: pa.Schema) -> pa.Table:
    """The rows of a query on a shop in which `{among}` stands for the condition that a column is one of the values."""
    ordered = sorted(set(values))
    parts = [schema.empty_table()]
    for start in range(0, len(ordered), _BATCH):
        among, parameters = reader.among(column, ordered[start : start + _BATCH])
        parts.append(reader.table(sql.format(among=among), shop, *parameters, schema=schema))
    return pa.concat_tables(parts)
