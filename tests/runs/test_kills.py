"""A run that ends badly at any moment is repaired by the next ordinary one, and no cursor ever ran ahead."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.errors import AccessDeniedError, DatabaseInUseError
from loop_returns.extract.reading import Limits
from loop_returns.sandbox import Shop
from loop_returns.warehouse import connection as held
from tests.support.driving import NOW, Driver
from tests.support.killing import FAILED, in_child, run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loop_returns.runs.ledger import Run
    from loop_returns.sandbox import SeenRequest
    from tests.support.killing import Moment

SETTINGS = {"lookback": timedelta(0), "start_date": NOW - timedelta(days=45)}


def file_step(event: str, part: str) -> Moment:
    """Before a step on a file or folder whose path has this part."""
    return lambda what, detail: what == event and part in detail


def statement(*parts: str) -> Moment:
    """Before a statement with these parts."""
    return lambda what, detail: what == "execute_query" and all(part.lower() in detail.lower() for part in parts)


def request(number: int) -> Moment:
    """Before this request."""
    numbers = iter(range(1, 1000))
    return lambda what, _: what == "_fetch" and next(numbers) == number


MOMENTS: dict[str, Moment] = {
    "normalize: is handed over": file_step("os.rename", "/load/normalized/"),
    "normalize: its input is put away": file_step("shutil.rmtree", "/normalize/extracted/"),
    "load: the first merge": statement("DELETE FROM"),
    "load: it is declared complete": statement("INSERT INTO", "_dlt_loads"),
    "load: it is put away": file_step("os.rename", "/load/loaded/"),
}
USUAL = {name: MOMENTS[name] for name in ("normalize: is handed over", "load: the first merge")}
MORE_MOMENTS: dict[str, Moment] = {
    "extract: the fourth request": request(4),
    "extract: what was read is handed over": file_step("os.rename", "/normalize/extracted/"),
    "normalize: begins": file_step("os.mkdir", "/load/new/"),
    "load: rows of a later table": statement('INTO "loop_returns"."return_labels"'),
    "the notices": statement('INTO "loop_returns"."advanced_shipping_notices"'),
    "the ledger": statement('INTO "loop_returns"."_loop_sync_runs"'),
}


@pytest.fixture
def driver(drive: Callable[..., Driver]) -> Driver:
    return drive(Shop.generate(seed=1, returns=20, days=40, now=NOW), settings=SETTINGS)


def happen(shop: Shop) -> None:
    """A bit of everything that a sync can see."""
    shop.tick(60)
    shop.change(4)
    shop.add_returns(1)
    shop.remove_line_items(2)
    shop.remove_line_items(1, all_of_it=True)


def check(driver: Driver, moments: dict[str, Moment], *, wipe: bool = False) -> None:
    driver.sync()
    for name, moment in moments.items():
        happen(driver.shop)
        assert run_and_kill(driver.sync, at=moment), f"the moment never came: {name}"
        if wipe:
            shutil.rmtree(driver.folder / "dlt")
        happen(driver.shop)
        driver.sync()
        assert driver.differences() == [], name


@pytest.mark.parametrize("moments", [USUAL, pytest.param(MOMENTS, marks=pytest.mark.long)], ids=["some", "more"])
def test_killed_at_any_moment(driver: Driver, moments: dict[str, Moment]):
    """kill -9 at each step of extract, normalize and load: the next sync has everything, also what changed in between."""
    check(driver, moments)
    outcomes = dict(driver.query("SELECT outcome, count(*) FROM _loop_sync_runs GROUP BY 1"))
    assert outcomes == {"done": len(moments) + 1, "killed": len(moments)}, "the ledger has the killed runs too"


@pytest.mark.long
def test_killed_and_moved_to_a_new_machine(driver: Driver):
    """The same when it had begun to load and dlt's folder is gone afterwards: the destination's own state is enough."""
    every = {**MOMENTS, **MORE_MOMENTS}
    check(driver, {name: every[name] for name in every if name.startswith(("load", "the"))}, wipe=True)


@pytest.mark.long
def test_killed_at_more_moments(driver: Driver):
    """The same at moments that are less likely to leave something half done."""
    check(driver, MORE_MOMENTS)


@pytest.mark.long
def test_killed_in_the_first_run(driver: Driver):
    """The same for the very first run, when neither folders nor tables are there yet."""
    first: dict[str, Moment] = {
        **MOMENTS,
        "the pipeline's folder": file_step("os.mkdir", "/dlt/"),
        "the folder of packages": file_step("os.mkdir", "/load/normalized"),
        "the schema": statement("CREATE SCHEMA"),
        "the tables": statement("CREATE TABLE"),
    }
    for name, moment in first.items():
        run_and_kill(driver.sync, at=moment)
        driver.sync()
        assert driver.differences() == [], name
        shutil.rmtree(driver.folder / "dlt")
        driver.file.unlink()
        happen(driver.shop)


@pytest.mark.long
@pytest.mark.parametrize("again", [Driver.sync, Driver.reconcile])
def test_lines_that_came_without_their_return(driver: Driver, again: Callable[[Driver], Run]):
    """Lines of new returns whose own rows a kill held back are replaced, or go with the last line, on a new machine too."""
    driver.sync()
    driver.shop.tick(60)
    new = driver.shop.add_returns(3)
    assert run_and_kill(driver.sync, at=statement("INSERT INTO", '"loop_returns"."returns"'))
    shutil.rmtree(driver.folder / "dlt")
    assert driver.count("returns", f"id >= '{min(new)}'") == 0
    driver.shop.remove_line_items(len(driver.shop) // 2, all_of_it=True)
    again(driver)
    driver.assert_equal()


def test_killed_while_the_folders_are_made(driver: Driver):
    """A folder that dlt had only begun to make does not stop the next run."""
    assert run_and_kill(driver.sync, at=file_step("os.mkdir", "/load/normalized"))
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("wipe", [False, True])
def test_postgres(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch, wipe: bool):
    """The same in PostgreSQL, whose tables are loaded side by side."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=2, returns=15, days=40, now=NOW)
    driver = Driver(shop, home, settings=SETTINGS, address=postgres, dataset=f"kills_{wipe}".lower()).start()
    moments = [statement("DELETE FROM"), statement("INSERT INTO", "_dlt_loads")]
    driver.sync()
    for moment in moments if not wipe else [*moments, statement("INSERT INTO", "return_labels")]:
        happen(shop)
        assert run_and_kill(driver.sync, at=moment)
        if wipe:
            shutil.rmtree(home / "dlt")
        happen(shop)
        driver.sync()
        driver.assert_equal()
    driver.stop()


@pytest.mark.long
def test_a_killed_backfill_goes_on(driver: Driver):
    """A backfill in several packages that is killed goes on where it was; the sync cursor does not move meanwhile."""
    cursor = driver.sync().cursor_after
    driver.shop.tick(600)
    driver.shop.change(10)
    driver.shop.change(10, silent=True)
    start = NOW - timedelta(days=44)
    loads = iter(range(100))

    def third_load(what: str, detail: str) -> bool:
        return what == "os.rename" and "/load/loaded/" in detail and next(loads) == 2

    def work() -> None:
        driver.backfill(start, NOW, only="returns", window_days=5, max_concurrency=1)

    driver.limits = Limits(rows=6)
    assert run_and_kill(work, at=third_load)
    run = driver.backfill(start, NOW, only="returns", window_days=5, max_concurrency=1)
    assert any("Went on with a backfill" in notice for notice in run.notices)
    assert driver.sync().cursor_before == cursor
    driver.assert_equal()


def test_the_key_expires_halfway(driver: Driver):
    """A key that is revoked in the middle stops the run with exit code 2 and moves nothing; with a new one all is well."""
    left = iter(range(4))

    def expire(_: SeenRequest) -> None:
        if next(left, None) is None:
            driver.quirk(scopes=frozenset())

    driver.sandbox.on_request = expire
    with pytest.raises(AccessDeniedError) as caught:
        driver.sync()
    assert caught.value.exit_code == 2
    driver.sandbox.on_request = None
    driver.quirk(scopes=frozenset({"returns"}))
    driver.sync()
    driver.assert_equal()
    outcomes = driver.query("SELECT outcome FROM _loop_sync_runs ORDER BY started_at")
    assert outcomes == [("failed",), ("done",)]


@pytest.mark.long
def test_the_file_is_held_by_another_program(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """While a reader holds the DuckDB file a run fails and says who holds it; afterwards the next one catches up."""
    driver.sync()
    happen(driver.shop)
    monkeypatch.setattr(held, "_PATIENCE", 0.2)  # how long a user waits is no option; in vain it need not be long here
    with reader(driver.file) as pid, pytest.raises(DatabaseInUseError, match=str(pid)):
        driver.sync()
    driver.sync()
    driver.assert_equal()


class reader:  # noqa: N801 # reads as a statement
    """Another program that holds the file open for reading."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> int:
        opened = f"duckdb.connect({str(self._file)!r}, read_only=True)"
        code = f"import duckdb, sys; c = {opened}; print(flush=True); sys.stdin.read()"
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@pytest.mark.parametrize("full", ["everything", pytest.param("the database", marks=pytest.mark.long)])
def test_a_full_disk(driver: Driver, full: str):
    """A disk without room for a run's files, or for the database, fails it; with room again nothing is lost or doubled."""
    driver.shop.add_returns(300)
    limit = 4096 if full == "everything" else 100_000  # enough for dlt's files, too little for DuckDB's journal

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        driver.sync()

    assert in_child(work) == FAILED
    driver.sync()
    driver.assert_equal()


@pytest.mark.long
def test_the_database_goes_away(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    """A database that throws out its clients in the middle of a run fails it; the next run has everything."""
    import psycopg2

    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=3, returns=15, days=40, now=NOW)
    driver = Driver(shop, home, settings=SETTINGS, address=postgres, dataset="away").start()

    one_at_a_time = threading.Lock()  # two requests side by side would throw out each other's connection

    def throw_out(request: SeenRequest) -> None:
        if not request.path.endswith("asn"):
            return
        with one_at_a_time:
            connection = psycopg2.connect(postgres)
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.cursor().execute(others)
            connection.close()

    driver.sync()
    happen(shop)
    driver.sandbox.on_request = throw_out
    in_child(driver.sync)
    driver.sandbox.on_request = None
    happen(shop)
    driver.sync()
    driver.assert_equal()
    driver.stop()


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.05, 0.8, 1.6])
def test_the_command_is_killed(driver: Driver, seconds: float, home: Path):
    """The command itself, in a process of its own, killed so long after it has begun to write; the next one repairs it."""
    environment = {
        **os.environ,
        "SOURCES__LOOP_RETURNS__API_KEY": driver.sandbox.api_key,
        "SOURCES__LOOP_RETURNS__BASE_URL": driver.sandbox.url,
        "SOURCES__LOOP_RETURNS__START_DATE": "2026-08-01",
        "SOURCES__LOOP_RETURNS__LOOKBACK": "0s",
    }
    command = [sys.executable, "-c", "import sys; from loop_returns.cli import main; sys.exit(main())", "sync"]
    process = subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list((home / "dlt").glob("**/*.json")):
        time.sleep(0.01)
    time.sleep(seconds)  # whatever it is at by then on this machine
    process.kill()
    process.wait()
    happen(driver.shop)
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    driver.assert_equal()
    with duckdb.connect(str(driver.file)) as connection:
        rows: list[tuple[Any, ...]] = connection.execute("SELECT count(*) FROM loop_returns._loop_sync_runs").fetchall()
    assert rows[0][0] >= 1
