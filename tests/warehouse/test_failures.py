"""What went wrong at the warehouse is named by what to do: exit code 2 where the operator must act, 1 where it may pass."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from loop_returns.errors import ConfigurationError, WarehouseError
from loop_returns.warehouse.destination import Target, find_target
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.load import Warehouse
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.reader import looking

FULL = OSError(errno.ENOSPC, "No space left on device")
PASSING = {
    "refused": 'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
    "restarting": 'connection to server at "db" failed: FATAL:  the database system is starting up',
    "busy": 'connection to server at "db" failed: FATAL:  sorry, too many clients already',
    "name service away": 'could not translate host name "db" to address: Temporary failure in name resolution',
    "failover": "cannot execute INSERT in a read-only transaction",
    "unknown": "the database has a bad day",
}
LASTING = {
    "password": 'connection to server at "db" failed: FATAL:  password authentication failed for user "loader"',
    "not let in": 'FATAL: no pg_hba.conf entry for host "10.0.0.2", user "loader", database "dw", no encryption',
    "unknown host": 'could not translate host name "bd" to address: Name or service not known',
    "rights": "permission denied for schema loop_returns",
    "another's table": "must be owner of table returns",
    "no database file": "IO Error: The file “x.duckdb” exists, but it is not a valid DuckDB database file!",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret-word@127.0.0.1:9/none")
    return find_target(destination="postgres")


@pytest.mark.parametrize("what", PASSING)
def test_what_may_pass(server: Target, what: str) -> None:
    """What the next run may find in order is exit code 1."""
    error = explain(psycopg2.OperationalError(PASSING[what]), server)
    assert (type(error), error.exit_code) == (WarehouseError, 1)


@pytest.mark.parametrize("what", LASTING)
def test_what_lasts(server: Target, what: str) -> None:
    """What stays wrong until somebody changes something is exit code 2, and the message says what the database said."""
    error = explain(psycopg2.OperationalError(LASTING[what]), server)
    assert (type(error), error.exit_code) == (ConfigurationError, 2)
    assert LASTING[what][:30] in error.message
    assert "run again" in error.message


@pytest.mark.parametrize(("user", "database"), [("nobody_here", "postgres"), ("postgres", "nowhere")])
def test_a_login_that_is_refused(postgres: str, user: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real PostgreSQL that does not know the user or the database must be given another one, to read as to write."""
    address = postgres.replace("//postgres:unused", f"//{user}:secret-word").replace("/postgres?", f"/{database}?")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    with (
        pytest.raises(ConfigurationError, match="login") as caught,
        hold(find_target(destination="postgres"), command="sync"),
    ):
        pass
    assert "secret-word" not in caught.value.message
    with pytest.raises(ConfigurationError, match="login"), looking(find_target(destination="postgres")):
        pass


def test_a_file_that_is_no_database(home: Path) -> None:
    """A file of another kind where the warehouse should be must be moved or named otherwise; it is left alone."""
    (home / "loop.duckdb").write_text("Not a database. " * 1000)
    with pytest.raises(ConfigurationError, match=r"loop\.duckdb"), Warehouse(find_target()) as warehouse:
        warehouse.restore()
    assert (home / "loop.duckdb").read_text().startswith("Not a")


def test_a_damaged_file(home: Path) -> None:
    """A file that has lost a part of it, or is of another kind, is said to be so to those who only read, too."""
    file = home / "loop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS number, md5(range::VARCHAR) AS text FROM range(300000)")
    for content in (file.read_bytes()[: 1 << 18], b"Not a database. " * 1000):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="cannot be read as a database"), looking(find_target()):
            pass
        with pytest.raises(ConfigurationError, match="cannot be read as a database"), Warehouse(find_target()) as warehouse:
            warehouse.restore()


def test_a_folder_without_rights(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock and no journal can be written, exit code is 2; where only the disk is full, 1."""
    target = find_target()
    for number, kind in (
        (errno.EACCES, ConfigurationError),
        (errno.EROFS, ConfigurationError),
        (errno.ENOSPC, WarehouseError),
    ):

        def refuse(*_: Any, number: int = number, **__: Any) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:  # root, who may run the tests, may write everywhere
            patch.setattr(os, "open", refuse)
            with pytest.raises(kind, match=r"loop\.duckdb\.lock") as caught, hold(target, command="sync"):
                pass
        assert type(caught.value) is kind


def wrapped(error: BaseException, *, around: str = "Pipeline execution failed") -> BaseException:
    outer = RuntimeError(around)
    outer.__cause__ = error
    return outer


def test_the_disk_of_a_database_server(server: Target) -> None:
    """A server whose disk is full has that disk named, and no folder of this machine."""
    full = psycopg2.errors.DiskFull(
        'could not extend file "base/5/1": No space left on device\nHINT:  Check free disk space.'
    )
    error = explain(wrapped(full), server)
    assert (type(error), error.exit_code) == (WarehouseError, 1)
    assert "database server" in error.message
    assert str(server.folder) not in error.message


@pytest.mark.parametrize("full", ["warehouse", "data", "temporary"])
def test_the_disk_that_is_full(full: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the disks that a load needs on this machine the one without room is named, with the setting that moves it."""
    places = {name: home / name for name in ("warehouse", "data", "temporary")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("DLT_DATA_DIR", str(places["data"]))
    monkeypatch.setattr(tempfile, "tempdir", str(places["temporary"]))
    monkeypatch.chdir(places["warehouse"])
    real = shutil.disk_usage(home)

    def usage(path: Any) -> Any:  # a machine with three disks is not at hand
        return real._replace(free=0 if places[full] in (Path(path), *Path(path).parents) else 1 << 30)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    said = explain(wrapped(FULL), find_target()).message
    assert [name for name, place in places.items() if str(place) in said] == [full]
    setting = {"warehouse": "--database", "data": "DLT_DATA_DIR", "temporary": "TMPDIR"}[full]
    assert setting in said


def test_the_path_that_the_error_names(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the error itself goes before what the disks look like afterwards."""
    target = find_target()
    named = duckdb.IOException(f'IO Error: Could not write file "{target.file}": No space left on device')
    assert str(target.file) in explain(named, target).message
    scratch = OSError(errno.ENOSPC, "No space left on device", str(target.scratch / "load" / "x.parquet"))
    assert "DLT_DATA_DIR" in explain(wrapped(scratch), target).message
