"""A run hands its settings on to the marts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

ORDERS = """
    CREATE TABLE platform.orders AS
    SELECT l.shop, 1 AS order_id, l.provider_line_item_id AS order_line_id, l.product_id, l.variant_id, 1 AS units,
           l.price AS amount, 'USD' AS currency, TIMESTAMPTZ '2026-05-01 00:00:00+00' AS ordered_at
    FROM loop_returns.return_line_items AS l"""


@pytest.mark.long
def test_sync_with_a_table_of_orders(drive: Callable[..., Driver]):
    """Once a setting names order lines, the next sync that loads something gives their return rates; labels are in cents."""
    driver = drive(Shop.generate(seed=3, returns=30, days=60, now=NOW), settings={"marts": "views"})
    driver.sync()
    assert driver.query("SELECT count(*) FROM rpt_return_rates") == [(0,)]
    cost = driver.query("SELECT sum(label_cost) FROM rpt_shipping_costs")[0][0]
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute("CREATE SCHEMA platform")
        connection.execute(ORDERS)
    driver.shop.add_returns(1)
    driver.sync(orders="platform.orders", label_rate_unit="cents")
    ((sold, returned),) = driver.query("SELECT sum(units_sold), sum(units_returned) FROM rpt_return_rates")
    assert sold >= returned > 0
    assert driver.query("SELECT sum(label_cost) FROM rpt_shipping_costs")[0][0] == cost / 100
