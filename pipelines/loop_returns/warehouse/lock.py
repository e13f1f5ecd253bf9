"""One run at a time for each warehouse, because dlt has no lock and two runs wreck each other's packages.

A DuckDB file is locked by a file beside it, as two people may have different data folders; any other destination by a
file in dlt's data folder, which excludes runs on this machine; and PostgreSQL also by an advisory lock in the database,
which excludes runs on other machines, as does a DuckLake whose catalogue is a PostgreSQL: several writers would spoil it.
The system frees all of them when a process dies, so a lock is never left behind.
The advisory lock also ends with its connection, so a run confirms before it writes that it still has it.
The run that holds a lock is described in a file beside it, and in PostgreSQL in the connection's `application_name`.
"""

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from filelock import FileLock, Timeout

from loop_returns.errors import ConfigurationError, LockedError, WarehouseError
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.failures import explain, unwritable

_NAME: Final = "loop-returns"  # how application_name begins
_HOST_LENGTH: Final = 20  # application_name holds 63 bytes in all
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.2  # seconds between attempts
_KEEPALIVE: Final = {  # a connection that broke unseen is noticed within a minute, and an idle one is not taken for that
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_GRANTED: Final = (
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND (l.classid::bigint << 32) | l.objid::bigint = %s"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(frozen=True)
class Holder:
    """A run that holds a lock."""

    command: str
    pid: int
    host: str
    started: datetime

    @property
    def is_alive(self) -> bool:
        """False only if it surely is gone: a process of this machine that no longer exists."""
        if self.host == socket.gethostname() and os.name == "posix":  # elsewhere os.kill would end the process
            try:
                os.kill(self.pid, 0)
            except OSError as error:
                return not isinstance(error, ProcessLookupError)  # another user's process is alive
        return True


@contextmanager
def hold(target: Target, *, command: str, wait: float = 0) -> Iterator[Callable[[], None]]:
    """Holds the warehouse for one run of `command`; yields a function that raises WarehouseError once the lock is lost.

    Raises:
        LockedError: another run holds it, also after `wait` seconds; the error names that run as far as it can be known.
        ConfigurationError: the lock file can't be written, or the database refuses the login.
        WarehouseError: the disk is full, or the database can't be reached.
    """
    me = Holder(command, os.getpid(), socket.gethostname(), datetime.now(UTC).replace(microsecond=0))
    until = time.monotonic() + wait
    with (
        _file_lock(target, me, until),
        # one on a file holds as long as the process lives
        _database_lock(target, me, *target.locked_in, until=until)
        if target.locked_in
        else nullcontext(lambda: None) as confirm,
    ):
        yield confirm


def holder(target: Target) -> Holder | None:
    """The run that works on the warehouse from this machine right now, if there is one. Takes no lock."""
    try:
        run = msgspec.json.decode(_files(target)[1].read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    return run if run.is_alive else None


def _files(target: Target) -> tuple[Path, Path]:
    """The lock, and beside it the description of the run that holds it: others that try the lock may empty its file."""
    lock = target.folder / "run.lock" if target.file is None else target.file.with_name(f"{target.file.name}.lock")
    return lock, lock.with_name(f"{lock.name}.by")


@contextmanager
def _file_lock(target: Target, me: Holder, until: float) -> Iterator[None]:
    path, description = _files(target)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=max(0, until - time.monotonic()), poll_interval=_PAUSE)
    except Timeout:
        for _ in range(_ATTEMPTS):  # a run that has just taken the lock is about to write its description
            if (other := holder(target)) is not None:
                raise _locked(other) from None
            time.sleep(_PAUSE)
        raise _locked(None) from None
    except OSError as error:
        raise unwritable(f"The lock file {path} cannot be written", error, instead="choose another folder") from error
    try:
        with suppress(OSError):  # it only informs others; the lock holds without it
            description.write_bytes(msgspec.json.encode(me))
        yield
    finally:
        description.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _database_lock(target: Target, me: Holder, address: str, what: str, *, until: float) -> Iterator[Callable[[], None]]:
    try:
        import psycopg2  # type: ignore[import-untyped]
    except ImportError as error:  # DuckDB reads the catalogue of a DuckLake without it
        raise ConfigurationError(
            "The lock in PostgreSQL needs psycopg2. Install it: pip install 'dlt[postgres]'."
        ) from error
    name = f"{_NAME}/{me.command}/{me.pid}/{int(me.started.timestamp())}/{me.host[:_HOST_LENGTH]}"
    key = int.from_bytes(hashlib.blake2b(f"{_NAME}|{what}".encode(), digest_size=8).digest(), signed=True)
    try:
        connection = psycopg2.connect(address, application_name=name, **_KEEPALIVE)
    except psycopg2.Error as error:
        raise explain(error, target) from error

    def confirm() -> None:
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 {_GRANTED} AND l.pid = pg_backend_pid()", (key,))
            if cursor.fetchone():
                return
        raise WarehouseError(
            f"The lock on {target.location} was lost, because the database ended the connection that held it (a restart, a "
            "failover, a firewall that ends idle connections). Another run may have begun since, so this one writes nothing "
            "more. Run again: what had been loaded stays, and nothing is skipped."
        )

    with closing(connection):
        connection.autocommit = True  # an open transaction would hold back the database's housekeeping
        _acquire(connection.cursor(), key, until)
        yield confirm


def _acquire(cursor: Any, key: int, until: float) -> None:
    cursor.execute(  # where the server ends idle sessions (PostgreSQL 14 and later), this one is an exception
        "SELECT set_config('idle_session_timeout', '0', false)"
        " WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
    )
    until = max(until, time.monotonic() + _ATTEMPTS * _PAUSE)  # it takes a moment to notice that a killed run is gone
    while time.monotonic() < until:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))
        if cursor.fetchone()[0]:
            return
        time.sleep(_PAUSE)
    cursor.execute(f"SELECT a.application_name {_GRANTED}", (key,))
    row = cursor.fetchone()
    try:
        _, command, pid, started, host = row[0].split("/", 4)
        raise _locked(Holder(command, int(pid), host, datetime.fromtimestamp(int(started), UTC)))
    except (TypeError, ValueError):  # it has just ended, or it is no run of this project
        raise _locked(None) from None


def _locked(by: Holder | None) -> LockedError:
    known = f": `{by.command}`, process {by.pid} on {by.host}, since {by.started:%Y-%m-%d %H:%M:%S} UTC" if by else ""
    return LockedError(
        f"Another run works on this warehouse{known}. "
        "Nothing was changed. Let it end and run again, or queue with --wait SECONDS; two runs on one warehouse would spoil "
        "each other.",
        **(asdict(by) if by else {}),
    )
