"""A field that nobody has declared lands as a text column, is named, and never stops a later run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Shop
from loop_returns.tables.shape import Shaper
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver


@pytest.mark.long
def test_new_fields_land_and_are_named(drive: Callable[..., Driver]):
    """Scalar and nested fields of returns, line items and notices become text columns, named once in the run's report."""
    driver = drive(Shop.generate(seed=2, returns=12, days=60, now=NOW))
    assert driver.sync().new_columns == []
    driver.shop.add_field("loyaltyTier", "gold")
    driver.shop.add_field("carbon", {"kg": 1.5, "offset": True})
    driver.shop.add_field("aisle", 7, where="line_item")
    driver.shop.add_field("gate", "G4", where="asn")
    driver.shop.change(12)
    run = driver.sync()
    assert run.new_columns == [
        "advanced_shipping_notices.gate",
        "return_line_items.aisle",
        "returns.carbon",
        "returns.loyalty_tier",
    ]
    rows = driver.rows("returns")
    assert {row["loyalty_tier"] for row in rows} == {"gold"}
    assert {json.loads(row["carbon"])["kg"] for row in rows} == {1.5}
    assert {row["aisle"] for row in driver.rows("return_line_items")} == {"7"}
    driver.shop.change(3)
    assert driver.sync().new_columns == []


@pytest.mark.long
def test_a_new_field_may_change_its_type(drive: Callable[..., Driver]):
    """A new field that is a number today, text tomorrow and an object the day after never breaks a load."""
    driver = drive(Shop.generate(seed=2, returns=6, days=60, now=NOW))
    for value in (1, "one", [{"value": 1}], None):
        driver.shop.add_field("mood", value)
        driver.shop.change(6)
        assert driver.sync().outcome == "done"
        landed = {row["mood"] for row in driver.rows("returns")}
        expected = value if isinstance(value, str | None) else json.dumps(value, separators=(",", ":"))
        assert landed == {expected}


def test_a_new_field_never_takes_a_column_that_is_there():
    """Fields whose names are taken by this project's own columns, or by each other, get columns of their own."""
    row = {"id": "1", "shop": "theirs", "_deleted_at": "never", "newField": 1, "new_field": 2}
    table = Shaper("ours").returns([row])["returns"]
    found = table.to_pylist()[0]
    assert found["shop"] == "ours"
    assert found["api_shop"] == "theirs"
    assert found["_deleted_at"] is None
    assert found["api_deleted_at"] == "never"
    assert {found["new_field"], found["api_new_field"]} == {"1", "2"}


def test_a_field_without_a_name_lands_too():
    """Fields whose names are empty or blank get a column like any other."""
    row = {"id": "1", "": "nothing", " ": "blank"}
    found = Shaper("ours").returns([row])["returns"].to_pylist()[0]
    assert {found["unnamed"], found["api_unnamed"]} == {"nothing", "blank"}
