"""Puts a copy of the DuckDB file in place for readers, so that they and the loads never meet.

DuckDB lets one process write or several read, not both. A copy that is replaced whole, by a rename, has neither locks nor a
half-loaded state: who has it open goes on seeing the old one, who opens it next sees the new one.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from loop_returns.errors import ConfigurationError, DatabaseInUseError, WarehouseError
from loop_returns.warehouse.connection import is_duckdb
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.failures import explain, one_line, unwritable

_ATTEMPTS: Final = 3  # at a copy, while another program writes to the file
_NEXT: Final = "The old copy is untouched, the load itself went well, and the next run publishes again."


def publish(target: Target, path: str) -> Path:
    """Copies the DuckDB file of `target` to `path`, replacing what is there at once, and returns the absolute path.

    Call it when the run's last load is done, while the run still holds its lock. There must be room for a second copy beside
    `path` meanwhile, and for a third while a reader has the old one open. Whatever fails, the old copy stays whole.

    Raises:
        ConfigurationError: as `publish_path`.
        DatabaseInUseError: another program writes to the warehouse meanwhile.
        WarehouseError: no space is left, or the copy can't be written or is not readable.
    """
    goal = publish_path(target, path)
    source = target.file
    assert source is not None  # noqa: S101 # publish_path has refused other destinations
    part = goal.with_name(f".{goal.name}.part")  # always the same: what a killed run left is overwritten
    try:
        if _wal(source).exists():  # what still lies in the write-ahead log goes into the file
            _checkpoint(target)
        _copy(source, part, goal)
        with closing(duckdb.connect(str(part), read_only=True)) as copy:  # DuckDB refuses a file that is not whole
            copy.execute("SELECT count(*) FROM duckdb_tables()")
        _wal(goal).unlink(missing_ok=True)  # somebody wrote into the old copy; DuckDB would replay it onto the new one
        os.replace(part, goal)  # noqa: PTH105 # Path.replace is the same call; this one says that it is atomic
    except OSError as error:
        what = f"The read copy {goal} cannot be put in place. {_NEXT} The cause"
        raise unwritable(what, error, instead="choose another path for `publish`") from error
    except duckdb.Error as error:
        raise WarehouseError(f"The read copy {goal} cannot be put in place: {one_line(error)} {_NEXT}") from error
    finally:
        part.unlink(missing_ok=True)
    return goal


def publish_path(target: Target, path: str) -> Path:
    """The absolute path at which `publish` would put the copy; worth asking before a long run.

    Raises ConfigurationError when the destination is no DuckDB file, or when there should be no copy at that path.
    """
    if target.file is None:
        raise ConfigurationError(
            f"`publish` makes a read copy of a DuckDB file. {target.location} needs none: there, readers and loads do not "
            "wait for each other. Leave the setting and the option `--publish` out, or name a folder for Parquet files, "
            "with `/` at its end."
        )
    goal = Path(path).expanduser().resolve()  # the file a link points to, so that the link stays one
    try:
        wrong = _objection(target.file, goal, datasets=(target.dataset, target.marts or target.dataset))
    except OSError as error:
        wrong = f"it cannot be looked at ({error.strerror})"
    if wrong:
        raise ConfigurationError(f"The read copy cannot be {goal}: {wrong}. Choose another path for `publish`.")
    return goal


def _objection(source: Path, goal: Path, *, datasets: Sequence[str]) -> str | None:
    if not goal.parent.is_dir():
        return "there is no such folder"
    if goal == source or (goal.exists() and goal.samefile(source)):
        return "it is the warehouse itself"
    if goal.stem.lower() in map(str.lower, datasets):
        return f"DuckDB could not tell the file and the dataset `{goal.stem}` apart"
    if goal.exists() and goal.stat().st_size and not is_duckdb(goal):
        return "there is a file of another kind, which would be lost"
    return None


def _copy(source: Path, part: Path, goal: Path) -> None:
    """Copies until the source is seen to have stayed the same meanwhile.

    No connection to the source may be open in this process: on POSIX systems closing the file after the copy would also
    release DuckDB's lock on it.
    """
    free, needed = shutil.disk_usage(goal.parent).free, source.stat().st_size
    if free < needed:
        raise WarehouseError(
            f"There is no space for the read copy {goal}: it takes {needed >> 20:,} MiB beside the old one, and "
            f"{free >> 20:,} MiB are left. Make room there. {_NEXT}"
        )
    for _ in range(_ATTEMPTS):
        before = source.stat()
        shutil.copyfile(source, part)
        after = source.stat()
        unchanged = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
        if unchanged and not _wal(source).exists():
            break
    else:
        raise DatabaseInUseError(
            f"Another program writes to {source} while the read copy is made. Close it there and run again. {_NEXT}"
        )
    if goal.exists():
        shutil.copymode(goal, part)  # who might read the old copy may read the new one
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # before the rename, so that a power failure leaves the old copy or a whole new one


def _checkpoint(target: Target) -> None:
    try:
        with closing(duckdb.connect(str(target.file))) as connection:
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise explain(error, target) from error


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")
