"""What a run had read but not loaded is loaded once by the next one, or given up and read again: never lost, never doubled.

The dangerous moment is when the database has done a job and dlt does not know it yet: dlt would do the job again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest import mock

import psycopg2
import pytest
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.insert_job_client import InsertValuesLoadJob
from dlt.destinations.job_client_impl import SqlJobClientBase

from loop_returns.api.errors import WarehouseTrouble
from loop_returns.runs import loading
from loop_returns.sandbox import Shop

from .driving import NOW, Driver, impatient
from .killing import KILLED, in_child, run_and_kill
from .test_kills import happen, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from loop_returns.runs.ledger import Run

ROWS, STATE = "return_line_items", "_dlt_pipeline_state"
SETTINGS = {"lookback": timedelta(0), "start_date": NOW - timedelta(days=45)}


def either(*, often: str) -> pytest.MarkDecorator:
    """In both databases, in the ordinary suite in one."""
    rarely = {"duckdb": "postgres", "postgres": "duckdb"}[often]
    databases = [often, pytest.param(rarely, marks=pytest.mark.long)]
    return pytest.mark.parametrize("driver", databases, indirect=True)


both = pytest.mark.parametrize("driver", ["duckdb", "postgres"], indirect=True)


@pytest.fixture
def driver(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """A mirror that has been filled once, in either database."""
    address = None
    if request.param == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    shop = Shop.generate(seed=1, returns=8, days=40, now=NOW)
    dataset = f"pending_{os.urandom(4).hex()}"
    made = Driver(shop, home, settings=SETTINGS, address=address, dataset=dataset).start()
    with impatient():
        made.sync()
        happen(shop)
        yield made
    made.stop()


@contextmanager
def after(table: str, then: Callable[[], None]) -> Iterator[None]:
    """Has `then` happen when a job for the table is done in the database and before dlt has heard of it."""

    def patched(job: type) -> AbstractContextManager[object]:
        original = job.run  # type: ignore[attr-defined]

        def run(self: DuckDbCopyJob | InsertValuesLoadJob) -> None:
            original(self)
            if self.job_file_info().table_name == table:
                then()

        return mock.patch.object(job, "run", run)

    with patched(DuckDbCopyJob), patched(InsertValuesLoadJob):
        yield


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sync_and_look(driver: Driver) -> list[str]:
    """The next ordinary sync makes the mirror equal and finds every check well; returns what it has to say."""
    run = driver.sync()
    assert run.outcome == "done", run.checks
    driver.assert_equal()
    twice = "SELECT version_hash FROM _dlt_pipeline_state GROUP BY _dlt_load_id, version_hash HAVING count(*) > 1"
    assert driver.query(twice) == []
    return run.notices


@pytest.mark.parametrize(
    ("driver", "table"),
    [
        ("duckdb", ROWS),
        ("postgres", STATE),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (("duckdb", STATE), ("duckdb", "returns"), ("postgres", ROWS))
        ),
    ],
    indirect=["driver"],
)
def test_killed_when_the_database_was_done(driver: Driver, table: str):
    """Killed between the database's commit and dlt's note of it: the next run does not load the rows twice."""
    with after(table, die):
        assert in_child(driver.sync) == KILLED
    assert any("Finished the load of an earlier run" in notice for notice in sync_and_look(driver))


@either(often="duckdb")
def test_killed_when_the_load_was_declared_complete(driver: Driver):
    """Killed between the warehouse's note that a load is complete and dlt's own: the load is noted once."""
    original = SqlJobClientBase.complete_load

    def complete(self: SqlJobClientBase, load_id: str) -> None:
        original(self, load_id)
        die()

    with mock.patch.object(SqlJobClientBase, "complete_load", complete):
        assert in_child(driver.sync) == KILLED
    sync_and_look(driver)
    assert driver.query("SELECT load_id FROM _dlt_loads GROUP BY load_id HAVING count(*) > 1") == []


@either(often="postgres")
@pytest.mark.parametrize("table", [ROWS, pytest.param("returns", marks=pytest.mark.long)])
def test_killed_while_new_rows_are_added(driver: Driver, table: str, monkeypatch: pytest.MonkeyPatch):
    """Many new rows are only appended; killed when the database was done, they are there once after the next run."""
    monkeypatch.setattr(loading, "MANY", 1)
    driver.sync()
    driver.shop.tick(60)
    driver.shop.add_returns(5)
    with after(table, die):
        assert in_child(driver.sync) == KILLED
    sync_and_look(driver)


@either(often="postgres")
@pytest.mark.parametrize("table", [ROWS, pytest.param(STATE, marks=pytest.mark.long)])
def test_the_answer_was_lost(driver: Driver, table: str):
    """The connection breaks between the commit and its answer: the same run loads its rows again, and only once."""
    broken = iter([True])

    def lose() -> None:
        if next(broken, False):
            raise DatabaseTransientException(psycopg2.OperationalError("server closed the connection unexpectedly"))

    with after(table, lose):
        sync_and_look(driver)
    assert next(broken, None) is None, "it never broke"


@pytest.mark.long
@both
def test_the_answer_is_lost_again_and_again(driver: Driver):
    """A destination that fails every time fails the run, which says so; the next one has everything, once."""

    def lose() -> None:
        raise DatabaseTransientException(psycopg2.OperationalError("server closed the connection unexpectedly"))

    with after("return_labels", lose), pytest.raises(WarehouseTrouble, match="cannot be reached"):
        driver.sync()
    assert any("Finished the load of an earlier run" in notice for notice in sync_and_look(driver))


@either(often="postgres")
def test_a_folder_that_a_kill_left_broken(driver: Driver):
    """A kill while dlt rewrites its schema files leaves what it had read unreadable: the next run reads it again."""
    driver.dataset += "_new"  # where the warehouse can't help out with the schema it keeps
    assert run_and_kill(driver.sync, at=statement("CREATE TABLE", "return_line_items"))
    for schemas in driver.folder.glob("dlt/**/schemas"):  # dlt deletes them before it writes the new ones
        shutil.rmtree(schemas)
        schemas.mkdir()
    assert any("its rows are read again" in notice for notice in sync_and_look(driver))


@either(often="duckdb")
def test_giving_up(driver: Driver):
    """`--abort-pending` gives up what was read and not loaded; it is read again."""
    with after("return_line_items", die):
        assert in_child(driver.sync) == KILLED
    run = driver.sync(abort_pending=True)
    assert any("Gave up" in notice for notice in run.notices)
    driver.assert_equal()


@pytest.mark.long
@either(often="postgres")
@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again(driver: Driver, seed: int):
    """Run after run is killed at any step, on new machines too; one ordinary sync later the mirror is the shop."""
    rng = random.Random(seed)
    works: dict[str, Callable[[], Run]] = {
        "sync": driver.sync,
        "backfill": lambda: driver.backfill(NOW - timedelta(days=42), driver.shop.now),
        "reconcile": lambda: driver.reconcile(43),
    }
    for _ in range(3):
        for _ in range(rng.randint(1, 5)):
            run_and_kill(works[rng.choice(list(works))], at=rng.randint(1, 250))
            if rng.random() < 0.5:
                shutil.rmtree(driver.folder / "dlt", ignore_errors=True)
            if rng.random() < 0.3:
                happen(driver.shop)
        sync_and_look(driver)
