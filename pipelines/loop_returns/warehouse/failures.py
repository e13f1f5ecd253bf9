"""Says in one paragraph what went wrong at the destination and what to do next."""

import errno
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Final

from loop_returns.errors import ConfigurationError, DatabaseInUseError, LoopReturnsError, WarehouseError

if TYPE_CHECKING:
    from loop_returns.warehouse.destination import Target

_NEXT: Final = "Nothing is lost: the next run goes on from here."
_IN_USE: Final = re.compile(
    r"Could not set lock on file.*?Conflicting lock is held in (?P<holder>.*?)(?: \(PID (?P<pid>\d+)\))", re.DOTALL
)
_FULL: Final = re.compile("No space left on device|disk (is )?full|could not extend file|quota exceeded", re.IGNORECASE)
_LASTING: Final = {  # what a file system says until somebody changes something
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
_CAUSES: Final = (  # what the messages contain, what that means, the next step, and whose turn it is
    (
        "authentication failed|no pg_hba.conf entry|(role|database) .* does not exist|no password supplied"
        "|incorrect username or password",
        "The warehouse {where} refuses the login: {last}",
        "Correct the destination's credentials and run again.",
        ConfigurationError,
    ),
    (
        "Name or service not known|nodename nor servname|No address associated",
        "There is no host for the warehouse {where}: {last}",
        "Correct the host in the destination's credentials and run again.",
        ConfigurationError,
    ),
    (
        "not a valid DuckDB database|database file with version number|Corrupt database file|Could not read enough bytes",
        "The file of the warehouse {where} cannot be read as a database: {last}",
        "Choose another file, or move this one away or put a copy in its place, and run again: without it all is read anew.",
        ConfigurationError,
    ),
    (
        "Permission denied|read-only(?! transaction)|not authorized|must be owner|insufficient privilege",
        "The warehouse {where} refuses what this user needs: {last}",
        "Give this user the right to read and write there, or choose another place, and run again.",
        ConfigurationError,
    ),
    (
        "Connection refused|could not connect|connection to server|server closed the connection|timeout expired"
        "|terminating connection|Temporary failure in name resolution|read-only transaction",  # the last: a failover
        "The warehouse {where} cannot be reached: {last}",
        "See that it is up, and run again.",
        WarehouseError,
    ),
    (
        "",
        "Work on the warehouse {where} failed: {last}",
        "Run again; if it fails again, run with --debug and report what it prints.",
        WarehouseError,
    ),
)


def explain(error: BaseException, target: "Target") -> LoopReturnsError:
    """The error of this project that stands for `error`, an exception of dlt or of the database."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, LoopReturnsError):
            return one
    text = "\n".join(str(one) for one in chain)
    if user := _IN_USE.search(text):
        return DatabaseInUseError(
            f"The DuckDB file {target.file} is open in another program ({user['holder'].strip()}, process {user['pid']}). "
            "DuckDB lets nobody write meanwhile. Close it there (a BI tool, a notebook, a shell) and run again, or let "
            f"readers use a read copy (see `--publish`). {_NEXT}"
        )
    if _FULL.search(text):
        local = target.file is not None or any(isinstance(one, OSError) for one in chain)
        full = _full_disk(target, named="\n".join([text, *(str(getattr(one, "filename", "")) for one in chain)]))
        where = full if local else f"on the disk of the database server {target.location}. Make room there"
        return WarehouseError(f"No space is left {where} and run again. {_NEXT}")
    what, advice, kind = next(
        (what, advice, kind) for words, what, advice, kind in _CAUSES if re.search(words, text, re.IGNORECASE)
    )
    where = str(target.file or target.location)
    return kind(f"{what.format(where=where, last=one_line(chain[-1]))} {advice} {_NEXT}")


def _full_disk(target: "Target", *, named: str) -> str:
    """Which disk of this machine has no room: the one in whose path an error occurred, otherwise the one with the least."""
    places = {
        target.folder: "or set DLT_DATA_DIR to a folder on another disk",
        Path(tempfile.gettempdir()): "or set TMPDIR to a folder on another disk",
    }
    if target.file is not None:
        places = {target.file: "or choose another file with --database"} | places

    def free(place: Path) -> int:
        return shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists())).free

    place = next((place for place in places if str(place) in named), min(places, key=free))
    return f"on the disk of {place}. Make room there, {places[place]},"


def unwritable(what: str, error: OSError, *, instead: str) -> LoopReturnsError:
    """What stands for a place that cannot be written: rights and paths are the operator's to change, a full disk passes."""
    lasting = error.errno in _LASTING
    cure = "Give this user the right to write there" if lasting else "Make room there"
    kind = ConfigurationError if lasting else WarehouseError
    return kind(f"{what}: {error.strerror}. {cure}, or {instead}, and run again.")


def one_line(error: BaseException | str) -> str:
    """What the error says, as one line that fits a paragraph and ends with a full stop."""
    return shorten(str(error), 300, placeholder="…").rstrip(".") + "."


def is_out_of_memory(error: BaseException) -> bool:
    """True when DuckDB needed more memory than its limit."""
    return any(re.search("Out of Memory|could not (allocate|pin) block", str(one)) for one in _chain(error))


def was_interrupted(error: BaseException) -> bool:
    """True when the error only wraps a signal: dlt does that while it loads, and DuckDB while it works on a query."""
    return any(isinstance(one, KeyboardInterrupt) or "Query interrupted" in str(one) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exception", None)
        error = error.__cause__ or error.__context__ or (inner if isinstance(inner, BaseException) else None)
