"""Opens a DuckDB file, waiting a little for another program that has it open, and keeps it within bounds for loads."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

_HEADERS: Final = 3 * 4096  # bytes of an empty DuckDB file
_MAGIC: Final = slice(8, 12)  # where a DuckDB file says `DUCK`: duckdb.org/docs/stable/internals/storage
_PATIENCE: Final = 10.0  # seconds to wait for another program that has the DuckDB file open
# A processor is left to those who read. Without the order of insertion DuckDB need not write to disk what does not fit into
# its memory, and read it again; a checkpoint within each commit would write the same rows several times.
# Its progress bar would stand in front of a result as JSON.
_LIMITS: Final = (
    "SET threads = 1; SET preserve_insertion_order = false; SET checkpoint_threshold = '1GB'; "
    "SET enable_progress_bar = false"
)
_LOG: Final = 256_000_000  # bytes, with as much in temporary files; a checkpoint after each load took a sixth of a run


def open_duckdb(file: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to the file; waits a little for another program that has it open. Raises duckdb.Error."""
    wait = Retrying(
        retry=retry_if_exception(is_in_use), stop=stop_after_delay(_PATIENCE), wait=wait_fixed(0.2), reraise=True
    )
    return wait(duckdb.connect, str(file), read_only=read_only)


def open_for_loads(file: Path, *, megabytes: int) -> duckdb.DuckDBPyConnection:
    """A connection for loads, which take so much memory at most. Raises duckdb.Error."""
    connection = open_duckdb(file)
    connection.execute(f"{_LIMITS}; SET memory_limit = '{megabytes}MB'")
    return connection


def write_log(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Has DuckDB write what its log holds to the file, once that is much: rows at the end are written anew each time."""
    log = Path(f"{file}.wal")
    if log.exists() and log.stat().st_size > _LOG:
        with suppress(duckdb.TransactionException):  # somebody looks at it: the next one does it
            connection.execute("CHECKPOINT")


def close_after_loads(connection: duckdb.DuckDBPyConnection) -> None:
    """Closes the file; what is left to be written is written with all processors."""
    with suppress(duckdb.Error):  # a broken database refuses
        connection.execute("RESET threads")
    with suppress(duckdb.Error):
        connection.close()


def is_in_use(error: BaseException) -> bool:
    """True when DuckDB could not open a file because another program has it open."""
    return isinstance(error, duckdb.IOException) and ("lock" in str(error) or "used by another process" in str(error))


def is_duckdb(file: Path) -> bool:
    """True for a file that begins like a DuckDB database."""
    with file.open("rb") as opened:
        return opened.read(_MAGIC.stop)[_MAGIC] == b"DUCK"


def remove_unfinished(file: Path) -> None:
    """Removes a database that a full disk or a kill left half begun: it holds nothing, and nothing can open it."""
    if file.is_file() and file.stat().st_size < _HEADERS and (not file.stat().st_size or is_duckdb(file)):
        file.unlink()
