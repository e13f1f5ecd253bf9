"""Every run notes with which version of the marts it has worked, so that readers can tell when one has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns import marts
from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver


def test_the_ledger_has_it(drive: Callable[..., Driver]):
    """The version stands beside the program's in the record of a run."""
    driver = drive(Shop.generate(seed=2, returns=3, days=5, now=NOW))
    driver.sync()
    assert driver.query("SELECT DISTINCT marts_version FROM _loop_sync_runs") == [(marts.VERSION,)]
