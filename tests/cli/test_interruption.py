"""Ctrl-C and SIGTERM end every command with 130, in order, at whatever moment they come."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest
import typer

from loop_returns.cli.options import OutputOptions
from loop_returns.cli.runner import run_guarded
from tests.support import PATIENCE
from tests.support.script import held_at_request

if TYPE_CHECKING:
    import subprocess

    from loop_returns.sandbox import Sandbox
    from tests.support.script import Script

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
AT_AN_IMPORT = """
import os, sys
def interrupt(event, arguments, sent=[]):
    if event == 'import' and arguments[0] == {name!r} and not sent:
        sent.append(os.kill(os.getpid(), {number}))
sys.addaudithook(interrupt)
"""
IN_A_STATEMENT = """
import os, signal
from itertools import count
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
statements, execute = count(1), DuckDbSqlClient.execute_query
def interrupted(*arguments, **more):
    if next(statements) == {at}:
        os.kill(os.getpid(), signal.SIGINT)
    return execute(*arguments, **more)
DuckDbSqlClient.execute_query = interrupted
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("typer", signal.SIGINT),
        ("loop_returns.cli.app", signal.SIGTERM),
        ("dlt", signal.SIGINT),
        ("duckdb", signal.SIGTERM),
        pytest.param("pyarrow.lib", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_while_libraries_are_imported(script: Script, name: str, number: int):
    """A signal while a library is being imported ends the command with 130 and without a traceback."""
    code, _, err = script.ended("sync", before=AT_AN_IMPORT.format(name=name, number=int(number)))
    assert code == 130, err
    assert "Traceback" not in err
    assert "should not" not in err


@pytest.mark.long
@pytest.mark.parametrize("at", [1, 25, 50, 75])
def test_while_rows_are_loaded(script: Script, at: int):
    """A signal during a load is an interruption, on the screen, in JSON and in the ledger; the next sync completes it."""
    code, out, err = script.ended("sync", "--json", before=IN_A_STATEMENT.format(at=at))
    assert code == 130, (out, err)
    assert err.splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in err
    record = json.loads(out)
    assert (record["outcome"], record["exit_code"]) == ("interrupted", 130)
    assert json.loads(script("sync", "--json")[0])["outcome"] == "done"
    with duckdb.connect(str(script.folder / "loop.duckdb"), read_only=True) as connection:
        connection.execute("SELECT outcome, exit_code FROM loop_returns._loop_sync_runs ORDER BY started_at").fetchall()


def stop_at(process: subprocess.Popen[str], number: int, *, event: str) -> str:
    """Sends the signal once the process has told of the event; returns the rest of standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == event:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    return err


@BOTH
def test_while_it_waits_for_the_rate_limit(script: Script, monkeypatch: pytest.MonkeyPatch, number: int):
    """A run that waits until it may send its next request ends at once."""
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__REQUESTS_PER_MINUTE", "1")
    process = script.start("sync", "--log-format", "json")
    last = json.loads(stop_at(process, number, event="windows").splitlines()[-1])
    assert process.returncode == 130
    assert (last["event"], last["outcome"], last["exit_code"]) == ("error", "interrupted", 130)
    last_run = script.status()["last_run"]
    assert (last_run["outcome"], last_run["exit_code"]) == ("interrupted", 130)


def test_in_the_demo(script: Script):
    """The demo ends in order, and leaves no lock file behind."""
    process = script.start("demo", "--log-format", "json", "--returns", "300")
    err = stop_at(process, signal.SIGINT, event="windows")
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list(script.folder.glob("*.lock*"))


@BOTH
def test_the_sandbox_ends_well(script: Script, number: int):
    """A sandbox serves until it is interrupted, so that is its good end: exit code 0."""
    process = script.start("sandbox", "--returns", "25", "--port", "0", "--log-format", "json")
    assert process.stderr is not None
    while "SOURCES__LOOP_RETURNS__API_KEY" not in process.stderr.readline():
        pass
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_check(script: Script, sandbox: Sandbox):
    """A check that waits for an answer ends too."""
    with held_at_request(1, sandbox) as reached:
        process = script.start("check")
        assert reached.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.startswith("Interrupted.")


def test_at_a_prompt(capsys: pytest.CaptureFixture[str]):
    """Ctrl-C at a question is an interruption."""

    def ask() -> int:
        raise typer.Abort  # as typer's prompts make of Ctrl-C

    assert run_guarded(ask, OutputOptions()) == 130
    assert capsys.readouterr().err.startswith("Interrupted.")


def test_an_error_that_a_signal_became(capsys: pytest.CaptureFixture[str]):
    """Whatever a library makes of the signal, the operator reads that the run was interrupted."""

    def work() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("a library that was only half imported") from None
        return 0

    assert run_guarded(work, replace(OutputOptions(), as_json=True)) == 130
    assert json.loads(capsys.readouterr().out)["outcome"] == "interrupted"
