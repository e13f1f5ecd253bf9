"""A whole life in a DuckLake with a real PostgreSQL as its catalogue; needs DuckDB's extensions, which come as packages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2
import pytest

from loop_returns.errors import LockedError
from loop_returns.report.data import read_data
from loop_returns.runs.backfill import backfill
from loop_returns.runs.reconcile import reconcile
from loop_returns.runs.session import Options
from loop_returns.runs.status import status
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Shop
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.reader import looking
from tests.support import PATIENCE
from tests.support.driving import NOW, Driver
from tests.support.mirror import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
pytestmark = pytest.mark.engines


@pytest.fixture
def driver(home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    extensions = pytest.importorskip("duckdb_extensions")
    for name in ("ducklake", "postgres_scanner"):
        extensions.import_extension(name)
    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE lake_{os.getpid()}_{home.name}".replace("-", "_")[:60])
    connection.close()
    address = postgres.replace("/postgres?", f"/{f'lake_{os.getpid()}_{home.name}'.replace('-', '_')[:60]}?")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG", address)
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__DUCKLAKE_NAME", "lake")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL", str(home / "files"))
    made = Driver(Shop.generate(seed=6, returns=30, days=40, now=NOW), home, settings={"marts": "views"})
    yield made.start()
    made.stop()


@pytest.fixture
def options() -> Options:
    return Options(destination="ducklake")


def wrong(driver: Driver, options: Options) -> list[str]:
    """Everything in which the lake is not what the shop is."""

    def rows(table: str) -> list[dict[str, Any]]:
        with looking(options.target()) as reader:
            reader.execute("SET TimeZone = 'UTC'")
            with reader.query(f"SELECT * FROM {reader.name(table)}") as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return differences(driver.shop.returns_snapshot(), driver.shop.asn_snapshot(), rows, shop="default")


def at_its_time(driver: Driver, work: Callable[..., T], *given: Any, **more: Any) -> T:
    """Calls a run with the shop's time as this machine's."""
    with driver._at_its_time():
        return work(driver.resolved(), *given, **more)


def test_life(driver: Driver, options: Options) -> None:
    """Syncs, vanished lines, a backfill, deleted and silently changed returns: the lake equals the shop."""
    at_its_time(driver, sync, options)
    assert wrong(driver, options) == []
    driver.shop.change(5)
    driver.shop.add_returns(3)
    driver.shop.remove_line_items(2)
    driver.shop.remove_line_items(1, all_of_it=True)
    assert at_its_time(driver, sync, options).outcome == "done"
    assert wrong(driver, options) == []
    driver.shop.delete_returns(1)
    driver.shop.change(3, silent=True)
    assert at_its_time(driver, reconcile, options, days=400, progress=None).outcome == "drift"
    start = driver.resolved().start_date
    assert at_its_time(driver, backfill, options, start=start, end=driver.shop.now).outcome == "done"
    assert wrong(driver, options) == []
    assert at_its_time(driver, reconcile, options, days=400, progress=None).outcome == "done"
    assert at_its_time(driver, status, options).tables[0].deleted == 1
    with driver._at_its_time():
        assert read_data(options.target(), days=400).tables["daily"]
    assert options.target().untried is None
    assert list((driver.folder / "files").rglob("*.parquet")), "rows are in files"


def test_killed(driver: Driver, options: Options) -> None:
    """A run that is killed in the middle of its load leaves nothing that the next one does not put right."""
    program = (
        "import os, signal; from loop_returns.__main__ import main; from dlt.load.load import Load;"
        "Load.complete_package = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL); main()"
    )
    settings = driver.resolved()
    keys = {
        "SOURCES__LOOP_RETURNS__API_KEY": settings.api_key,
        "SOURCES__LOOP_RETURNS__BASE_URL": settings.base_url,
        "SOURCES__LOOP_RETURNS__START_DATE": "2026-01-01",
    }
    ended = subprocess.run(
        [sys.executable, "-c", program, "sync", "--destination", "ducklake"],
        env={**os.environ, **keys},
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == -signal.SIGKILL
    at_its_time(driver, sync, options)
    assert wrong(driver, options) == []


def test_one_writer(driver: Driver, options: Options, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is in the catalogue: a run on another machine, with whatever dataset of this lake, is refused."""
    with hold(options.target(), command="sync"):
        monkeypatch.setenv("DLT_DATA_DIR", str(home / "hers"))
        elsewhere = Options(destination="ducklake", dataset="others").target()
        with pytest.raises(LockedError), hold(elsewhere, command="sync"):
            pass
