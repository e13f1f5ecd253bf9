"""Decides, for one load, which copy of each row lands: the newest, with its own children, and only if it says something new.

The questions are about sets (newest of its key, known or not, older or not), so a DuckDB in memory answers them from the
Arrow tables that were read, and from what the warehouse has, as an Arrow table with the columns of `KNOWN`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.dates import in_utc
from loop_returns.tables.catalog import CHILDREN, KEYS, TABLES, arrow_schema
from loop_returns.tables.children import LABELS
from loop_returns.tables.chunk import COPY, LOADED, Chunk, Tables, Tally, columns_of
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import LABEL_CHANGES, STATE_CHANGES
from loop_returns.tables.shipping import ASN

_TIME: Final = pa.timestamp("us", tz="UTC")
# What is known of each row that the warehouse has: `row_hash` is null unless the load that wrote the row was completed,
# and the previous values are, unless it was not: its step may be missing in the history;
# a row that is `outdated` (marked as deleted, or read before what Loop says now) gives way to older copies too
_AS_STORED: Final = (
    ("updated_at", _TIME),
    ("label_updated_at", _TIME),
    ("state", pa.string()),
    ("previous_state", pa.string()),
    ("previous_label_status", pa.string()),
    ("previous_label_updated_at", _TIME),
    ("label_status", pa.string()),
    ("row_hash", pa.string()),
    ("outdated", pa.bool_()),
    ("load_id", pa.string()),
)
KNOWN: Final = {
    name: pa.schema([*((one, pa.string()) for one in KEYS[name]), *_AS_STORED]) for name in (RETURNS.name, ASN.name)
}
IDS: Final = pa.schema([("id", pa.string())])

_LOOKED_AT: Final = ("state", "label_status", "label_updated_at", "_row_hash", COPY, "updated_at")
_CHOOSE: Final = """
CREATE TEMP TABLE copies AS
SELECT {key}, state, label_status, label_updated_at, _row_hash AS hash, _copy AS number,
       coalesce(epoch_us(updated_at), -4611686018427387904) AS time
FROM rows;
CREATE TEMP TABLE newest AS
SELECT c.*, k.id IS NULL AS is_new, k.updated_at, k.label_updated_at AS scanned_at,
       -- what is loaded once more, unchanged, has the same step before it
       CASE WHEN k.state = c.state THEN coalesce(k.previous_state, k.state) ELSE k.state END AS _previous_state,
       k.previous_label_status IS NOT NULL
       AND (c.label_status, c.label_updated_at) IS NOT DISTINCT FROM (k.label_status, k.label_updated_at) AS is_again,
       CASE WHEN is_again THEN k.previous_label_status WHEN NOT is_new THEN coalesce(k.label_status, '') END
       AS _previous_label_status,
       CASE WHEN is_again THEN k.previous_label_updated_at ELSE k.label_updated_at END AS _previous_label_updated_at,
       u.id IS NOT NULL AS is_uncertain,
       NOT is_new AND NOT k.outdated AND k.updated_at IS NOT NULL AND c.time < epoch_us(k.updated_at) AS is_older,
       NOT is_new AND NOT k.outdated AND NOT is_older AND NOT is_uncertain
       AND coalesce(k.row_hash = c.hash, false) AS is_same
FROM (FROM copies QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY time DESC, number DESC) = 1) AS c
LEFT JOIN (SELECT DISTINCT ON ({key}) * FROM known) AS k USING ({key})
LEFT JOIN uncertain AS u ON u.id = c.id;
CREATE TEMP TABLE chosen AS FROM newest WHERE NOT is_older AND NOT is_same;
"""
_CHANGES: Final = """
WITH steps AS (
    SELECT id, previous_state AS state, 0 AS time, 0 AS rank, 0 AS number FROM known
    WHERE previous_state IS NOT NULL
    UNION ALL SELECT id, state, coalesce(epoch_us(updated_at), 0), 1, 0 FROM known
    UNION ALL SELECT c.id, c.state, c.time, 2, number FROM copies AS c LEFT JOIN known AS k USING (id)
    WHERE k.updated_at IS NULL OR c.time >= epoch_us(k.updated_at) OR number IN (SELECT number FROM chosen)
), pairs AS (
    SELECT id, time, state, rank, number, lag(state) OVER w AS before, time < lag(time) OVER w AS is_back
    FROM steps WINDOW w AS (PARTITION BY id ORDER BY rank, time, number)
)
SELECT $shop AS shop, id AS return_id, before AS from_state, state AS to_state, $at AS observed_at,
       CASE WHEN is_back THEN $at ELSE make_timestamptz(greatest(time, 0)) END AS updated_at -- a step back comes last
FROM pairs SEMI JOIN chosen USING (id) WHERE before <> state ORDER BY id, rank, time, number
"""
_LABEL_CHANGES: Final = """
WITH steps AS (
    SELECT {key}, nullif(previous_label_status, '') AS status, previous_label_updated_at AS time, 0 AS rank FROM known
    WHERE previous_label_status IS NOT NULL
    UNION ALL SELECT {key}, label_status, label_updated_at, 1 FROM known
    UNION ALL SELECT {key}, label_status, label_updated_at, 2 FROM chosen
), pairs AS (
    SELECT *, lag(status) OVER w AS before, lag(time) OVER w AS time_before, row_number() OVER w > 1 AS has_before
    FROM steps WINDOW w AS (PARTITION BY {key} ORDER BY rank)
)
SELECT $shop AS shop, $source AS source, id AS return_id, {item} AS line_item_id, before AS from_status,
       time_before AS from_updated_at, coalesce(status, '') AS to_status, $at AS observed_at, time AS updated_at
FROM pairs SEMI JOIN chosen USING ({key})
WHERE has_before AND time IS NOT NULL AND (status, time) IS DISTINCT FROM (before, time_before) ORDER BY {key}, rank
"""
# The days by which the notices of the chosen copies may be found now and were before, whichever time the report filters on;
# and when the latest of these copies was updated, null where one does not say.
_DAYS: Final = """
WITH moments AS (
    SELECT number, unnest([updated_at, scanned_at]) AS moment FROM chosen
    UNION ALL SELECT _copy, unnest([created_at, updated_at, label_updated_at]) FROM returns
    UNION ALL SELECT _copy, updated_at FROM labels
)
SELECT make_timestamp(epoch_us(moment))::DATE AS day, CASE WHEN min(time) > 0 THEN make_timestamptz(max(time)) END
FROM moments JOIN chosen USING (number) WHERE moment IS NOT NULL GROUP BY day
"""


def newest_returns(
    db: duckdb.DuckDBPyConnection,
    pages: Sequence[Tables],
    known: pa.Table | None,
    *,
    shop: str,
    observed_at: datetime,
    uncertain: pa.Table | None = None,
) -> Chunk:
    """The newest copy of every return with its children, tombstones for children that no longer exist, and state changes.

    `pages` have `returns` and its children with copy numbers. Where it is not known what the warehouse has, `known` is None:
    then every return may have had children. So may those in `uncertain`, a table `id`, whatever their rows say.
    """
    with db.cursor() as cursor:  # releases the rows when it is closed
        chosen, tally = _choose(cursor, pages, RETURNS.name, known, uncertain)
        if not chosen.num_rows:
            return Chunk(tally)
        changes = cursor.sql(_CHANGES, params={"shop": shop, "at": observed_at}).to_arrow_table()
        scans = _label_changes(cursor, RETURNS.name, shop, observed_at)
        times = ["updated_at", COPY]
        cursor.register("returns", columns_of(pages, RETURNS.name, ["created_at", "label_updated_at", *times]))
        cursor.register("labels", columns_of(pages, LABELS.name, times))
        days = {day: latest and in_utc(latest) for day, latest in cursor.execute(_DAYS).fetchall()}
    numbers, is_new = chosen["number"].combine_chunks(), chosen["is_new"].combine_chunks()
    stored = chosen["id"] if known is None else chosen["id"].filter(pc.or_(pc.invert(is_new), chosen["is_uncertain"]))
    rows, made = {RETURNS.name: chosen.num_rows}, {}
    for child in CHILDREN:
        found = columns_of(pages, child.name, ["return_id", COPY])
        found = found.filter(pc.is_in(found[COPY], value_set=numbers))
        new = pc.sum(pc.is_in(found[COPY], value_set=numbers.filter(is_new))).as_py() or 0
        tally.count(child.name, rows=found.num_rows, new=new)
        without = stored.filter(pc.invert(pc.is_in(stored, value_set=found["return_id"].combine_chunks())))
        rows[child.name] = found.num_rows + len(without)
        if len(without):
            made[child.name] = tombstones(child.name, without, shop)
    made |= _history({STATE_CHANGES.name: changes, LABEL_CHANGES.name: scans}, rows, tally)
    return Chunk(tally, days, {name: count for name, count in rows.items() if count}, pages, chosen, made)


def newest_notices(
    db: duckdb.DuckDBPyConnection, pages: Sequence[Tables], known: pa.Table | None, *, shop: str, observed_at: datetime
) -> Chunk:
    """The newest copy of every row of the shipping notice report that says something new, and changes of labels."""
    with db.cursor() as cursor:
        chosen, tally = _choose(cursor, pages, ASN.name, known, None)
        if not chosen.num_rows:
            return Chunk(tally)
        scans = _label_changes(cursor, ASN.name, shop, observed_at)
    rows = {ASN.name: chosen.num_rows}
    return Chunk(tally, rows=rows, pages=pages, copies=chosen, made=_history({LABEL_CHANGES.name: scans}, rows, tally))


def missing(db: duckdb.DuckDBPyConnection, stored: pa.Table, seen: Sequence[pa.Table]) -> pa.Table:
    """The rows of `stored` that are in none of the tables `seen`."""
    with db.cursor() as cursor:
        cursor.register("stored", stored)
        cursor.register("seen", pa.concat_tables([stored.slice(0, 0), *seen], promote_options="default"))
        return cursor.sql(f"FROM stored ANTI JOIN seen USING ({', '.join(stored.column_names)})").to_arrow_table()


def _choose(
    db: duckdb.DuckDBPyConnection, pages: Sequence[Tables], name: str, known: pa.Table | None, uncertain: pa.Table | None
) -> tuple[pa.Table, Tally]:
    """The copies to load, and the counts; leaves `copies`, `known` and `chosen` in the database."""
    key = ", ".join(KEYS[name])
    db.register("rows", columns_of(pages, name, [*KEYS[name], *_LOOKED_AT]))
    db.register("known", KNOWN[name].empty_table() if known is None else known)
    db.register("uncertain", IDS.empty_table() if uncertain is None else uncertain)
    for statement in _CHOOSE.format(key=key).strip().split(";")[:-1]:
        db.execute(statement)
    counts: Any = db.execute("SELECT count(*) FILTER (is_same), count(*) FILTER (is_older) FROM newest").fetchone()
    chosen = db.sql(f"SELECT id, is_new, is_uncertain, {', '.join(LOADED)} FROM chosen ORDER BY number").to_arrow_table()
    tally = Tally(unchanged=counts[0], older=counts[1])
    if chosen.num_rows:
        tally.count(name, rows=chosen.num_rows, new=pc.sum(chosen["is_new"]).as_py())
    return chosen, tally


def _label_changes(cursor: duckdb.DuckDBPyConnection, name: str, shop: str, observed_at: datetime) -> pa.Table:
    """What carriers report of the chosen copies, where the warehouse has something else of the row."""
    sql = _LABEL_CHANGES.format(key=", ".join(KEYS[name]), item="return_line_item_id" if name == ASN.name else "''")
    return cursor.sql(sql, params={"shop": shop, "source": name, "at": observed_at}).to_arrow_table()


def _history(seen: Tables, rows: dict[str, int], tally: Tally) -> dict[str, pa.Table]:
    """The rows as their tables take them, those without any left out; adds them to both counts."""
    made = {name: table.cast(arrow_schema(name)) for name, table in seen.items() if table.num_rows}
    for name, table in made.items():
        rows[name] = table.num_rows
        tally.count(name, rows=table.num_rows, new=table.num_rows)
    return made


def tombstones(name: str, parents: pa.ChunkedArray, shop: str) -> pa.Table:
    """One `_removed` row of a table for each of the parents, so that its old rows go."""
    schema, table = arrow_schema(name), TABLES[name]
    last = table.key[-1]
    values = {"shop": shop, "_removed": True, last: 0 if pa.types.is_integer(schema.field(last).type) else ""}
    columns = [
        parents if one.name == table.replace_by[-1] else pa.array([values.get(one.name)] * len(parents), one.type)
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
