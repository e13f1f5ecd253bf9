"""Opens a DuckDB file, waiting a little for another program that has it open; and tells such files from others."""

from pathlib import Path
from typing import Final

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

_HEADERS: Final = 3 * 4096  # bytes of an empty DuckDB file
_MAGIC: Final = slice(8, 12)  # where a DuckDB file says `DUCK`: duckdb.org/docs/stable/internals/storage
_PATIENCE: Final = 10.0  # seconds to wait for another program that has the DuckDB file open


def open_duckdb(file: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to the file; waits a little for another program that has it open. Raises duckdb.Error."""
    wait = Retrying(
        retry=retry_if_exception(is_in_use), stop=stop_after_delay(_PATIENCE), wait=wait_fixed(0.2), reraise=True
    )
    return wait(duckdb.connect, str(file), read_only=read_only)


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
