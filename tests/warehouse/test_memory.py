"""DuckDB has little memory, and as much as a load needs."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import dlt
import duckdb

from loop_returns import marts
from loop_returns.sandbox import Shop
from loop_returns.warehouse import load
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.driving import Driver


def test_a_load_that_does_not_fit(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """A load for which the limit is too low is made again with twice as much, and nothing of it lands twice."""
    driver = drive(Shop.generate(seed=8, returns=60, days=50, now=NOW))
    limits, loads = list[int](), count()
    run, opened = dlt.Pipeline.run, load.Warehouse._open

    def note(self: load.Warehouse) -> None:
        limits.append(self._memory)
        opened(self)

    def fail_twice(self: dlt.Pipeline, *args: Any, **more: Any) -> Any:
        done = run(self, *args, **more)
        if next(loads) in {1, 2}:  # no shop of a test's size needs more than there is
            raise duckdb.OutOfMemoryException("could not allocate block of size 256.0 KiB")
        return done

    monkeypatch.setattr(load.Warehouse, "_open", note)
    monkeypatch.setattr(dlt.Pipeline, "run", fail_twice)
    assert driver.sync().outcome == "done"
    assert limits[-1] == 4 * limits[0]
    driver.assert_equal()


def test_facts_that_do_not_fit(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """Facts for which the limit is too low are filled again with twice as much, until they fit."""
    driver = drive(Shop.generate(seed=8, returns=20, days=20, now=NOW), settings={"marts": "tables"})
    limits = list[int]()
    opened, refresh = load.Warehouse._open, marts.refresh

    def note(self: load.Warehouse) -> None:
        limits.append(self._memory)
        opened(self)

    def need(pipeline: dlt.Pipeline, **more: Any) -> list[str]:
        if limits[-1] < 4 * limits[0]:  # no shop of a test's size needs more than there is
            with pipeline.sql_client() as client:
                client.execute_sql("SET memory_limit = '1MB'")
                client.execute_sql("CREATE TEMP TABLE much AS SELECT range FROM range(10000000)")
        return refresh(pipeline, **more)

    monkeypatch.setattr(load.Warehouse, "_open", note)
    monkeypatch.setattr(marts, "refresh", need)
    assert driver.sync().outcome == "done"
    assert limits[-1] >= 4 * limits[0]
    assert driver.count("fct_returns") == 20
