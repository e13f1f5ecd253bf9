"""A run whose lock was lost, because the database ended the connection that held it, writes nothing more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg2
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from loop_returns.errors import LockedError, WarehouseError
from loop_returns.extract.reading import Limits
from loop_returns.runs.opening import open_session
from loop_returns.sandbox import Shop
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.lock import hold
from tests.support import PATIENCE
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.sandbox.server import SeenRequest

LOCKS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'loop-returns/%'"


@pytest.fixture
def driver(home: Path, postgres: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=4, returns=40, days=30, now=NOW)
    made = Driver(shop, home, address=postgres, dataset=request.node.originalname)
    yield made.start()
    made.stop()


def ask(address: str, sql: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
    connection.close()
    return rows


def end_locks(address: str) -> int:
    """Ends every connection that holds a lock, as a failover does; returns how many there were."""
    return len(ask(address, f"SELECT pg_terminate_backend(pid) FROM ({LOCKS}) AS l"))


def test_a_lock_lost_while_reading(driver: Driver, postgres: str) -> None:
    """When the lock is lost between two loads, the run ends with exit code 1 before the second; the next run repairs it."""
    patiently = Retrying(retry=retry_if_result(lambda so: not so), stop=stop_after_delay(PATIENCE), wait=wait_fixed(0.05))
    lost: list[int] = []
    one_at_a_time = threading.Lock()
    driver.limits, driver.settings = Limits(idle_rows=1), {"max_concurrency": 8}  # some are held up below

    def lose(request: SeenRequest) -> None:
        if request.path.endswith("asn"):
            with one_at_a_time:
                if driver.sandbox.on_request:  # else the run has ended already
                    patiently(lambda: driver.count("returns") == 40)  # they are loaded, the notices are not
                    lost.append(end_locks(postgres))

    driver.sandbox.on_request = lose
    with pytest.raises(WarehouseError, match="lock") as caught:
        driver.sync()
    with one_at_a_time:
        driver.sandbox.on_request = None
    assert any(lost)  # more than once where several requests were under way
    assert not isinstance(caught.value, LockedError)
    assert caught.value.exit_code == 1
    assert "run again" in caught.value.message.lower()
    assert (driver.count("returns"), driver.count("advanced_shipping_notices")) == (40, 0)
    assert driver.count("_loop_sync_runs") == 0, "the ledger is a write too"
    assert driver.sync().outcome == "done"
    driver.assert_equal()
    outcomes = driver.query("SELECT outcome, error_class FROM _loop_sync_runs ORDER BY outcome DESC")
    assert outcomes == [("failed", "WarehouseError"), ("done", None)]


@pytest.mark.long
def test_a_lock_lost_long_before_a_load(driver: Driver, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run looks at its lock while it reads, and reads no further once that is lost."""
    monkeypatch.setattr("loop_returns.runs.session.WATCH", 0)
    driver.settings = {"max_concurrency": 1, "window_days": 1}  # many requests, one after the other
    asked: list[str] = []

    def lose(request: SeenRequest) -> None:
        asked.append(request.path)
        if len(asked) == 20:
            assert end_locks(postgres) == 1

    driver.sandbox.on_request = lose
    with pytest.raises(WarehouseError, match=r"lock on .* was lost"):
        driver.sync()
    driver.sandbox.on_request = None
    assert len(asked) < 100, "of more than two thousand"
    assert driver.sync().outcome == "done"
    driver.assert_equal()


def test_a_lock_lost_in_the_end(driver: Driver, postgres: str) -> None:
    """When it is lost after the last load, neither marts nor the ledger are written."""

    def end_after_the_last_load() -> None:
        with open_session("sync", driver.resolved(marts="views"), driver.options(), None) as session:
            end_locks(postgres)
            session.finish()

    with pytest.raises(WarehouseError, match="lock"):
        end_after_the_last_load()
    assert driver.query(f"SELECT viewname FROM pg_views WHERE schemaname = '{driver.dataset}'") == []
    assert driver.count("_loop_sync_runs") == 0


def test_a_lock_that_holds(driver: Driver, postgres: str) -> None:
    """A lock can be confirmed as often as one likes while the connection lives, and no longer."""
    with hold(driver.options().target(), command="sync") as confirm:
        confirm()
        confirm()
        end_locks(postgres)
        with pytest.raises(WarehouseError, match="lock"):
            confirm()


def test_two_spellings_of_a_dataset(driver: Driver) -> None:
    """Names that are one schema in the database are one lock, one folder and one journal; other names are others."""
    names = ("Loop_Data", "loop_data", "LoopData")
    targets = [find_target(destination="postgres", dataset=name) for name in names]
    assert len({target.folder for target in targets}) == 1
    with hold(targets[0], command="sync"):
        for target in targets:
            with pytest.raises(LockedError), hold(target, command="sync"):
                pass
        with hold(find_target(destination="postgres", dataset="loop_data_2"), command="sync"):
            pass


def test_two_spellings_elsewhere(driver: Driver, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a run with another dlt folder, as on another machine."""
    with hold(find_target(destination="postgres", dataset="Loop_Data"), command="sync"):
        monkeypatch.setenv("DLT_DATA_DIR", str(home / "hers"))
        with pytest.raises(LockedError), hold(find_target(destination="postgres", dataset="loop_data"), command="sync"):
            pass


def test_two_paths_of_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the path of a DuckDB file is spelt, also over links, it is one lock, one folder and one journal."""
    (home / "real").mkdir()
    (home / "linked").symlink_to("real")
    (home / "real" / "other.duckdb").symlink_to("loop.duckdb")
    targets = [
        find_target(file=file) for file in ("real/loop.duckdb", "linked/../real/./loop.duckdb", "linked/other.duckdb")
    ]
    for path in ("linked/loop.duckdb", str(home / "linked" / "other.duckdb")):
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", path)
        targets.append(find_target())
    assert len({(target.file, target.folder) for target in targets}) == 1
    with hold(targets[0], command="sync"):
        for target in targets:
            with pytest.raises(LockedError), hold(target, command="sync"):
                pass


def test_spellings_of_a_dataset_in_a_file(home: Path) -> None:
    """A file is locked as a whole, whatever dataset a run writes; the datasets have folders of their own."""
    first, same, other = (find_target(file="loop.duckdb", dataset=name) for name in ("Shops", "shops", "others"))
    assert first.folder == same.folder != other.folder
    with hold(first, command="sync"), pytest.raises(LockedError), hold(other, command="sync"):
        pass
