"""Of a shop with everything odd, synced over HTTP, the marts say what a careful reader would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver


@pytest.fixture
def odd(drive: Callable[..., Driver], tmp_path: Path) -> tuple[Driver, dict[str, str]]:
    shop = Shop.generate(seed=5, returns=60, days=60, now=NOW)
    names = shop.grow_odd()
    driver = drive(shop, settings={"marts": "views"}, folder=tmp_path)
    run = driver.sync()
    assert {check["name"] for check in run.checks} >= {"void_without_refund", "possible_times"}
    driver.assert_equal()
    return driver, names


def test_what_the_marts_say(odd: tuple[Driver, dict[str, str]]):
    """Each oddity is told as it is: what is still to come, what is open, what was kept, what was paid, what cannot be."""
    driver, names = odd

    def of(oddity: str, columns: str, mart: str = "fct_returns") -> list[tuple[Any, ...]]:
        return driver.query(f"SELECT {columns} FROM {mart} WHERE return_id = '{names[oddity]}' ORDER BY ALL")

    expected = of("two_packages", "has_arrived, stage, label_index", "fct_expected_units")
    assert expected[-1] == (True, "delivered", 0)
    assert set(expected[:-1]) == {(False, "on its way", 1)}
    assert of("reopened", "state, closed_at, days_to_close") == [("open", None, None)]
    ((whole, exchange, credit, card),) = of(
        "bonus_credit", "retained_revenue, retained_as_exchange, retained_as_credit, store_credit"
    )
    assert (exchange + credit, credit + 10) == (whole, card)
    assert of("no_values", "customer, provider_order_id, carrier, label_status") == [(None, None, None, None)]
    assert of("no_values", "count(product_id), count(reason)", "fct_return_lines") == [(0, 0)]
    ((void, promised, evidenced),) = of("refunded_and_expired", "is_void, refunded, refunded_evidenced")
    assert void
    assert promised == evidenced
    assert of("closed_before_submitted", "days_to_deliver, days_to_close, impossible_durations") == [(None, None, 2)]
    assert driver.query("SELECT sum(void_refunded) FROM rpt_returns_daily WHERE date_basis = 'submitted'")[0][0] >= 1
