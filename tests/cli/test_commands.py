"""The console script, as people and schedulers call it, against a shop on this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.cli.demo import QUESTIONS
from loop_returns.sandbox import Quirks, Sandbox
from tests.support import PATIENCE
from tests.support.script import Script, held_at_request

if TYPE_CHECKING:
    import pytest


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_sync_then_status(script: Script, sandbox: Sandbox):
    """A sync reports in JSON lines; status then says how fresh that is: without Loop, writing nothing, beside readers."""
    out, err = script("sync", "--log-format", "json")
    (report,) = objects(out)
    assert (report["outcome"], report["exit_code"], report["rows_new"]["returns"]) == ("done", 0, 40)
    assert {event["event"] for event in objects(err)} <= {"windows", "window_done", "phase", "note"}
    sandbox.stop()
    (shown,) = [json.loads(script("status", "--json")[0])]
    tables = {one["table"]: one for one in shown["tables"]}
    lines = sum(len(one["line_items"]) for one in sandbox.shop.returns_snapshot())
    assert (tables["returns"]["rows"], tables["return_line_items"]["rows"]) == (40, lines)
    assert shown["cursor"] == report["cursor_after"]
    assert shown["last_success"]["run_id"] == shown["last_run"]["run_id"] == report["run_id"]
    assert 0 < shown["age_seconds"] < 600
    assert (shown["backfills"], shown["working"]) == ({}, None)
    file = script.folder / "loop.duckdb"
    before = file.read_bytes()
    with duckdb.connect(str(file), read_only=True):
        assert "returns" in script("status")[0]
    assert file.read_bytes() == before


def test_failed_run_is_in_the_status(script: Script, sandbox: Sandbox):
    """A refused key ends a sync with exit code 2 and one paragraph, and status shows it."""
    sandbox.api_key = "another"
    _, err = script("sync", code=2)
    assert "scope" in err.splitlines()[-1]
    assert "Traceback" not in err
    out, _ = script("status")
    assert "Nothing synced yet" in out
    assert "sync" in out
    assert "failed" in out


def test_status_before_the_first_sync(script: Script):
    """Status before the first sync says so, and makes no file."""
    out, _ = script("status")
    assert "Nothing synced yet" in out
    assert list(script.folder.glob("*.duckdb*")) == []


def test_plan_asks_nothing(script: Script, sandbox: Sandbox):
    """A dry run shows the requests and sends none; the numbers are those of the real run or fewer."""
    planned = json.loads(script("sync", "--dry-run", "--json")[0])
    assert planned["least_requests"] == len(planned["requests"]) > 0
    others = {"/destinations", "/allowlists", "/blocklists", "/label-requests", "/happy-returns/shipments", "/webhooks"}
    assert {one["path"] for one in planned["requests"]} == {"/warehouse/return/list", "/warehouse/reporting/asn", *others}
    states = {one["params"]["state"] for one in planned["requests"] if "state" in one["params"]}
    assert states == {"open", "closed", "expired", "cancelled", "review"}
    assert sandbox.requests == []
    assert list(script.folder.glob("*.duckdb")) == []
    text, _ = script("backfill", "--from", "2024-01-01", "--to", "2024-12-31", "--dry-run", "--only", "returns")
    assert "/warehouse/return/list" in text
    assert "reporting/asn" not in text
    assert sandbox.requests == []


def test_interrupted_sync(script: Script, sandbox: Sandbox):
    """Ctrl-C ends a sync in order with exit code 130; the next one completes it."""
    with held_at_request(3, sandbox) as reached:
        process = script.start("sync", "--json")
        assert reached.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "nothing is lost" in err
    assert "Traceback" not in err
    assert json.loads(out)["outcome"] == "interrupted"
    report = json.loads(script("sync", "--json")[0])
    assert report["outcome"] == "done"
    assert json.loads(script("status", "--json")[0])["tables"][0]["rows"] == 40


def test_second_sync_is_refused(script: Script, sandbox: Sandbox):
    """While a sync is at work a second one ends with exit code 75 and names it, and status shows it."""
    with held_at_request(1, sandbox) as reached, script.start("sync") as process:
        assert reached.wait(PATIENCE)
        _, err = script("sync", code=75)
        assert f"process {process.pid}" in err
        working = json.loads(script("status", "--json")[0])["working"]
        assert (working["pid"], working["command"]) == (process.pid, "sync")
        process.kill()


def test_check(script: Script, sandbox: Sandbox):
    """A check of what works ends with 0, having sent one request to each endpoint and left no table behind."""
    found = json.loads(script("check", "--json")[0])
    assert all(one["is_well"] for one in found["findings"])
    others = ["/destinations", "/allowlists", "/blocklists", "/label-requests", "/happy-returns/shipments", "/webhooks"]
    assert [one.path for one in sandbox.requests] == ["/warehouse/return/list", "/warehouse/reporting/asn", *others]
    with duckdb.connect(str(script.folder / "loop.duckdb"), read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_check_finds_the_missing_scope(script: Script, sandbox: Sandbox):
    """A key without the scope is found for each resource, and the warehouse is looked at all the same."""
    sandbox.quirks = Quirks(scopes=frozenset({"orders"}))
    found = json.loads(script("check", "--json", code=2)[0])
    assert [(one["subject"], one["exit_code"]) for one in found["findings"]] == [
        ("returns", 2),
        ("advanced_shipping_notices", 2),
        ("warehouse", 0),
    ]
    assert all("scope Returns" in one["message"] or "Returns" in one["message"] for one in found["findings"][:2])


def test_check_finds_the_held_file(script: Script):
    """A DuckDB file that another program has open is found, with what to do."""
    program = "import duckdb, sys; c = duckdb.connect('loop.duckdb'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        out, _ = script("check", code=1)
        reader.kill()
    assert "open in another program" in out


@pytest.mark.long
def test_postgres_from_another_machine(
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    postgres: str,
):
    """On PostgreSQL check and sync work, and status reads it from a machine that has never synced."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    to = ("--destination", "postgres", "--dataset", "from_afar")
    assert "Nothing synced yet" in script("status", *to)[0]
    assert "All is well" in script("check", *to)[0]
    report = json.loads(script("sync", *to, "--only", "returns", "--json")[0])
    monkeypatch.setenv("DLT_DATA_DIR", str(script.folder / "another"))
    shown = json.loads(script("status", *to, "--json")[0])
    assert shown["tables"][0]["rows"] == report["rows_new"]["returns"] == 40
    assert shown["cursor"] == report["cursor_after"]


def test_warehouse_away(script: Script, monkeypatch: pytest.MonkeyPatch):
    """A warehouse that cannot be reached is said to be that, with exit code 1 and without its password."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret-word@127.0.0.1:9/none")
    for command in ("status", "sync"):
        out, err = script(command, "--destination", "postgres", code=1)
        assert "refused" in err
        assert "secret-word" not in out + err
        assert "should not" not in err


def test_sandbox_command(script: Script, monkeypatch: pytest.MonkeyPatch):
    """The sandbox says what to set, serves a shop with it, and ends with 0 on Ctrl-C."""
    process = script.start("sandbox", "--returns", "25", "--port", "0")
    assert process.stdout is not None
    settings: dict[str, str] = {}
    while len(settings) < 3:
        line = process.stdout.readline()
        assert line
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            settings[name] = value
            monkeypatch.setenv(name, value)
    assert sorted(settings) == [f"SOURCES__LOOP_RETURNS__{name}" for name in ("API_KEY", "BASE_URL", "SHOP")]
    assert "All is well" in script("check")[0]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.long
def test_demo(script: Script, monkeypatch: pytest.MonkeyPatch):
    """The demo shows two runs and three answers, writes the report, replaces an older demo, and touches nothing else."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(script.folder / "mine.duckdb"))
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__BASE_URL", "https://api.example.com/api/v1")
    (script.folder / "loop_demo.duckdb").write_text("of an older demo")
    out, _ = script("demo", "--returns", "30")
    assert out.count("sync · done") == 2
    for words, sql in QUESTIONS:
        _, _, answer = out.partition(sql)
        assert words in out
        assert len(answer.strip().splitlines()) > 2
    assert sorted(path.name for path in script.folder.iterdir()) == ["loop_demo.duckdb", "loop_demo_report.html"]
    assert str(script.folder / "loop_demo_report.html") in out
    with duckdb.connect(str(script.folder / "loop_demo.duckdb"), read_only=True) as connection:
        returns, runs = connection.sql(
            "SELECT (SELECT count(*) FROM loop_returns.returns), (SELECT count(*) FROM loop_returns._loop_sync_runs)"
        ).fetchall()[0]
    assert (returns > 30, runs) == (True, 2)
