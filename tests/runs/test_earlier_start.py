"""A `start_date` set earlier than before is read: everything since then is loaded, also when a run is killed in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.runs.status import shop_state
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

DAY = timedelta(days=1)


@pytest.mark.long
def test_it_is_read_from_there(drive: Callable[..., Driver]):
    """The next sync reads from the new date on, says so, and does it once."""
    driver = drive(Shop.generate(seed=51, returns=40, days=300, now=NOW))
    late, early = NOW - 60 * DAY, NOW - 400 * DAY
    first = driver.sync(start_date=late)
    assert driver.differences()
    run = driver.sync(start_date=early)
    assert any("start_date" in notice for notice in run.notices)
    assert run.cursor_after == first.cursor_after, "the cursor never goes back"
    driver.assert_equal()
    again = driver.sync(start_date=early)
    assert (again.windows < run.windows, again.notices) == (True, [])
    later = driver.sync(start_date=late)
    assert (later.windows, later.notices) == (again.windows, []), "a later date changes nothing"


@pytest.mark.long
def test_killed_in_between(drive: Callable[..., Driver]):
    """A run that is killed on the way begins again; so does a first sync whose start_date is then set earlier."""
    driver = drive(Shop.generate(seed=52, returns=20, days=300, now=NOW), settings={"window_days": 20, "page_size": 5})
    driver.limits = replace(driver.limits, rows=5, idle_rows=1)
    loads = []

    def third_load(what: str, detail: str) -> bool:
        loads.extend([1] * (what == "commit_transaction"))
        return len(loads) > 12

    assert run_and_kill(lambda: driver.sync(start_date=NOW - 60 * DAY), at=third_load)
    loads.clear()
    assert run_and_kill(lambda: driver.sync(start_date=NOW - 400 * DAY), at=third_load)
    driver.sync(start_date=NOW - 400 * DAY)
    driver.assert_equal()
    assert shop_state(driver.resolved(), driver.options()).since == NOW - 400 * DAY
