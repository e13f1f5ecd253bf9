"""What a run had read and not loaded is read again, and what a load that was cut off had written is there once.

The dangerous moment is when the database has done a job and dlt does not know it yet.
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
from dlt.destinations.exceptions import DatabaseTerminalException, DatabaseTransientException
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.insert_job_client import InsertValuesLoadJob
from dlt.destinations.job_client_impl import SqlJobClientBase

from loop_returns.errors import WarehouseError
from loop_returns.extract.reading import Limits
from loop_returns.sandbox import Shop
from loop_returns.warehouse.copy_csv import CopyJob
from tests.runs.test_kills import file_step, happen, statement
from tests.support.driving import NOW, Driver
from tests.support.killing import KILLED, in_child, run_and_kill

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


in_postgres = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


@pytest.fixture
def driver(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """A mirror that has been filled once, in either database."""
    address = None
    if request.param == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    shop = Shop.generate(seed=1, returns=8, days=40, now=NOW)
    dataset = f"cut_off_{os.urandom(4).hex()}"
    made = Driver(shop, home, settings=SETTINGS, address=address, dataset=dataset).start()
    made.sync()
    happen(shop)
    yield made
    made.stop()


@contextmanager
def after(table: str, then: Callable[[], None]) -> Iterator[None]:
    """Has `then` happen when a job for the table is done in the database and before dlt has heard of it."""

    # dlt tells nobody of this moment; only its own methods come by it
    def patched(job: type) -> AbstractContextManager[object]:
        original = job.run  # type: ignore[attr-defined]

        def run(self: DuckDbCopyJob | CopyJob | InsertValuesLoadJob) -> None:
            original(self)
            if self.job_file_info().table_name == table:
                then()

        return mock.patch.object(job, "run", run)

    with patched(DuckDbCopyJob), patched(CopyJob), patched(InsertValuesLoadJob):
        yield


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lose() -> None:
    raise DatabaseTransientException(psycopg2.OperationalError("server closed the connection unexpectedly"))


def sync_and_look(driver: Driver) -> None:
    """The next ordinary sync makes the mirror equal and finds every check well, and nothing of dlt's stays behind."""
    run = driver.sync()
    assert run.outcome == "done", run.checks
    driver.assert_equal()
    twice = "SELECT version_hash FROM _dlt_pipeline_state GROUP BY _dlt_load_id, version_hash HAVING count(*) > 1"
    assert driver.query(twice) == []
    assert driver.query("SELECT load_id FROM _dlt_loads GROUP BY load_id HAVING count(*) > 1") == []
    assert scratch(driver) == []


def scratch(driver: Driver) -> list[str]:
    """What dlt keeps in the data folder, beside our lock and journal."""
    return [str(path) for path in (driver.folder / "dlt").glob("loop_returns/*/*") if path.name not in {"run.lock", "runs"}]


@pytest.mark.parametrize(
    ("driver", "table"),
    [
        ("duckdb", ROWS),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (("duckdb", STATE), ("duckdb", "returns"), ("postgres", ROWS), ("postgres", STATE))
        ),
    ],
    indirect=["driver"],
)
def test_killed_when_the_database_was_done(driver: Driver, table: str):
    """Killed between the database's commit and dlt's note of it: after the next run the rows are there once."""
    with after(table, die):
        assert in_child(driver.sync) == KILLED
    sync_and_look(driver)


@either(often="duckdb")
def test_killed_when_the_load_was_declared_complete(driver: Driver):
    """Killed between the warehouse's note that a load is complete and dlt's own: the load is noted once."""
    original = SqlJobClientBase.complete_load

    def complete(self: SqlJobClientBase, load_id: str) -> None:
        original(self, load_id)
        die()

    with mock.patch.object(SqlJobClientBase, "complete_load", complete):  # dlt tells nobody of this moment
        assert in_child(driver.sync) == KILLED
    sync_and_look(driver)


@pytest.mark.long
@in_postgres
@pytest.mark.parametrize("table", [ROWS, STATE])
def test_the_answer_was_lost(driver: Driver, table: str):
    """The connection breaks between a commit and its answer: the same run loads the chunk again, and its rows are once."""
    broken = iter([True])

    def lose_once() -> None:
        if next(broken, False):
            lose()

    with after(table, lose_once):
        sync_and_look(driver)
    assert next(broken, None) is None, "it never broke"


@pytest.mark.long
@in_postgres
def test_the_connection_is_lost_in_the_last_chunk(driver: Driver):
    """A run of several chunks whose last load fails in a passing way ends well, without reading anything twice."""
    driver.shop.add_returns(12)
    driver.limits, driver.settings = Limits(rows=4), {**SETTINGS, "page_size": 2}
    loads: list[str] = []

    def lose_the_third() -> None:
        loads.append("")
        if len(loads) == 3:
            lose()

    driver.sandbox.clear_log()
    with after("returns", lose_the_third):
        sync_and_look(driver)
    assert len(loads) > 3
    asked = [tuple(sorted(one.params.items())) for one in driver.sandbox.requests if one.path.endswith("/list")]
    assert len(set(asked)) == len(asked)


@pytest.mark.long
@in_postgres
def test_the_answer_is_lost_again_and_again(driver: Driver):
    """A destination that fails every time fails the run, which says so; the next one has everything, once."""
    with after("return_labels", lose), pytest.raises(WarehouseError, match="cannot be reached"):
        driver.sync()
    assert scratch(driver) == []
    sync_and_look(driver)


@pytest.mark.long
@in_postgres
def test_a_working_folder_that_is_damaged(driver: Driver):
    """Whatever a kill or a power cut left in dlt's working folder, the next run does not look at it."""
    assert run_and_kill(driver.sync, at=statement("DELETE FROM"))
    (folder,) = driver.folder.glob("dlt/loop_returns/*/loop_returns")
    damaged = [path for path in folder.rglob("*") if path.is_file()]
    assert damaged
    for number, path in enumerate(damaged):
        path.write_bytes((b"", b"x", b"\0" * 100)[number % 3])
    sync_and_look(driver)


@pytest.mark.long
@either(often="duckdb")
def test_a_working_folder_that_goes_away(driver: Driver):
    """A data folder that is emptied between runs, or while one is killed, costs nothing."""
    assert run_and_kill(driver.sync, at=file_step("os.rename", "/load/normalized/"))
    shutil.rmtree(driver.folder / "dlt")
    sync_and_look(driver)
    shutil.rmtree(driver.folder / "dlt")
    sync_and_look(driver)


@pytest.mark.long
@either(often="duckdb")
def test_nothing_stays_behind(driver: Driver):
    """After a run that failed the working folder is gone like after one that went well."""
    assert scratch(driver) == []

    def fail() -> None:
        raise DatabaseTerminalException(psycopg2.ProgrammingError("no such thing"))

    with after(ROWS, fail), pytest.raises(WarehouseError, match="no such thing"):
        driver.sync()
    assert scratch(driver) == []
    sync_and_look(driver)


@pytest.mark.long
@pytest.mark.parametrize(("driver", "seed"), [("duckdb", 0), ("postgres", 2)], indirect=["driver"])
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
