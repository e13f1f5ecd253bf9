"""However a run ends, the operator gets one paragraph, the right exit code, and never the key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from typing import NoReturn

import duckdb
import pytest

from loop_returns.cli.options import OutputOptions
from loop_returns.cli.runner import run_guarded
from loop_returns.errors import CancelledError, ConfigurationError, LockedError, LoopReturnsError, UnreachableError
from tests.support import PATIENCE

KEY = "sup3r-secret-key"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", KEY)


def failing(error: BaseException, output: OutputOptions) -> int:
    def work() -> NoReturn:
        raise error

    return run_guarded(work, output)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoopReturnsError("It failed."), 1),
        (UnreachableError("It is away."), 1),
        (ConfigurationError("Set it."), 2),
        (LockedError("Another one works."), 75),
        (KeyboardInterrupt(), 130),
        (CancelledError("Interrupted."), 130),
        (RuntimeError("oops"), 1),
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_ending(error: BaseException, code: int, log_format: str, capsys: pytest.CaptureFixture[str]):
    """Each kind of error has its exit code and one line without a traceback, as text or as a JSON object."""
    assert failing(error, OutputOptions(log_format=log_format)) == code  # type: ignore[arg-type] # one of the two
    (line,) = capsys.readouterr().err.splitlines()
    message = json.loads(line)["message"] if log_format == "json" else line
    assert str(error) in message
    assert "Traceback" not in line


def test_interrupted_while_the_database_works(capsys: pytest.CaptureFixture[str]):
    """Ctrl-C during a query of DuckDB, which makes an error of its own of it, is an interruption like any other."""

    def work() -> NoReturn:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with closing(duckdb.connect(config={"threads": 1})) as connection:  # as the program opens its file
            connection.execute("SELECT sum(sin(range)) FROM range(20000000000)")
        raise AssertionError("the query ended")

    assert run_guarded(work, OutputOptions()) == 130
    assert capsys.readouterr().err.startswith("Interrupted.")


def test_interrupted(capsys: pytest.CaptureFixture[str]):
    """After Ctrl-C the operator reads that nothing is lost, also where dlt has wrapped the signal."""
    wrapped = LoopReturnsError("Loading failed.")
    wrapped.__cause__ = KeyboardInterrupt()
    for error in (KeyboardInterrupt(), wrapped):
        assert failing(error, OutputOptions(as_json=True)) == 130
        shown = capsys.readouterr()
        assert "nothing is lost" in shown.err
        assert json.loads(shown.out)["outcome"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(number: signal.Signals, capsys: pytest.CaptureFixture[str]):
    """Ctrl-C and a scheduler's SIGTERM end a run in order, and afterwards signals do what they did before."""
    before = signal.getsignal(number)

    def work() -> int:
        os.kill(os.getpid(), number)
        signal.pause()
        return 0

    assert run_guarded(work, OutputOptions()) == 130
    assert "nothing is lost" in capsys.readouterr().err
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("debug", [False, True])
def test_key_is_hidden(debug: bool, capsys: pytest.CaptureFixture[str]):  # a parameter of the test
    """A library that puts the key into its error does not get it onto the screen; only --debug shows a traceback."""
    assert failing(RuntimeError(f"header X-Authorization: {KEY}"), OutputOptions(debug=debug)) == 1
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert ("Traceback" in shown.err) is debug
    assert "RuntimeError" in shown.err


def test_good_ending(capsys: pytest.CaptureFixture[str]):
    """What works is passed on in silence."""
    assert run_guarded(lambda: 3, OutputOptions()) == 3
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_second_signal():
    """A second Ctrl-C ends the process at once, also where the run would take its time to end in order."""
    program = """
import signal
from loop_returns.cli.options import OutputOptions
from loop_returns.cli.runner import run_guarded

def work():
    try:
        print("begun", flush=True)
        signal.pause()
    finally:
        print("ending", flush=True)
        while True:
            signal.pause()

run_guarded(work, OutputOptions())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in ("begun\n", "ending\n"):
            assert process.stdout.readline() == said
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
