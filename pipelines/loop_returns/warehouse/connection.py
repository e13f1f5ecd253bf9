"""Keeps a DuckDB file open for longer than one of dlt's statements, and says how much it may take meanwhile.

Elsewhere than in a DuckDB file all of this does nothing.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import duckdb
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from loop_returns.warehouse.failures import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.warehouse.destination import Target

_HEADERS: Final = 3 * 4096  # bytes of an empty DuckDB file
_PATIENCE: Final = 10.0  # seconds to wait for another program that has the DuckDB file open
_ADDING: Final = 1.0  # megabytes for DuckDB for each column of the widest table, in the chunk and in the warehouse
_REPLACING: Final = 4.5  # likewise: several times what it needs to replace rows all over millions (a quarter was too little)
_SPARING: Final = 400  # megabytes with which checks of millions of rows take no longer than with a gigabyte


class HeldFile:
    """The file of a target, closed at first.

    Open, it keeps readers from slipping in between two of dlt's own connections, and spares dlt to open it for each
    statement, which takes several times as long.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._columns = 0
        self._drop_stump()

    @property
    def is_open(self) -> bool:
        """True between `hold` and `release`, and within `held`."""
        return self._connection is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Open meanwhile, if it is there. Waits briefly for a reader; raises WarehouseHeld when it does not let go."""
        if self.is_open or not self._exists():
            yield
            return
        self._open()
        try:
            yield
        finally:
            self.release()

    def hold(self, *, columns: int, make: bool) -> None:
        """Opens it until `release` for loads beside which pages are read; with `make` also a new file.

        DuckDB leaves the other processors alone, and holds no more in memory than it needs to look up rows and to add some;
        `columns` are those of the widest tables. Raises WarehouseHeld like `held`.
        """
        if self._target.file is None or not (make or self._exists()):
            return
        connection = self._connection or self._open()
        self._columns = columns
        connection.execute(f"SET threads = 1; SET memory_limit = '{round(_ADDING * columns)}MB'")

    def allow(self) -> None:
        """Where it is open after `hold`, DuckDB gets the memory that it takes to replace rows, until the next `hold`."""
        if self._connection is not None and self._columns:
            self._connection.execute(f"SET memory_limit = '{round(_REPLACING * self._columns)}MB'")

    def spare(self) -> None:
        """Where it is open, DuckDB holds little in memory until it is closed, and works beside the file instead."""
        if self._connection is not None:
            self._connection.execute(f"SET memory_limit = '{_SPARING}MB'")

    def release(self) -> None:
        """Closes it, so that others get at it."""
        connection, self._connection, self._columns = self._connection, None, 0
        if connection is not None:
            with suppress(duckdb.Error):  # what is left to write is written with all there is; a broken database says no
                connection.execute("RESET threads")
            connection.close()

    def _exists(self) -> bool:
        return self._target.file is not None and self._target.file.exists()

    def _open(self) -> duckdb.DuckDBPyConnection:
        tries = Retrying(
            retry=retry_if_exception_type(duckdb.IOException),
            stop=stop_after_delay(_PATIENCE),
            wait=wait_fixed(0.2),
            reraise=True,
        )
        try:
            self._connection = tries(lambda: duckdb.connect(str(self._target.file)))
        except duckdb.Error as error:
            raise explain(error, self._target) from error
        return self._connection

    def _drop_stump(self) -> None:
        """Removes a file that a full disk or a kill left half begun: nothing is in it, and nothing can open it."""
        file = self._target.file
        if file is None or not file.is_file() or file.stat().st_size >= _HEADERS:
            return
        if file.read_bytes()[8:12] == b"DUCK":  # nobody else's small file
            file.unlink()
