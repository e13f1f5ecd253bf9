"""What an orchestrator relies on: queueing, the last line of standard output, a pinned end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import loop_returns
from loop_returns.errors import LockedError
from tests.support import PATIENCE
from tests.support.script import held_at_request

if TYPE_CHECKING:
    from loop_returns.sandbox import Sandbox
    from tests.support.script import Script

UNTIL = "2026-11-29T09:50:19.589001+00:00"  # as Airflow writes the moment for which a run was begun


@pytest.mark.long
def test_wait(script: Script, sandbox: Sandbox) -> None:
    """A second sync that may wait says for whom, begins when the first has ended, and both end well."""
    with held_at_request(3, sandbox) as reached:
        first = script.start("sync")
        assert reached.wait(PATIENCE)
        second = script.start("sync", "--wait", str(PATIENCE))
        assert second.stderr is not None
        assert f"process {first.pid}, is at work on this warehouse: waiting for it" in second.stderr.readline()
    for process in (first, second):
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert script.status()["last_run"]["outcome"] == "done"


def test_last_line(script: Script, sandbox: Sandbox) -> None:
    """The last line of standard output is the result as one object, after a success and after a failure."""
    asked = ("sync", "--json", "--log-format", "json", "--until", UNTIL)
    assert json.loads(script(*asked)[0].splitlines()[-1])["outcome"] == "done"
    sandbox.api_key = "another"
    last = json.loads(script(*asked, code=2)[0].splitlines()[-1])
    assert (last["event"], last["exit_code"], last["error_class"]) == ("result", 2, "AccessDeniedError")


def test_a_useless_end(script: Script) -> None:
    """An end that is no moment is refused."""
    assert "--until" in script("sync", "--until", "yesterday", code=2)[1]


def test_public_names() -> None:
    """What people import is there under its name, and nothing heavy is imported before it is used."""
    for name in loop_returns.__all__:
        assert getattr(loop_returns, name)
    assert loop_returns.Busy is LockedError
    program = "import sys, loop_returns; print([one for one in ('dlt', 'duckdb', 'pyarrow') if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
