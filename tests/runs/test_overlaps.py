"""Where no lock holds between machines, two runs that overlapped are seen in the ledger.

Simulated is only that: a PostgreSQL whose lock is left out, and another machine as a process with a data folder of its own.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from loop_returns.runs.progress import Silent
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Shop
from loop_returns.warehouse.destination import Target
from tests.support.driving import NOW, Driver
from tests.support.killing import DONE, in_child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.runs.ledger import Run


@pytest.fixture
def driver(home: Path, postgres: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    monkeypatch.setattr(Target, "locked_in", None)
    shop = Shop.generate(seed=4, returns=8, days=30, now=NOW)
    settings = {"start_date": NOW - timedelta(days=40)}
    made = Driver(shop, home, settings=settings, address=postgres, dataset=request.node.name)
    yield made.start()
    made.stop()


def on_another_machine(driver: Driver, *, shop: str, ahead: timedelta = timedelta(0)) -> None:
    """Syncs the shop in a process with another data folder, to its good end."""

    def work() -> None:
        os.environ["DLT_DATA_DIR"] = str(driver.folder / "hers")
        with time_machine.travel(driver.shop.now + ahead):
            driver.sync(shop=shop)

    assert in_child(work) == DONE


def meanwhile(driver: Driver, *, shop: str) -> Run:
    """A sync that is about to load when another machine begins to sync."""

    class Held(Silent):
        def doing(self, what: str) -> None:
            if what.startswith("loading"):
                on_another_machine(driver, shop=shop)

    driver.shop.tick(60)
    driver.shop.change(1)
    with driver._at_its_time():
        return sync(driver.resolved(), driver.options(), progress=Held())


@pytest.mark.long
def test_overlapping(driver: Driver) -> None:
    """Of two runs that overlapped the one that ends last says so with exit code 3, of whichever shop; the next is well."""
    run = meanwhile(driver, shop="another")
    assert (run.outcome, run.exit_code) == ("check_failed", 3)
    (check,) = (one for one in run.checks if one["name"] == "one_run_at_a_time")
    assert "`sync` of the shop another" in check["message"]
    assert "reconcile" in check["message"]
    ledger = driver.query("SELECT shop, outcome, exit_code FROM _loop_sync_runs ORDER BY shop")
    assert ledger == [("another", "done", 0), ("default", "check_failed", 3)], "the other ended before it could know"
    assert driver.sync().outcome == "done"
    assert driver.differences() == driver.differences(shop="another") == []


def test_one_after_the_other(driver: Driver) -> None:
    """Runs of shops that are loaded by turns do not overlap, also where another machine's clock is an hour ahead."""
    on_another_machine(driver, shop="another", ahead=timedelta(hours=1))
    assert driver.sync().outcome == "done"
