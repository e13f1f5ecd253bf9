"""The ledger says what every run did, also the quiet and the failed ones."""

from __future__ import annotations

import json
import shutil
from itertools import count
from typing import TYPE_CHECKING

import pytest

from loop_returns.errors import AccessDeniedError, ConfigurationError, NotFoundError, WarehouseError
from loop_returns.extract.reading import Limits
from loop_returns.runs import opening, session
from loop_returns.runs.progress import Silent
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Faults, Quirks, Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver


def test_every_run_has_its_row(drive: Callable[..., Driver]):
    """Runs that load and runs without news stand in the ledger with what they read, loaded and left unchanged."""
    driver = drive(Shop.generate(seed=1, returns=30, days=90, now=NOW), quirks=Quirks(faults=Faults(server_error=0.2)))
    runs = [driver.sync(), driver.sync(), driver.backfill(NOW.replace(month=8), NOW)]
    rows = {row["run_id"]: row for row in driver.rows("_loop_sync_runs")}
    assert set(rows) == {run.run_id for run in runs}
    for run in runs:
        row = rows[run.run_id]
        assert (row["command"], row["outcome"], row["exit_code"]) == (run.command, "done", 0)
        assert (row["requests"], row["retries"], row["windows"]) == (run.requests, run.retries, run.windows)
        assert row["requests"] > 0
        assert row["unchanged"] == run.tally.unchanged
    assert json.loads(rows[runs[0].run_id]["rows_new"])["returns"] == 30
    assert json.loads(rows[runs[1].run_id]["rows_new"]) == {}


def test_the_cursor_in_the_ledger_is_the_one_that_was_reached(drive: Callable[..., Driver]):
    """`synced_up_to` is the shop's time at the start of the run, also without news; the cursor is the newest change."""
    driver = drive(Shop.generate(seed=1, returns=5, days=90, now=NOW))
    for _ in range(3):
        driver.shop.tick(3600)
        run = driver.sync()
        sql = f"SELECT synced_up_to, cursor_after FROM _loop_sync_runs WHERE run_id = '{run.run_id}'"
        assert driver.query(sql) == [(driver.shop.now.replace(microsecond=0), run.cursor_after)]
        assert driver.query("SELECT max(updated_at) FROM returns") == [(run.cursor_after,)]


@pytest.mark.long
def test_each_resource_has_its_own_moment(drive: Callable[..., Driver]):
    """A sync that leaves the shipping notices out, or that cannot believe their report, does not claim to have read them."""
    driver = drive(Shop.generate(seed=1, returns=30, days=90, now=NOW), settings={"marts": "views"})
    moments = "SELECT synced_up_to, notices_up_to FROM rpt_sync_freshness"
    first = driver.sync()
    assert driver.query(moments) == [(first.synced_up_to, first.synced_up_to)]
    driver.shop.tick(3600)
    second = driver.sync(only="returns")
    assert driver.query(moments) == [(second.synced_up_to, first.synced_up_to)]
    driver.shop.tick(3600)
    driver.quirk(asn_part=0.0)
    third = driver.sync()
    assert driver.query(moments) == [(third.synced_up_to, first.synced_up_to)]


def test_a_failed_run_has_its_row(drive: Callable[..., Driver]):
    """A run that Loop refuses stands in the ledger with the class and the words of the failure, without a cursor."""
    driver = drive(Shop.generate(seed=1, returns=5, days=90, now=NOW))
    driver.sync()
    with pytest.raises(AccessDeniedError):
        driver.sync(api_key="not-the-key")
    row = driver.rows("_loop_sync_runs")[-1]
    assert (row["outcome"], row["exit_code"], row["error_class"]) == ("failed", 2, "AccessDeniedError")
    assert "not-the-key" not in str(row)
    assert row["cursor_after"] is None


def test_only_what_has_landed_is_counted(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """A run whose second load fails, as a database that breaks would make it, counts the rows of the first one only."""
    shop = Shop.generate(seed=1, returns=60, days=100, now=NOW)
    driver = drive(shop, settings={"page_size": 5, "window_days": 20}, limits=Limits(rows=20, idle_rows=20))
    loads, source = count(), session.chunks_source

    def breaking(*args: object, **given: object) -> object:
        if next(loads) == 1:
            raise WarehouseError("The database broke.")
        return source(*args, **given)

    monkeypatch.setattr(session, "chunks_source", breaking)
    with pytest.raises(WarehouseError, match="broke"):
        driver.sync(only="returns")
    counted = json.loads(driver.rows("_loop_sync_runs")[-1]["rows_new"])["returns"]
    assert [(counted,)] == driver.query("SELECT count(*) FROM returns")
    assert 0 < counted < 60


def test_a_journal_that_breaks_hides_no_error(drive: Callable[..., Driver]):
    """When the journal cannot be written at the end of a failed run, the operator still reads what failed."""
    driver = drive(Shop.generate(seed=1, returns=5, days=90, now=NOW))
    driver.sync()
    folder = session.find_target(file=str(driver.file)).folder / "runs"

    class Breaking(Silent):
        def begin(self, *_: object, **__: object) -> None:
            shutil.rmtree(folder)
            folder.write_text("no folder any more")
            raise NotFoundError("What failed first.")

    with pytest.raises(NotFoundError, match="What failed first"):
        sync(driver.resolved(), driver.options(), progress=Breaking())


def test_a_data_folder_that_cannot_be_written(drive: Callable[..., Driver], home: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a place for its journal a run does not begin, and the message names the folder."""
    driver = drive(Shop.generate(seed=1, returns=5, days=90, now=NOW))
    (home / "file").write_text("")
    monkeypatch.setenv("DLT_DATA_DIR", str(home / "file"))
    with pytest.raises(ConfigurationError, match="cannot be noted"):
        driver.sync()
    assert not driver.file.exists()


def test_a_run_that_could_not_write_is_written_by_the_next(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """When the warehouse does not take the row, the next run writes it; one that was killed is called so."""
    driver = drive(Shop.generate(seed=1, returns=5, days=90, now=NOW))
    driver.sync()
    with monkeypatch.context() as away:  # a real one that is away at this moment only would have failed the load before
        away.setattr(opening, "_write_ledger", lambda *_: (_ for _ in ()).throw(OSError("the warehouse is away")))
        with pytest.raises(OSError, match="away"):
            driver.sync()
    journal = opening.RunJournal(session.find_target(file=str(driver.file)).folder)
    journal.note(opening.Run("sync", "default"))  # as a process leaves it that is killed
    driver.sync()
    outcomes = sorted(row["outcome"] for row in driver.rows("_loop_sync_runs"))
    assert outcomes == ["done", "done", "failed", "killed"]
    assert journal.unreported() == []
