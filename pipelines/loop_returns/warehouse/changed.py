"""Decides, for one load of another resource, which rows say something new: by fingerprint, as these carry no newer time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.tables.catalog import arrow_schema
from loop_returns.tables.chunk import COPY, Chunk, Tables, Tally, columns_of
from loop_returns.tables.resource import Resource
from loop_returns.tables.runs import READS
from loop_returns.warehouse.deduplicate import tombstones

# what the warehouse has of each id: no fingerprint where the load was never completed, or the row is marked as deleted
FINGERPRINTS: Final = pa.schema([("id", pa.string()), ("row_hash", pa.string())])
_CHOOSE: Final = """
SELECT n.{key} AS id, n._copy AS number, k.id IS NULL AS is_new,
       coalesce(k.row_hash = n._row_hash, false) AS is_same
FROM (FROM rows QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _copy DESC) = 1) AS n
LEFT JOIN (SELECT DISTINCT ON (id) * FROM known) AS k ON k.id = n.{key}
ORDER BY number
"""


def changed_rows(
    db: duckdb.DuckDBPyConnection, resource: Resource, pages: Sequence[Tables], known: pa.Table, *, shop: str
) -> Chunk:
    """The newest copy of every row that is not as the warehouse has it, with its children."""
    table = resource.table
    newest = _newest(db, columns_of(pages, table.name, [table.key[-1], "_row_hash", COPY]), table.key[-1], known)
    chosen = newest.filter(pc.invert(newest["is_same"]))
    tally = Tally(unchanged=newest.num_rows - chosen.num_rows)
    if not chosen.num_rows:
        return Chunk(tally)
    tally.count(table.name, rows=chosen.num_rows, new=pc.sum(chosen["is_new"]).as_py())
    rows, made = _sets(resource, pages, chosen, tally, shop=shop)
    return Chunk(tally, rows={table.name: chosen.num_rows, **rows}, pages=pages, copies=chosen, made=made)


def changed_sets(
    db: duckdb.DuckDBPyConnection,
    resource: Resource,
    pages: Sequence[Tables],
    known: pa.Table,
    *,
    shop: str,
    at: datetime | None,
) -> Chunk:
    """All rows of every parent of which one is not as the warehouse has it; and that each of the parents was read."""
    notes = pa.concat_tables([page[READS.name] for page in pages])
    newest = _newest(db, notes.select(["id", "_row_hash", COPY]), "id", known)
    chosen = newest.filter(pc.invert(newest["is_same"]))
    tally = Tally(unchanged=newest.num_rows - chosen.num_rows)
    rows, made = _sets(resource, pages, chosen, tally, shop=shop)
    read = notes.filter(pc.is_in(notes[COPY], value_set=newest["number"].combine_chunks())).drop_columns([COPY])
    times = pa.array([at] * read.num_rows, arrow_schema(READS.name).field("read_at").type)
    made[READS.name] = read.set_column(read.schema.get_field_index("read_at"), "read_at", times)
    sets = [{one.name: page[one.name] for one in resource.tables if one.name in page} for page in pages]
    return Chunk(tally, rows={**rows, READS.name: read.num_rows}, pages=sets, copies=chosen, made=made)


def _newest(db: duckdb.DuckDBPyConnection, rows: pa.Table, key: str, known: pa.Table) -> pa.Table:
    with db.cursor() as cursor:
        cursor.register("rows", rows)
        cursor.register("known", known)
        return cursor.sql(_CHOOSE.format(key=key)).to_arrow_table()


def _sets(
    resource: Resource, pages: Sequence[Tables], chosen: pa.Table, tally: Tally, *, shop: str
) -> tuple[dict[str, int], dict[str, pa.Table]]:
    """How many rows of sets come with the chosen copies, by table, and tombstones for sets that have none."""
    rows: dict[str, int] = {}
    made: dict[str, pa.Table] = {}
    numbers = chosen["number"].combine_chunks()
    for table in resource.tables:
        if not table.replace_by or not chosen.num_rows:
            continue
        parent = table.replace_by[-1]
        found = columns_of([page for page in pages if table.name in page], table.name, [parent, COPY])
        found = found.filter(pc.is_in(found[COPY], value_set=numbers))
        new = pc.sum(pc.is_in(found[COPY], value_set=numbers.filter(chosen["is_new"].combine_chunks()))).as_py() or 0
        tally.count(table.name, rows=found.num_rows, new=new)
        none = chosen["id"].filter(pc.invert(pc.is_in(chosen["id"], value_set=found[parent].combine_chunks())))
        rows[table.name] = found.num_rows + len(none)
        if len(none):
            made[table.name] = tombstones(table.name, none, shop)
    return {name: count for name, count in rows.items() if count}, made
