"""The same body in other types, as Loop's documentation and live data show them for the same field.

A body with type variants means exactly what the canonical one does. Fields a warehouse keeps as JSON are left alone,
and so are fields nobody declared.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from loop_returns.sandbox.times import iso, second_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_IDS: Final = frozenset(
    (
        "id",
        "order_id",
        "order_number",
        "provider_order_id",
        "provider_order_number",
        "gift_card_order_id",
        "destination_id",
        "line_item_id",
        "provider_line_item_id",
        "product_id",
        "variant_id",
        "exchange_variant",
        "provider_restock_location_id",
        "exchange_id",
        "exchange_order_id",
        "return_id",
        "provider_refund_id",
        "return_line_item_id",
        "consolidation_destination_id",
        "provider_location_id",
        "shop_id",
        "loop_shipment_id",
        "shipment_id",
    )
)
MONEY: Final = frozenset(
    (
        "total",
        "return_product_total",
        "return_discount_total",
        "return_tax_total",
        "return_total",
        "refund_shipping_total",
        "refund_shipping_tax_total",
        "return_credit_total",
        "exchange_product_total",
        "exchange_discount_total",
        "exchange_tax_total",
        "exchange_total",
        "exchange_credit_total",
        "gift_card",
        "handling_fee",
        "refund",
        "upsell",
        "label_rate",
        "rate",
        "price",
        "discount",
        "tax",
        "refund_item",
        "refund_tax",
        "purchase_price",
        "amount",
    )
)
_TIMES: Final = frozenset(
    (
        "created_at",
        "updated_at",
        "edited_at",
        "label_updated_at",
        "returned_at",
        "inspected_at",
        "scheduled_at",
        "provider_created_at",
        "closed_at",
        "date_delivered",
        "return_processed",
        "refund_processed",
        "gift_card_processed",
        "exchange_processed",
        "shop_cash_processed",
    )
)
_INSIDE: Final = frozenset(
    (
        "line_items",
        "exchanges",
        "labels",
        "shopify_refund_object",
        "refunds",
        "condition",
        "disposition",
        "return_method",
        "outcomes_processed_at",
    )
)
_NEW_YORK: Final = ZoneInfo("America/New_York")


def vary_types(raw: bytes, rng: random.Random, share: float) -> bytes:
    """Return an encoded row with about `share` (0 to 1) of its values in another known type."""
    return msgspec.json.encode(_walk(msgspec.json.decode(raw), rng, share))


def _walk(row: dict[str, Any], rng: random.Random, share: float) -> dict[str, Any]:
    return {key: value if value in (None, "") else _value(key, value, rng, share) for key, value in row.items()}


def _value(key: str, value: Any, rng: random.Random, share: float) -> Any:
    variant = _variant_of(key)
    if variant is not None:
        return variant(value, rng) if rng.random() < share else value
    if key == "products" and isinstance(value, list):
        return [row | {"price": _prices(row["price"], rng) if rng.random() < share else row["price"]} for row in value]
    if key not in _INSIDE:
        return value
    if isinstance(value, dict):
        return _walk(value, rng, share)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return value
    rows = [_walk(each, rng, share) for each in value]
    single = key == "shopify_refund_object" and len(rows) == 1
    return rows[0] if single and rng.random() < share else rows


def _variant_of(key: str) -> Callable[[Any, random.Random], Any] | None:
    return _id if key in _IDS else _money if key in MONEY else _time if key in _TIMES else None


def _id(value: Any, _rng: random.Random) -> Any:
    if isinstance(value, int):
        return str(value)
    return int(value) if isinstance(value, str) and value.isdigit() and str(int(value)) == value else value


def _money(value: Any, _rng: random.Random) -> Any:
    if isinstance(value, int | float):
        return f"{value:.2f}"
    if not isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def _prices(value: list[dict[str, Any]], rng: random.Random) -> Any:
    """A label request's prices in an older form: the only one as an object, `currency_code` for `currency`."""
    name = rng.choice(("currency", "currency_code"))
    rows = [{"amount": row["amount"], name: row["currency"]} for row in value]
    return rows[0] if len(rows) == 1 else rows


def _time(value: Any, rng: random.Random) -> Any:
    second = second_of(value)
    if second is None:
        return value
    forms = (iso, _zone_less, _short, partial(_php, rng=rng))
    return rng.choice(forms)(second)


def _zone_less(second: int) -> str:
    return iso(second)[:19].replace("T", " ")


def _short(second: int) -> str:
    return iso(second)[:19] + "Z"


def _php(second: int, rng: random.Random) -> dict[str, Any]:
    """A PHP date object in UTC, at an offset (type 1) or in a named zone (type 3)."""
    moment = datetime.fromtimestamp(second, UTC)
    local = moment.astimezone(_NEW_YORK)
    kind, zone, shown = rng.choice(((3, "UTC", moment), (3, "America/New_York", local), (1, local.strftime("%z"), local)))
    if kind == 3 and local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():  # noqa: PLR2004  # PHP's number
        zone, shown = "UTC", moment  # the hour that autumn repeats can't be written in local time
    if kind == 1:
        zone = f"{zone[:3]}:{zone[3:]}"
    return {"date": f"{shown:%Y-%m-%d %H:%M:%S}.000000", "timezone_type": kind, "timezone": zone}
