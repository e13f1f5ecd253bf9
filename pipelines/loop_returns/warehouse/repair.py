"""Makes again what somebody has dropped from the dataset, in such an order that a kill in between loses nothing.

First the fingerprints go of all rows concerned, of every shop, so that they count as unknown until they are read again; then
the state forgets what was read; only then are tables and columns made, empty. So syncs fill them, whenever they come.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from dlt.common.schema import Schema

from loop_returns.api.facts import FIRST_DAY
from loop_returns.api.windows import utc_midnight
from loop_returns.dates import in_utc
from loop_returns.errors import ConfigurationError
from loop_returns.tables.catalog import CHILDREN, TABLES
from loop_returns.tables.resource import Reads
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.dlt_internals import LOADS_TABLE, STATE_TABLE, make_again, sql_client, stored_schema
from loop_returns.warehouse.reader import Reader

Columns = dict[str, set[str]]

# By table: where the fingerprints are of the rows that are to be read again. Without dlt's own tables nothing is remembered.
_READ_AGAIN: Final = {
    **dict.fromkeys((RETURNS.name, *(child.name for child in CHILDREN), LOADS_TABLE, STATE_TABLE), RETURNS.name),
    ASN.name: ASN.name,
    READS.name: READS.name,
    **{table.name: READS.name if one.reads is Reads.EACH else one.table.name for one in RESOURCES for table in one.tables},
}


def dropped(reader: Reader, schema: Schema | None) -> Columns:
    """The columns, by table, that a load has made and the database no longer has; `schema` is dlt's."""
    expected = _expected(schema)
    there = reader.columns(expected)
    if not there.keys() & TABLES.keys():  # before the first load
        return {}
    return {name: lost for name, columns in expected.items() if (lost := columns - there.get(name, set()))}


def repair(target: Target, schema: Schema | None, *, forget: Callable[[set[str], datetime], None]) -> Columns:
    """Makes again what was dropped, and returns it; `schema` is dlt's, None where the state is gone.

    `forget` lets the state forget what was read of these tables since then.

    Raises ConfigurationError where rows were left without their key.
    """
    client: Any = sql_client(target.destination, target.dataset)
    with client:
        reader, schema = Reader(client), _that_made_them(schema or stored_schema(client))
        lost = dropped(reader, schema)
        if schema is not None:
            client.schema = schema
        if lost:
            there = reader.columns(_expected(schema))
            _refuse_lost_keys(reader, lost, there, schema)
            again = {_READ_AGAIN[name] for name in lost if name in _READ_AGAIN}
            for name in again:
                if "_row_hash" in there.get(name, ()):
                    reader.execute(f"UPDATE {reader.name(name)} SET _row_hash = NULL")
            if schema is not None:
                make_again(client, lost.keys() - _READ_AGAIN.keys() | lost.keys() & {LOADS_TABLE, STATE_TABLE})
            if again:
                forget(again, _first_day(reader, there))
            if schema is not None:
                make_again(client, lost.keys())
        with client.with_staging_dataset():
            if schema is not None and client.is_storage_initialized():
                make_again(client, TABLES.keys() & schema.tables.keys())
    return lost


def _expected(schema: Schema | None) -> Columns:
    """The columns of the tables by dlt's schema; the declared ones where it has none."""
    if (schema := _that_made_them(schema)) is None:
        return {name: set(table.names) for name, table in TABLES.items()}
    kept = {name: table for name, table in schema.tables.items() if name in TABLES or name in (LOADS_TABLE, STATE_TABLE)}
    return {name: {key for key, one in table["columns"].items() if "data_type" in one} for name, table in kept.items()}


def _that_made_them(schema: Schema | None) -> Schema | None:
    """None for a schema that was begun anew because the former one is gone: it says nothing of what there was."""
    return schema if schema is not None and RETURNS.name in schema.tables else None


def _first_day(reader: Reader, there: Columns) -> datetime:
    """When the oldest return was submitted: syncs load those from before `start_date` too that changed since."""
    rows = []
    if "created_at" in there.get(RETURNS.name, ()):
        rows = reader.rows(f"SELECT min({reader.time('created_at')}) FROM {reader.name(RETURNS.name)}")
    return max(in_utc(rows[0][0]) if rows and rows[0][0] else utc_midnight(FIRST_DAY), utc_midnight(FIRST_DAY))


def _refuse_lost_keys(reader: Reader, lost: Columns, there: Columns, schema: Schema | None) -> None:
    tables: Mapping[str, Any] = {} if schema is None else schema.tables
    for name in lost.keys() & there.keys() & tables.keys():
        keys = sorted(key for key in lost[name] if not tables[name]["columns"][key].get("nullable", True))
        if keys:
            raise ConfigurationError(
                f"The table {reader.name(name)} has lost {', '.join(keys)}, without which its rows cannot be told apart. "
                f"Drop the table (DROP TABLE {reader.name(name)}), then run the same command again: it makes it anew, "
                "and syncs fill it."
            )
