"""Opens the warehouse for reading only: no lock is taken, dlt's working folder is not touched, nothing can be written."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
from dlt.common.exceptions import DltException
from dlt.common.schema import Schema
from dlt.dataset.utils import get_destination_clients

from loop_returns.api.errors import WarehouseHeld, WarehouseTrouble
from loop_returns.runs.warehouse import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.runs.destination import Target

_PATIENCE: Final = 10.0  # seconds to wait for a load that has the DuckDB file open


@contextmanager
def reading(target: Target) -> Iterator[Any]:
    """dlt's client of the destination, connected; `client.sql_client` asks it.

    Raises WarehouseHeld when a program keeps writing to the DuckDB file, WarehouseTrouble when it can't be read.
    """
    try:
        if target.file is None:
            yield from _connected(target.destination, target.dataset)
            return
        with closing(_open_duckdb(target.file)) as connection:
            yield from _connected(dlt.destinations.duckdb(connection), target.dataset)
    except (DltException, duckdb.Error, OSError) as error:
        line = " ".join(str(error).split())[:300].rstrip(".")
        raise WarehouseTrouble(
            f"The warehouse {target.location} cannot be read: {line}. "
            "See that it is up and that this user may read it, and ask again."
        ) from error


def _connected(destination: Any, dataset: str) -> Iterator[Any]:
    client: Any = get_destination_clients(Schema(SOURCE), destination, dataset)[0]
    with client, client.sql_client:
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
