"""Keeps a DuckDB file open for a whole run: dlt opens it for each statement, which takes as long as the statements.

Elsewhere than in a DuckDB file all of this does nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import duckdb
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from loop_returns.warehouse.failures import explain

if TYPE_CHECKING:
    from loop_returns.warehouse.destination import Target

_HEADERS: Final = 3 * 4096  # bytes of an empty DuckDB file
_PATIENCE: Final = 10.0  # seconds to wait for another program that has the DuckDB file open
# With that much DuckDB replaces 100,000 of 2,000,000 returns as fast as with more; a processor is left to those who read.
_LIMITS: Final = "SET threads = 1; SET memory_limit = '250MB'"


class OpenFile:
    """The DuckDB file of a target, closed at first."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._remove_stump()

    def open(self, *, make: bool) -> None:
        """Opens it until `close`; a new one only with `make`. Raises WarehouseHeld when a reader does not let go."""
        file = self._target.file
        if self._connection is not None or file is None or not (make or file.exists()):
            return
        wait = Retrying(
            retry=retry_if_exception_type(duckdb.IOException),
            stop=stop_after_delay(_PATIENCE),
            wait=wait_fixed(0.2),
            reraise=True,
        )
        try:
            self._connection = wait(lambda: duckdb.connect(str(file)))
        except duckdb.Error as error:
            raise explain(error, self._target) from error
        self._connection.execute(_LIMITS)

    def close(self) -> None:
        """Closes it, so that others get at it, and a database that broke can be opened anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):  # a broken database says no
                connection.execute("RESET threads")  # what is left to write is written with all processors
            with suppress(duckdb.Error):
                connection.close()

    def _remove_stump(self) -> None:
        """Removes a file that a full disk or a kill left half begun: nothing is in it, and nothing can open it."""
        file = self._target.file
        if file is None or not file.is_file() or file.stat().st_size >= _HEADERS:
            return
        if file.read_bytes()[8:12] == b"DUCK":  # nobody else's small file
            file.unlink()
