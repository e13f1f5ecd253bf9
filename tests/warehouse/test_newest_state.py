"""Whichever machine wrote it, whatever its clock said: what the last completed run remembered is what the next one knows."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from loop_returns.extract.reading import Limits, Reading
from loop_returns.runs.session import Session
from loop_returns.runs.status import shop_state, status
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.killing import KILLED, in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

FAR = timedelta(days=400)


def newest(driver: Driver) -> object:
    return driver.query("SELECT max(updated_at) FROM returns")[0][0]


@pytest.mark.long
@pytest.mark.parametrize("off", [FAR, -FAR])
def test_one_run_on_a_machine_with_a_wrong_clock(drive: Callable[..., Driver], off: timedelta):
    """After it, later runs are remembered: cursor, status and the other shop's part."""
    driver = drive(Shop.generate(seed=41, returns=10, days=5, now=NOW), settings={"marts": "views"})
    driver.sync()
    driver.sync(shop="second")
    with time_machine.travel(NOW + off):
        driver.sync()
    for _ in range(2):
        driver.shop.tick(86400)
        driver.shop.change(3)
        run = driver.sync()
        assert shop_state(driver.resolved(), driver.options()).cursor == run.cursor_after == newest(driver)
    known = driver.sync(shop="second").cursor_before
    assert known is not None
    assert known <= NOW
    with time_machine.travel(driver.shop.now + timedelta(minutes=1)):
        told = status(driver.resolved(), driver.options())
    assert told.last_run is not None
    assert told.last_run["run_id"] == run.run_id
    assert driver.query("SELECT last_run_at FROM rpt_sync_freshness WHERE shop = 'default'") == [(run.started_at,)]
    driver.assert_equal()


@pytest.mark.long
def test_a_killed_run_on_a_machine_that_is_behind(drive: Callable[..., Driver]):
    """What a killed run had loaded is remembered: the notices of the returns that it saw change are read by the next run."""
    settings, limits = {"asn_horizon_days": 1, "page_size": 5}, Limits(idle_rows=1)
    driver = drive(Shop.generate(seed=42, returns=30, days=300, now=NOW), settings=settings, limits=limits)
    driver.sync()
    driver.shop.tick(3600)
    assert driver.shop.change(10)

    def killed_after_a_load() -> None:
        def load(self: Session, reading: Reading, plain: Callable[..., None] = Session._load) -> None:
            plain(self, reading)
            if reading.state.days_due:
                os.kill(os.getpid(), signal.SIGKILL)

        Session._load = load  # type: ignore[method-assign] # in the child only
        driver.sync()

    with time_machine.travel(driver.shop.now - FAR):
        assert in_child(killed_after_a_load) == KILLED
    assert shop_state(driver.resolved(), driver.options()).days_due, "the killed run's memory"
    driver.sync()
    driver.assert_equal()
