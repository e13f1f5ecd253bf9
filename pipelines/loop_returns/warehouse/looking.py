"""Looks into the warehouse without writing anything, taking a lock or touching dlt's working folder."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
from dlt.common.schema import Schema
from dlt.common.versioned_state import decompress_state
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns.api.errors import LoopReturnsError, WarehouseHeld, WarehouseTrouble
from loop_returns.warehouse.load import PIPELINE, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.warehouse.destination import Target

_PATIENCE: Final = 10.0  # seconds to wait for a load that has the DuckDB file open


@contextmanager
def reading(target: Target) -> Iterator[Any]:
    """dlt's client of the destination, connected; DuckDB's file is opened for reading only."""
    try:
        if target.file is None:
            yield from _connected(target.destination, target.dataset)
            return
        with closing(_open_duckdb(target.file)) as connection:
            yield from _connected(dlt.destinations.duckdb(connection), target.dataset)
    except LoopReturnsError:
        raise
    except Exception as error:  # each destination has errors of its own
        line = " ".join(str(error).split())[:300].rstrip(".")
        raise WarehouseTrouble(
            f"The warehouse {target.location} cannot be read: {line}. "
            "See that it is up and that this user may read it, and ask again."
        ) from error


def _connected(destination: Any, dataset: str) -> Iterator[Any]:
    client: Any = get_destination_clients(Schema(SOURCE), destination, dataset)[0]
    with client.sql_client:
        yield client


def _open_duckdb(file: Path) -> duckdb.DuckDBPyConnection:
    """A connection that cannot write; waits a little for a load that has the file open."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return duckdb.connect(str(file), read_only=True)
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() > end:
                raise WarehouseHeld(
                    f"A program is writing to {file}, and DuckDB lets nobody read meanwhile. If it is a run of "
                    "loop-returns, ask again when it has ended; readers can use a read copy (see `--publish`)."
                ) from error
        time.sleep(0.2)


def memory_of(client: Any, shop: str) -> dict[str, Any]:
    """What dlt's state in the warehouse holds about the shop: the cursor and unfinished backfills."""
    try:
        stored = client.get_stored_state(PIPELINE)
    except DatabaseUndefinedRelation:
        return {}
    if stored is None:
        return {}
    state: dict[str, Any] = dict(decompress_state(stored.state))
    shops: dict[str, Any] = state.get("sources", {}).get(SOURCE, {}).get("shops", {})
    return dict(shops.get(shop, {}))


def query(client: Any, sql: str, table: str) -> list[tuple[Any, ...]]:
    """Rows of a query in which `{0}` stands for the table; none where it is not there yet."""
    try:
        with client.sql_client.execute_query(sql.format(client.sql_client.make_qualified_table_name(table))) as cursor:
            return list(cursor.fetchall())
    except DatabaseUndefinedRelation:
        return []
