"""One run at a time for each warehouse, because dlt has no lock and two runs wreck each other's packages.

What is locked: dlt's working folder on this machine; beside it the DuckDB file itself, as two people may have
different folders; and for PostgreSQL an advisory lock in the database, so that two machines exclude each
other too. The system frees all of them when a process dies, so a lock is never left behind. Who holds it is
written beside the lock, and in PostgreSQL in the connection's `application_name`. Other destinations are locked
for this machine only.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from filelock import FileLock, Timeout

from loop_returns.api.errors import Busy, WarehouseTrouble
from loop_returns.warehouse.dlt_internals import configuration
from loop_returns.warehouse.failures import explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.warehouse.destination import Target

_NAME: Final = "loop-returns"  # how application_name begins
_PATIENCE: Final = 1.0  # seconds for a run that has just taken the lock to say who it is
_TRIES: Final = 5
_HOST_LENGTH: Final = 20  # application_name holds 63 bytes in all


@dataclass(frozen=True)
class Holder:
    """A run that holds a lock, as it introduced itself."""

    command: str
    pid: int
    host: str
    started: datetime

    @property
    def is_alive(self) -> bool:
        """False only if it surely is gone: a process of this machine that no longer exists."""
        if self.host != socket.gethostname() or os.name != "posix":  # elsewhere os.kill would end the process
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's, but there
            return True
        return True


@contextmanager
def hold(target: Target, *, command: str) -> Iterator[None]:
    """Holds the warehouse for one run of `command`.

    Raises:
        Busy: another run holds it; the error names that run as far as it can be known.
        WarehouseTrouble: the lock file can't be written, or the database can't be reached.
    """
    me = Holder(command, os.getpid(), socket.gethostname(), datetime.now(UTC).replace(microsecond=0))
    with ExitStack() as held:
        for path in _files(target):
            held.enter_context(_file_lock(path, me))
        if str(target.destination.destination_type).endswith(".postgres"):
            held.enter_context(_database_lock(target, me))
        yield


def holder(target: Target) -> Holder | None:
    """The run that works on the warehouse from this machine right now, if there is one. Takes no lock."""
    for path in _files(target):
        found = _introduced(path)
        if found is not None and found.is_alive:
            return found
    return None


def _files(target: Target) -> list[Path]:
    """The lock files, always in this order so that two runs cannot wait for each other."""
    beside = [] if target.file is None else [target.file.with_name(f"{target.file.name}.lock")]
    return [*beside, target.folder / "run.lock"]


@contextmanager
def _file_lock(path: Path, me: Holder) -> Iterator[None]:
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise _busy(_wait_for_name(path)) from None
    except OSError as error:
        raise WarehouseTrouble(
            f"The lock file {path} cannot be written: {error.strerror}. "
            "Give this user the right to write there, or choose another folder, and run again."
        ) from error
    try:
        _introduce(path, me)
        yield
    finally:
        _card(path).unlink(missing_ok=True)
        lock.release()


def _card(path: Path) -> Path:
    """Where a lock's holder introduces itself: not in the lock file, which others that try it may empty."""
    return path.with_name(f"{path.name}.by")


def _introduce(path: Path, me: Holder) -> None:
    part = path.with_name(f"{path.name}.{me.pid}")
    with suppress(OSError):  # a courtesy to others; the lock itself holds without it
        part.write_bytes(msgspec.json.encode(me))
        part.replace(_card(path))


def _introduced(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(_card(path).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _wait_for_name(path: Path) -> Holder | None:
    """The holder's name; not that of a dead predecessor, whose card the new holder is about to replace."""
    end = time.monotonic() + _PATIENCE
    while (found := _introduced(path)) is None or not found.is_alive:
        if time.monotonic() > end:
            return None
        time.sleep(0.05)
    return found


@contextmanager
def _database_lock(target: Target, me: Holder) -> Iterator[None]:
    # comes with the extra `postgres`, so it is there when the destination is; it has no types
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = psycopg2.connect(_dsn(target), application_name=_signed(me), keepalives_idle=30)
    except psycopg2.Error as error:
        raise explain(error, target) from error
    try:
        connection.autocommit = True  # an open transaction would hold back the database's housekeeping
        _acquire(connection.cursor(), target)
        yield
    finally:
        connection.close()


def _dsn(target: Target) -> str:
    credentials: Any = configuration(target.destination, target.dataset).credentials
    return str(credentials.to_native_representation())


def _acquire(cursor: Any, target: Target) -> None:
    key = int.from_bytes(hashlib.blake2b(f"{_NAME}|{target.dataset}".encode(), digest_size=8).digest(), signed=True)
    cursor.execute(  # where the server ends idle sessions (PostgreSQL 14 and later), this one is an exception
        "SELECT set_config('idle_session_timeout', '0', false)"
        " WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
    )
    for _ in range(_TRIES):  # the database takes a moment to notice that the connection of a killed run is gone
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))
        if cursor.fetchone()[0]:
            return
        time.sleep(_PATIENCE / _TRIES)
    cursor.execute(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND (l.classid::bigint << 32) | l.objid::bigint = %s"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (key,),
    )
    row = cursor.fetchone()
    raise _busy(None if row is None else _unsigned(row[0]))


def _signed(me: Holder) -> str:
    return f"{_NAME}/{me.command}/{me.pid}/{int(me.started.timestamp())}/{me.host[:_HOST_LENGTH]}"


def _unsigned(text: str) -> Holder | None:
    try:
        name, command, pid, started, host = text.split("/", 4)
        if name == _NAME:
            return Holder(command, int(pid), host, datetime.fromtimestamp(int(started), UTC))
    except ValueError:
        pass
    return None


def _busy(by: Holder | None) -> Busy:
    advice = "Nothing was changed. Let it end and run again; two runs on one warehouse would spoil each other."
    if by is None:
        return Busy(f"Another run works on this warehouse. {advice}")
    return Busy(
        f"Another run works on this warehouse: `{by.command}`, process {by.pid} on {by.host}, "
        f"since {by.started:%Y-%m-%d %H:%M:%S} UTC. {advice}",
        pid=by.pid,
        host=by.host,
        command=by.command,
        started=by.started,
    )
