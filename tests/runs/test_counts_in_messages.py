"""What messages count is what there is, once, in words that fit the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns.runs.progress import counted
from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (2000, "2,000 rows")])
def test_numbers(number: int, said: str):
    """One thing is singular, any other number plural."""
    assert counted(number, "row") == said


@pytest.mark.long
def test_a_notice_of_a_day_not_asked_for(drive: Callable[..., Driver]):
    """A row that comes back with each of several requests, though none asked for its day, is one row."""
    shop = Shop.generate(seed=11, returns=60, days=300, now=NOW)
    driver = drive(shop, settings={"asn_horizon_days": 30, "window_days": 10})
    driver.sync()
    driver.quirk(asn_outside_rows=1)
    run = driver.sync()
    (notice,) = [one for one in run.notices if "not asked for" in one]
    assert notice.startswith("Loop sent 1 shipping notice of days")


def test_one_row_fails_a_check(drive: Callable[..., Driver]):
    """The message about one row is in the singular."""
    driver = drive(Shop.generate(seed=1, returns=10, days=20, now=NOW))
    driver.sync()
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute(
            "UPDATE loop_returns.returns SET state = 'odd' WHERE id = (SELECT max(id) FROM loop_returns.returns)"
        )
        connection.execute("UPDATE loop_returns.advanced_shipping_notices SET state = 'open'")
    driver.shop.change(1, silent=True)
    messages = [one["message"] for one in driver.reconcile(1).checks]
    assert any(one.startswith("1 row of returns is in a state") for one in messages), messages
