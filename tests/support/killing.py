"""Kills a run at a moment that can be named: at the n-th thing it does to a file, the database or the network.

The run works in a forked child, which sends itself SIGKILL; nothing is closed, flushed, rolled back or written down.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from loop_returns.api.client import LoopClient
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

_WRITES = os.O_WRONLY | os.O_RDWR
_FILES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "shutil.rmtree", "shutil.move"}
KILLED, DONE, FAILED = -signal.SIGKILL, 0, 3
Moment = "int | Callable[[str, str], bool]"  # the n-th step, or what holds of the step, its name and details, to die before


class _Bomb:
    """Counts steps and goes off at one of them."""

    def __init__(self, at: Moment) -> None:
        self._at = at
        self._steps = 0

    def step(self, what: str, detail: str) -> None:
        self._steps += 1
        if self._steps == self._at if isinstance(self._at, int) else self._at(what, detail):
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _FILES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES):
            self.step(event, " ".join(str(one) for one in args[:2]))

    def arm(self) -> None:
        sys.addaudithook(self.audit)
        # neither dlt nor the client tells anybody before a statement or a request; this is in the child only
        for owner, name in (
            (DuckDbSqlClient, "execute_query"),
            (DuckDbSqlClient, "commit_transaction"),
            (Psycopg2SqlClient, "execute_query"),
            (Psycopg2SqlClient, "commit_transaction"),
            (LoopClient, "_fetch"),
        ):
            setattr(owner, name, self._counted(getattr(owner, name), name))

    def _counted(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(method)
        def counted(*args: Any, **more: Any) -> Any:
            self.step(name, str(args[1:2]))
            return method(*args, **more)

        return counted


def run_and_kill(work: Callable[[], object], *, at: Moment) -> bool:
    """Does the work in a child that kills itself at that moment; True when it was killed, False when it was done before.

    Raises:
        AssertionError: the work failed by itself; the child's traceback is on standard error.
    """

    def armed() -> None:
        _Bomb(at).arm()
        work()

    code = in_child(armed)
    assert code in (KILLED, DONE), f"the run failed by itself ({code})"
    return code == KILLED


def in_child(work: Callable[[], object]) -> int:
    """Does the work in a forked child and returns its exit code: 0, 3 when the work raised, or minus the signal."""
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            work()
            code = DONE
        except BaseException:  # noqa: BLE001 - told by the exit code
            with suppress(OSError):  # the work may have left no room even for that
                traceback.print_exc()
                sys.stderr.flush()
        finally:
            os._exit(code)  # whatever happens: the child must never go on as a second pytest
    return _wait(child)


def _wait(child: int) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the run hung")
