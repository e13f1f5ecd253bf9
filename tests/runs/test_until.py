"""A sync with an upper bound, for orchestrators that try a run again and want the same rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loop_returns.runs.sync import sync
from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

UNTIL = NOW - timedelta(days=10)


def test_until(drive: Callable[..., Driver]) -> None:
    """Nothing that was updated later is loaded; the cursor stays before it, and the next sync reads what is left."""
    driver = drive(Shop.generate(seed=8, returns=60, days=60, now=NOW))
    with driver._at_its_time():
        run = sync(driver.resolved(), driver.options(until=UNTIL))
    assert driver.count("returns", f"updated_at > '{UNTIL.isoformat()}'") == 0
    assert run.synced_up_to == UNTIL
    assert run.cursor_after is not None
    assert run.cursor_after <= UNTIL
    some = driver.count("returns")
    assert 0 < some < 60
    driver.sync()
    driver.assert_equal()


def test_until_before_the_cursor(drive: Callable[..., Driver]) -> None:
    """A bound in the past of the warehouse takes nothing back."""
    driver = drive(Shop.generate(seed=8, returns=20, days=60, now=NOW))
    first = driver.sync()
    with driver._at_its_time():
        again = sync(driver.resolved(), driver.options(until=datetime(2026, 1, 1, tzinfo=UTC)))
    assert again.cursor_after == first.cursor_after
    driver.assert_equal()
