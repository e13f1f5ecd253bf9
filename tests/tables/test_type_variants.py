"""A value means the same in whichever of its documented types it comes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.sandbox import Quirks, Shop
from loop_returns.tables.shape import Shaper
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

ROW = {"id": "1", "state": "open", "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}


def shaped(table: str = "returns", **fields: Any) -> dict[str, Any]:
    """The one row that a return with these fields becomes in a table."""
    found = Shaper("default").returns([ROW | fields])[table].to_pylist()
    assert len(found) == 1
    return dict(found[0])


@pytest.mark.long
def test_a_shop_of_type_variants_lands_as_the_same_values(drive: Callable[..., Driver]):
    """With half of all values in their other type, the warehouse equals the shop, in every later run too."""
    driver = drive(Shop.generate(seed=3, returns=80, days=300, now=NOW), quirks=Quirks(type_variants=0.5))
    for _ in range(2):
        run = driver.sync()
        assert run.outcome == "done"
        assert run.new_columns == []
        driver.assert_equal()
        driver.shop.change(20)
    assert driver.count("returns", "_unparsed IS NOT NULL") == 0


@pytest.mark.parametrize(
    ("value", "amount"),
    [("63.30", "63.3000"), (63, "63.0000"), (Decimal("7.25"), "7.2500"), ("-0.5", "-0.5000"), ("1e2", "100.0000")],
)
def test_money_is_exact(value: object, amount: str):
    """An amount is the decimal that the JSON text says, whether it came as text, integer or number."""
    assert shaped(total=value)["total"] == Decimal(amount)


def test_digits_beyond_a_double_survive():
    """An amount with more digits than a float can hold lands to the last one."""
    assert shaped(total="12345678901234.5678")["total"] == Decimal("12345678901234.5678")


@pytest.mark.parametrize("value", ["", "N/A", None])
def test_none_yet_is_null(value: object):
    """What the API writes for `none yet` is null in amounts and times, and no complaint."""
    row = shaped(total=value, edited_at=value)
    assert (row["total"], row["edited_at"], row["_unparsed"]) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("total", "a lot"), ("total", True), ("total", "1.23456"), ("edited_at", "soon"), ("was_processed", "perhaps")],
)
def test_what_does_not_fit_is_kept(field: str, value: object):
    """A value that its column cannot hold stands in `_unparsed` as it came."""
    import json

    row = shaped(**{field: value})
    assert json.loads(row["_unparsed"]) == {field: value}


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T03:04:05.000Z",
        "2026-01-02 03:04:05",
        "2026-01-02T05:04:05+02:00",
        {"date": "2026-01-02 03:04:05.000000", "timezone_type": 3, "timezone": "UTC"},
        {"date": "2026-01-01 22:04:05.000000", "timezone_type": 3, "timezone": "America/New_York"},
        {"date": "2026-01-02 05:04:05.000000", "timezone_type": 1, "timezone": "+02:00"},
    ],
)
def test_every_form_of_a_time_is_the_same_moment(value: object):
    """ISO text, text without a zone and PHP objects become the same moment in UTC."""
    assert shaped(edited_at=value)["edited_at"].isoformat() == "2026-01-02T03:04:05+00:00"


def test_a_way_of_return_is_an_object_or_a_word():
    """`return_method` fills prefixed columns as an object, its own column as a word, none as null."""
    assert shaped(return_method={"state": "new"})["return_method_state"] == "new"
    assert shaped(return_method="in_store")["return_method"] == "in_store"
    assert shaped(return_method=None)["return_method"] is None


def test_a_refund_is_a_list_or_an_object():
    """`shopify_refund_object` as one object is one refund; as text it is kept in a column of its own."""
    one = {"id": 9, "provider_refund_id": 987654321000}
    assert shaped("return_refunds", shopify_refund_object=one)["refund_id"] == "9"
    assert shaped("return_refunds", shopify_refund_object=[one])["provider_refund_id"] == "987654321000"
    assert shaped(shopify_refund_object="see Shopify")["shopify_refund_object"] == "see Shopify"


def test_two_rows_with_one_key_stay_two():
    """Line items that share an id, or have none, are all kept, each under a key of its own."""
    lines = [{"line_item_id": 5}, {"line_item_id": "5"}, {"sku": "x"}]
    table = Shaper("default").returns([ROW | {"line_items": lines}])["return_line_items"]
    assert table.column("line_item_id").to_pylist() == ["5", "5#2", "missing-2"]
