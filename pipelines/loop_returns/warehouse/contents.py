"""What the warehouse holds, row by row: what is known of keys that were read, whole rows, and the mark of what is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import sqlglot

from loop_returns.tables.catalog import CHILDREN, arrow_schema
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.deduplicate import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loop_returns.warehouse.deduplicate import Key
    from loop_returns.warehouse.load import Warehouse

_BATCH: Final = 10_000  # keys in one lookup: each costs a scan, and databases accept no endless lists
_BETWEEN: Final = ","
_MARKS: Final = 200  # keys in one update
_TABLE: Final = "loop_returns_table_"  # stands for `{0}` while sqlglot reads a statement
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def known_returns(warehouse: Warehouse, shop: str, ids: Iterable[str]) -> dict[Key, Known]:
    """What the warehouse has of these returns, by (`id`,)."""
    found: dict[Key, Known] = {}
    for batch in _batches(sorted(set(ids))):
        rows = warehouse.query(
            "SELECT r.id, r.updated_at, r.state, CASE WHEN l.status = 0 THEN r._row_hash END, r._deleted_at,"
            " r._previous_state, r.label_updated_at FROM {} r LEFT JOIN {} l ON l.load_id = r._dlt_load_id"
            f" WHERE r.shop = {quoted(shop)} AND r.id IN ({_among(warehouse, batch)})",
            "returns",
            "_dlt_loads",
        )
        for one, updated, state, row_hash, deleted, previous, label in rows:
            times = _micros(updated), _micros(label)
            found[(one,)] = Known(times[0], state, row_hash, deleted is not None, previous, times[1])
    return found


def torn_returns(warehouse: Warehouse, shop: str) -> set[str]:
    """Returns that have children of a load that was never completed: their own row may not be there yet."""
    one = (
        "SELECT c.return_id FROM {} c LEFT JOIN {} l ON l.load_id = c._dlt_load_id AND l.status = 0"
        f" WHERE c.shop = {quoted(shop)} AND l.load_id IS NULL"
    )
    names = [name for child in CHILDREN for name in (child.name, "_dlt_loads")]
    return {str(row[0]) for row in warehouse.query(" UNION ".join([one] * len(CHILDREN)), *names)}


def orphaned_returns(warehouse: Warehouse, shop: str) -> set[str]:
    """Returns that have children and no row of their own, as when somebody has deleted it by hand."""
    one = (
        "SELECT c.return_id FROM {} c LEFT JOIN"
        f" (SELECT id FROM {{}} WHERE shop = {quoted(shop)}) r ON r.id = c.return_id"
        f" WHERE c.shop = {quoted(shop)} AND r.id IS NULL"
    )
    names = [name for child in CHILDREN for name in (child.name, RETURNS.name)]
    return {str(row[0]) for row in warehouse.query(" UNION ".join([one] * len(CHILDREN)), *names)}


def known_notices(warehouse: Warehouse, shop: str, ids: Iterable[str]) -> dict[Key, Known]:
    """What the warehouse has of these rows of the shipping notice report, by (`id`, `return_line_item_id`)."""
    found: dict[Key, Known] = {}
    for batch in _batches(sorted(set(ids))):
        rows = warehouse.query(
            "SELECT r.id, r.return_line_item_id, r.updated_at, r.state,"
            " CASE WHEN l.status = 0 THEN r._row_hash END, r._deleted_at"
            " FROM {} r LEFT JOIN {} l ON l.load_id = r._dlt_load_id"
            f" WHERE r.shop = {quoted(shop)} AND r.id IN ({_among(warehouse, batch)})",
            "advanced_shipping_notices",
            "_dlt_loads",
        )
        for one, item, updated, state, row_hash, deleted in rows:
            found[(one, item)] = Known(_micros(updated), state, row_hash, deleted is not None)
    return found


def rows_of(warehouse: Warehouse, table: str, shop: str, column: str, values: Iterable[str]) -> pa.Table:
    """All rows of a table in which `column` has one of the values, as they are in the warehouse."""
    schema = arrow_schema(table)
    found = [schema.empty_table()]
    known = warehouse.pipeline.default_schema.tables.get(table) if warehouse.pipeline.default_schema_name else None
    if known is None:
        return found[0]
    with warehouse.explained(), warehouse.pipeline.sql_client() as client:
        columns = {name: str(hint["data_type"]) for name, hint in known["columns"].items() if "data_type" in hint}
        names = ", ".join(_readable(client.escape_column_name(name), kind) for name, kind in columns.items())
        where = client.make_qualified_table_name(table)
        for batch in _batches(sorted(set(values))):
            sql = f"SELECT {names} FROM {where} WHERE shop = {quoted(shop)} AND {column} IN ({_list(batch)})"
            with client.execute_query(sql.replace("{{", "{").replace("}}", "}")) as cursor:
                found.append(_table(list(columns), cursor.fetchall(), schema))
    return pa.concat_tables(found, promote_options="default")


def mark_deleted(
    warehouse: Warehouse, table: str, shop: str, key: Sequence[str], rows: Sequence[tuple[str, ...]], *, at: datetime
) -> None:
    """Sets `_deleted_at` on the rows with these keys."""
    for start in range(0, len(rows), _MARKS):
        batch = rows[start : start + _MARKS]
        which = " OR ".join(
            "(" + " AND ".join(f"{k} = {quoted(v)}" for k, v in zip(key, row, strict=True)) + ")" for row in batch
        )
        sql = f"UPDATE {{0}} SET _deleted_at = {moment(at)} WHERE shop = {quoted(shop)} AND ({which})"
        with warehouse.explained(), warehouse.pipeline.sql_client() as client:
            client.execute_sql(portable(warehouse, sql).format(client.make_qualified_table_name(table)))


def portable(warehouse: Warehouse, sql: str) -> str:
    """The statement, written for DuckDB, in the destination's own dialect. `{0}` stays as it is."""
    dialect = warehouse.target.destination.capabilities().sqlglot_dialect
    if dialect in (None, "duckdb"):
        return sql
    tree = sqlglot.parse_one(sql.replace("{0}", _TABLE), read="duckdb")
    return tree.sql(dialect=dialect).replace(_TABLE, "{0}")


def _among(warehouse: Warehouse, values: Sequence[str]) -> str:
    """What stands in `IN (…)`: the values; for DuckDB in one literal, as thousands take it several times as long."""
    if warehouse.target.file is None or any(_BETWEEN in value for value in values):
        return _list(values)
    return f"SELECT unnest(string_split({quoted(_BETWEEN.join(values))}, {quoted(_BETWEEN)}))"


def _list(values: Sequence[str]) -> str:
    return ", ".join(quoted(value) for value in values)


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _readable(column: str, kind: str) -> str:
    """JSON as text: drivers differ in what they make of it."""
    return f"CAST({column} AS VARCHAR)" if kind == "json" else column


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows of a query as an Arrow table with the declared types; other columns as text."""
    made = {}
    for position, name in enumerate(columns):
        kind = schema.field(name).type if name in schema.names else pa.string()
        made[name] = pa.array([row[position] for row in rows], kind)
    return pa.table(made)


def quoted(value: str) -> str:
    """The text as an SQL literal; `{` is doubled, as `query` formats the statement."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def moment(value: datetime) -> str:
    """The moment as an SQL expression in DuckDB's dialect."""
    return f"CAST('{value.isoformat()}' AS TIMESTAMPTZ)"


def _micros(value: Any) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND
