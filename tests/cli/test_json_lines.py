"""With `--log-format json` every line that any command prints, on either stream, is one kind of JSON object."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import PATIENCE
from tests.support.script import held_at_request

if TYPE_CHECKING:
    from loop_returns.sandbox import Sandbox
    from tests.support.script import Script

EVENTS = {  # what each has beside `at` and `event`
    "windows": {"of", "total"},
    "window_done": {"window", "done", "total", "returns", "returns_per_second", "requests_left", "seconds", "seconds_left"},
    "phase": {"text"},
    "waiting": {"text"},
    "note": {"text"},
    "log": {"level", "text"},
    "answer": {"command", "question", "sql", "answer"},
    "error": {"command", "message", "outcome", "exit_code", "error_class", "error_message"},
    "result": {"command"},
}
RESULTS = {
    "sync": {"run_id", "outcome", "exit_code", "rows_new"},
    "backfill": {"run_id", "outcome", "exit_code", "rows_new"},
    "reconcile": {"run_id", "outcome", "exit_code", "drift"},
    "check": {"exit_code", "findings"},
    "status": {"tables", "last_success", "age_seconds", "last_run", "advice"},
    "report": {"report"},
    "demo": {"run_id"},
}


def valid(*streams: str) -> list[dict[str, Any]]:
    """The objects of all lines, each of them checked."""
    events: list[dict[str, Any]] = [json.loads(line) for stream in streams for line in stream.splitlines()]
    for event in events:
        assert [*event][:2] == ["at", "event"], event
        assert datetime.fromisoformat(event["at"]).tzinfo is not None
        assert event.keys() >= EVENTS[event["event"]], event
    return events


@pytest.mark.long
def test_every_command(script: Script):
    """Runs, plans, checks, status and the report print events, and the result with the command's name, once."""
    for arguments in (
        ["sync"],
        ["sync", "--abort-pending", "--json"],
        ["backfill", "--from", "2024-01-01", "--to", "2024-02-01"],
        ["reconcile", "--days", "10"],
        ["check"],
        ["status"],
        ["report"],
    ):
        out, err = script(*arguments, "--log-format", "json")
        (result,) = valid(out)
        valid(err)
        assert (result["event"], result["command"]) == ("result", arguments[0])
        assert result.keys() >= RESULTS[arguments[0]]
    planned, _ = script("sync", "--dry-run", "--log-format", "json")
    assert valid(planned)[0].keys() >= {"command", "least_requests", "requests"}


@pytest.mark.long
def test_demo_and_sandbox(script: Script):
    """The commands for trying things out do so too."""
    out, err = script("demo", "--returns", "20", "--log-format", "json")
    assert [one["event"] for one in valid(out)] == ["result"] * 2 + ["answer"] * 3
    valid(err)
    process = script.start("sandbox", "--returns", "1", "--port", "0", "--log-format", "json")
    assert process.stderr is not None
    first = process.stderr.readline()
    process.terminate()
    out, err = process.communicate(timeout=PATIENCE)
    assert valid(first, out, err)


@pytest.mark.parametrize(
    ("arguments", "error_class"),
    [
        (["snyc"], "UsageError"),
        (["sync", "--onyl", "returns"], "UsageError"),
        (["backfill", "--from", "2024-01-01"], "UsageError"),
        (["reconcile", "--days", "0"], "UsageError"),
        (["backfill", "--from", "yesterday", "--to", "today"], "ConfigurationError"),
        (["status", "--destination", "excel", "--debug"], "ConfigurationError"),
        (["demo", "--destination", "postgres"], "ConfigurationError"),
        (["report", "--database", "none.duckdb"], "ConfigurationError"),
    ],
)
def test_errors(script: Script, arguments: list[str], error_class: str):
    """What is wrong is an event too, with --debug also the traceback, and its outcome stands beside the exit code."""
    out, err = script(*arguments, "--log-format", "json", code=2)
    (error,) = valid(err)
    assert (error["exit_code"], error["error_class"], error["outcome"]) == (2, error_class, "failed")
    assert ("traceback" in error) is ("--debug" in arguments)
    assert out == ""
    if "--json" not in (more := [*arguments, "--json"])[:-1] and arguments[0] in {"sync", "backfill", "reconcile", "status"}:
        out, err = script(*more, "--log-format", "json", code=2)
        (result,) = valid(out)
        assert (result["event"], result["command"], result["exit_code"]) == ("result", arguments[0], 2)
        valid(err)


def test_failed_and_locked_runs(script: Script, sandbox: Sandbox):
    """A run that Loop refuses has failed; one that another run keeps out has not: it is locked out."""
    sandbox.api_key = "another"
    (error,) = valid(script("sync", "--log-format", "json", code=2)[1])
    assert (error["outcome"], error["command"]) == ("failed", "sync")
    with held_at_request(1, sandbox) as reached, script.start("sync") as process:
        assert reached.wait(PATIENCE)
        out, err = script("sync", "--log-format", "json", "--json", code=75)
        process.kill()
    for event in valid(out, err):
        assert (event["outcome"], event["exit_code"], event["error_class"]) == ("locked", 75, "LockedError")


@pytest.mark.long
@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_what_libraries_log(script: Script, monkeypatch: pytest.MonkeyPatch, debug: tuple[str, ...]):
    """dlt's own log, where an operator has switched it on, comes as events."""
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "INFO")
    code, out, err = script.ended("sync", "--log-format", "json", *debug)
    assert code == 0, err
    assert "log" in {event["event"] for event in valid(out, err)}


def test_json_alone_keeps_its_object(script: Script):
    """`--json` prints one object, as it is documented, over several lines and without what belongs to a log."""
    out, _ = script("sync", "--json")
    record = json.loads(out)
    assert len(out.splitlines()) > 2
    assert not {"at", "event"} & record.keys()
    out, _ = script("sync", "--onyl", "x", "--json", code=2)
    assert json.loads(out)["error_class"] == "UsageError"
