"""A run loads in packages of bounded size, while it reads on, and lets others at a DuckDB file when it waits for the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.runs import loading
from loop_returns.runs.loading import Loader
from loop_returns.sandbox import Shop
from loop_returns.warehouse.load import Warehouse

from .driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from .driving import Driver


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many returns each package held."""
    sizes: list[int] = []

    def load(self: Warehouse, tables: Any, plain: Callable[..., list[str]] = Warehouse.load, **more: Any) -> list[str]:
        if "returns" in tables and tables["returns"].num_rows:
            sizes.append(tables["returns"].num_rows)
        return plain(self, tables, **more)

    monkeypatch.setattr(Warehouse, "load", load)
    return sizes


def test_no_package_is_larger_than_a_chunk_and_a_page(
    drive: Callable[..., Driver], packages: list[int], monkeypatch: pytest.MonkeyPatch
):
    """A package ends as soon as it has enough rows; together they hold every return once."""
    monkeypatch.setattr(loading, "CHUNK", 30)
    driver = drive(Shop.generate(seed=6, returns=150, days=100, now=NOW), settings={"page_size": 10, "window_days": 20})
    driver.sync()
    driver.assert_equal()
    assert len(packages) > 3
    assert max(packages) < 30 + 10
    assert sum(packages) == 150


@pytest.mark.long
def test_long_rows_make_smaller_packages(drive: Callable[..., Driver], packages: list[int], monkeypatch: pytest.MonkeyPatch):
    """Rows that need much memory are loaded sooner."""
    monkeypatch.setattr(loading, "_BYTES", 20_000)
    driver = drive(Shop.generate(seed=6, returns=60, days=100, now=NOW), settings={"page_size": 5, "window_days": 20})
    driver.sync()
    driver.assert_equal()
    assert len(packages) > 3


def test_an_idle_run_loads_what_it_has(drive: Callable[..., Driver], packages: list[int], monkeypatch: pytest.MonkeyPatch):
    """While the API keeps it waiting, a run loads what is worth a package."""
    monkeypatch.setattr(loading, "ENOUGH", 10)
    driver = drive(Shop.generate(seed=6, returns=60, days=100, now=NOW), settings={"page_size": 5, "max_concurrency": 1})
    driver.quirk(latency=0.05)
    driver.sync()
    driver.assert_equal()
    assert len(packages) > 1


@pytest.mark.long
def test_others_get_in_while_the_api_is_slow(
    drive: Callable[..., Driver], packages: list[int], monkeypatch: pytest.MonkeyPatch
):
    """Where loading is quicker than the API, a DuckDB file is free between two packages; afterwards it always is."""
    monkeypatch.setattr(loading, "ENOUGH", 10)
    seen: list[bool] = []

    def flush(self: Loader, *args: Any, plain: Callable[..., bool] = Loader.flush) -> bool:
        loaded = plain(self, *args)
        seen.append(not self._session.warehouse.file.is_open)
        return loaded

    monkeypatch.setattr(Loader, "flush", flush)
    driver = drive(Shop.generate(seed=6, returns=60, days=100, now=NOW), settings={"page_size": 5, "max_concurrency": 1})
    driver.quirk(latency=0.6)
    driver.sync(only="returns", start_date=NOW.replace(year=2026, month=6))
    assert len(packages) > 1
    assert any(seen[:-1])
    with duckdb.connect(str(driver.file)) as connection:
        assert connection.sql("SELECT count(*) FROM loop_returns.returns").fetchall() == [(60,)]


def test_a_failed_load_lets_go_of_the_file(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """When a load fails, the file is free at once, in the same process too."""
    driver = drive(Shop.generate(seed=6, returns=10, days=10, now=NOW))

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(Loader, "_load", fail)
        with pytest.raises(RuntimeError):
            driver.sync()
    with duckdb.connect(str(driver.file), read_only=True) as connection:
        assert connection.sql("SELECT 1").fetchall() == [(1,)]
    driver.sync()
    driver.assert_equal()
