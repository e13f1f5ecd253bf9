"""`status` says what the last run did, what went wrong, and what to do next."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

from loop_returns.sandbox import Sandbox, Shop
from tests.support import PATIENCE
from tests.support.script import KEY, held_at_request

if TYPE_CHECKING:
    import pytest

    from tests.support.script import Script


def words(text: str) -> str:
    return " ".join(text.split())


def test_after_a_good_sync(script: Script):
    """It says what the run brought, and advises nothing."""
    script("sync")
    shown = script.status()
    assert (shown["advice"], shown["is_stale"]) == (None, False)
    assert shown["last_run"]["rows_new"]["returns"] == 40
    text = words(script("status")[0])
    assert "last run sync at" in text
    assert "rows new" in text
    assert "next" not in text


def test_after_a_failed_run(script: Script, sandbox: Sandbox):
    """It quotes what was wrong, with the exit code, and says to run again once that is done."""
    sandbox.api_key = "another"
    script("sync", code=2)
    text = words(script("status")[0])
    assert "failed (exit code 2)" in text
    assert "Either the API key is wrong" in text
    assert "run the same command again" in text


def test_after_a_killed_run(script: Script, sandbox: Sandbox):
    """A run that was killed is called that, before and after the next run has written it down."""
    script("sync")
    with held_at_request(2, sandbox) as reached, script.start("sync") as process:
        assert reached.wait(PATIENCE)
        process.kill()
    shown = script.status()
    assert (shown["last_run"]["outcome"], shown["last_run"]["command"]) == ("killed", "sync")
    text = words(script("status")[0])
    assert "Nothing is lost: run the same command again" in text
    assert "last good sync" in text


def test_a_check_hides_no_killed_run(script: Script, sandbox: Sandbox):
    """While a check holds the lock, an earlier run that was killed is still shown."""
    with held_at_request(2, sandbox) as reached, script.start("sync") as process:
        assert reached.wait(PATIENCE)
        process.kill()
    from loop_returns.runs.session import Options
    from loop_returns.warehouse.lock import hold

    with hold(Options().target(), command="check"):
        assert script.status()["last_run"]["outcome"] == "killed"


def test_while_a_run_is_at_work(script: Script, sandbox: Sandbox):
    """While a run has DuckDB's file, it names the run and says when to ask again, not that nothing is synced."""
    script("sync")
    with held_at_request(2, sandbox) as reached, script.start("sync") as process:
        assert reached.wait(PATIENCE)
        text = words(script("status")[0])
        process.kill()
    assert f"at work now sync, process {process.pid}, since" in text
    assert "Ask again when the run has ended" in text
    assert "Nothing synced yet" not in text


def test_a_shop_without_returns(script: Script, monkeypatch: pytest.MonkeyPatch):
    """A shop that has no returns is synced all the same."""
    with Sandbox(Shop.generate(returns=0), api_key=KEY) as empty:
        monkeypatch.setenv("SOURCES__LOOP_RETURNS__BASE_URL", empty.url)
        script("sync")
    text = words(script("status")[0])
    assert "Nothing synced yet" not in text
    assert "last good sync" in text


def test_a_schedule_that_has_stopped(script: Script):
    """When no sync has gone well for longer than a day, it says so."""
    script("sync")
    old = datetime.now(UTC) - timedelta(days=3)
    with duckdb.connect(str(script.folder / "loop.duckdb")) as connection:
        connection.execute("UPDATE loop_returns._loop_sync_runs SET started_at = ?, finished_at = ?", [old, old])
    shown = script.status()
    assert shown["is_stale"] is True
    assert shown["age_seconds"] > 2 * 86400
    text = words(script("status")[0])
    assert re.search(r"3 d.* ago; that is long ago", text)
    assert "see that the schedule runs" in text


def test_after_a_failed_check(script: Script):
    """It says which check failed."""
    script("sync")
    checks = [{"name": "no_orphans", "table": "return_labels", "severity": "error", "failed": 2}]
    checks[0]["message"] = "2 orphans."
    with duckdb.connect(str(script.folder / "loop.duckdb")) as connection:
        failed = "UPDATE loop_returns._loop_sync_runs SET outcome = 'check_failed', exit_code = 3, checks = ?"
        connection.execute(failed, [json.dumps(checks)])
    text = words(script("status")[0])
    assert "a check of the data failed (exit code 3)" in text
    assert "2 orphans." in text


def test_a_warehouse_that_is_away(script: Script, monkeypatch: pytest.MonkeyPatch):
    """A run that could not reach the warehouse is known on this machine, and `status` tells of it all the same."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret-word@127.0.0.1:9/none")
    script("sync", "--destination", "postgres", code=1)
    _, err = script("status", "--destination", "postgres", code=1)
    assert "refused" in err
    assert "Not yet in its ledger is sync at" in err
    assert "failed" in err
    assert "secret-word" not in err
