"""One run at a time for each warehouse."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from loop_returns.errors import ConfigurationError, LockedError, WarehouseError
from loop_returns.warehouse.destination import Target, find_target
from loop_returns.warehouse.lock import hold, holder
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.lock import hold
print("begun", flush=True)
with hold(find_target(destination=sys.argv[1]), command=sys.argv[2], wait=float(sys.argv[3])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(
    folder: Path, data: Path, *, command: str = "sync", wait: float = 0, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until the block ends, with `data` as dlt's folder; one that waits is about to."""
    destination = "postgres" if environment else "duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, destination, command, str(wait)],
        cwd=folder,
        env={**os.environ, "DLT_DATA_DIR": str(data), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert wait or process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "mine"))
    return find_target(file="loop.duckdb")


@pytest.mark.parametrize("data", ["mine", "hers"])
def test_second_run_is_refused(target: Target, tmp_path: Path, data: str):
    """A second run is refused at once and told who is at work, also where the two have different dlt folders."""
    with another_run(tmp_path, tmp_path / data, command="backfill") as other:
        with pytest.raises(LockedError) as caught, hold(target, command="sync"):
            pass
        assert (caught.value.pid, caught.value.command) == (other.pid, "backfill")
        assert caught.value.host == socket.gethostname()
        assert caught.value.started is not None
        assert caught.value.exit_code == 75
        assert str(other.pid) in str(caught.value)
        assert "backfill" in str(caught.value)


def test_killed_run_leaves_no_lock(target: Target, tmp_path: Path):
    """A run that was killed with SIGKILL holds nothing back, and is not taken for one at work."""
    with another_run(tmp_path, tmp_path / "mine") as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert holder(target) is None
        with hold(target, command="sync"):
            found = holder(target)
            assert found is not None
            assert found.pid == os.getpid()
    assert holder(target) is None


@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_queue(destination: str, target: Target, postgres: str, tmp_path: Path):
    """A run that waits gets the warehouse when the other one has ended; of two that wait, one after the other."""
    environment = {"DESTINATION__POSTGRES__CREDENTIALS": postgres} if destination == "postgres" else {}
    with (
        another_run(tmp_path, tmp_path / "mine", **environment) as first,
        another_run(tmp_path, tmp_path / "hers", wait=PATIENCE, **environment) as second,
        another_run(tmp_path, tmp_path / "his", wait=PATIENCE, **environment) as third,
    ):
        first.kill()
        waiting = {one.stdout: one for one in (second, third) if one.stdout is not None}
        while waiting:
            (got, *_), _, _ = select.select(list(waiting), [], [], PATIENCE)
            assert got.readline() == "held\n"
            waiting.pop(got).kill()


def test_waiting_in_vain(target: Target, tmp_path: Path):
    """Whoever has waited long enough is refused like one who did not wait."""
    with another_run(tmp_path, tmp_path / "mine"), pytest.raises(LockedError), hold(target, command="sync", wait=0.1):
        pass


def test_dead_run_is_not_named(target: Target, tmp_path: Path):
    """While a new run has not yet said who it is, the name that a killed one left is not given for it."""
    with another_run(tmp_path, tmp_path / "mine") as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert target.file is not None
    with FileLock(f"{target.file}.lock"), pytest.raises(LockedError) as caught, hold(target, command="sync"):
        pass
    assert caught.value.pid is None


def test_lock_ends_with_the_run(target: Target):
    """After a run, also one that failed, the next may begin."""
    with pytest.raises(ZeroDivisionError), hold(target, command="sync"):
        raise ZeroDivisionError
    with hold(target, command="sync"), pytest.raises(LockedError), hold(target, command="sync"):
        pass
    with hold(target, command="sync"):
        pass


def test_warehouses_do_not_block_each_other(target: Target):
    """Runs on two warehouses may go side by side."""
    with hold(target, command="sync"), hold(find_target(file="other.duckdb"), command="sync"):
        assert holder(target) is not None


def test_folder_that_cannot_be_written(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where no lock file can be made, the message names it."""
    (tmp_path / "loop.duckdb.lock").mkdir()
    with pytest.raises(ConfigurationError, match=r"loop\.duckdb\.lock"), hold(target, command="sync"):
        pass
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "file"))
    server = Target(target.destination, target.dataset, "a server", file=None)
    with pytest.raises(ConfigurationError, match=r"run\.lock"), hold(server, command="sync"):
        pass


@pytest.fixture
def remote(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    return find_target(destination="postgres")


def test_postgres_excludes_other_machines(remote: Target, postgres: str, tmp_path: Path):
    """On PostgreSQL a run elsewhere, with which no folder is shared, is refused too and told who is at work."""
    with another_run(tmp_path, tmp_path / "hers", DESTINATION__POSTGRES__CREDENTIALS=postgres) as other:
        with pytest.raises(LockedError) as caught, hold(remote, command="reconcile"):
            pass
        assert (caught.value.pid, caught.value.command) == (other.pid, "sync")
        assert socket.gethostname().startswith(str(caught.value.host))
        elsewhere = find_target(destination="postgres", dataset="another")
        with hold(elsewhere, command="sync"):  # another dataset of the same database
            pass
    with hold(remote, command="reconcile"):  # the other one was killed
        pass


def test_postgres_away(remote: Target, monkeypatch: pytest.MonkeyPatch):
    """A PostgreSQL that cannot be reached is reported as that."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret-word@127.0.0.1:9/none")
    with pytest.raises(WarehouseError) as caught, hold(find_target(destination="postgres"), command="sync"):
        pass
    assert "secret-word" not in str(caught.value)
