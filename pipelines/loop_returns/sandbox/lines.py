"""The items of a return: what comes back, and what goes out in exchange."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox import catalogue
from loop_returns.sandbox.money import cents, money, price_line
from loop_returns.sandbox.times import DAY, iso

if TYPE_CHECKING:
    import random

TAX: Final = 0.055
_ARRIVES, _RETURNABLE = 4 * DAY, 45 * DAY  # after an exchange order was placed


def chance(rng: random.Random, share: float) -> bool:
    """True in `share` (0 to 1) of the cases."""
    return rng.random() < share


@dataclass
class Numbers:
    """The shop's running numbers and its customers."""

    customers: int
    currency: str  # of the shop
    next_return: int = 40_000_000
    next_line: int = 293_000_000
    next_order: int = 98_000_000
    next_exchange: int = 5_550_000
    next_refund: int = 9_000
    last_order: dict[str, Any] = field(default_factory=dict)
    exchange_orders: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)  # a heap, by when they were placed

    def take(self, kind: str) -> int:
        """The next number of a kind: return, line, order, exchange or refund."""
        number: int = getattr(self, f"next_{kind}")
        setattr(self, f"next_{kind}", number + 1)
        return number

    def place_exchange(self, body: dict[str, Any], *, at: int) -> None:
        """An exchange order is placed for a return; what it sends may come back in a return of its own."""
        one = body["exchanges"][0]
        number = one["exchange_order_name"].removeprefix("#")
        order = {
            "order_id": str(80_000_000 + int(body["id"])),
            "order_name": one["exchange_order_name"],
            "provider_order_id": one["exchange_order_id"],
            "order_number": number,
            "provider_order_number": number,
            "customer": body["customer"],
        }
        heapq.heappush(self.exchange_orders, (at, one["exchange_order_id"], order))

    def exchange_order(self, *, at: int) -> tuple[int, dict[str, Any]] | None:
        """An exchange order of which something comes back at second `at`, with the time it was placed; None without one."""
        while self.exchange_orders and self.exchange_orders[0][0] + _ARRIVES <= at:
            placed, _, order = heapq.heappop(self.exchange_orders)
            if at <= placed + _RETURNABLE:
                return placed, order
        return None


def line_item(rng: random.Random, numbers: Numbers, *, at: int) -> dict[str, Any]:
    """A returned unit; it is refunded until an outcome is chosen."""
    title, product, price, prefix, variants = rng.choice(catalogue.PRODUCTS)
    index = rng.randrange(len(variants))
    number = numbers.take("line")
    parent, reasons = rng.choices(catalogue.REASONS, weights=catalogue.REASON_WEIGHTS)[0]
    discount = rng.choice((0, 0, 0, 10, 20)) * price // 100
    row: dict[str, Any] = {
        "line_item_id": str(number),
        "provider_line_item_id": str(23_984_000_000_000 + number),
        "product_id": str(product),
        "variant_id": str(product + 13_600_000_000_000 + index),
        "sku": f"{prefix}-{variants[index]}" if not chance(rng, 0.02) else None,
        "title": f"{title} - {variants[index]}",
        "price": money(price),
        "discount": money(discount),
        "tax": money(round((price - discount) * TAX)),
        "refund": "0.00",
        "refund_item": "0.00",
        "refund_tax": "0.00",
        "returned_at": iso(at),
        "exchange_variant": "",
        "return_reason": rng.choice(reasons) if not chance(rng, 0.04) else None,
        "parent_return_reason": parent,
        "return_comment": rng.choice(catalogue.COMMENTS) if chance(rng, 0.4) else None,
        "barcode": rng.choice((str(290_000_000_000 + product % 10**6 * 10 + index), "", None)),
        "outcome": "default",
        "provider_restock_location_id": rng.choice((None, "62241439")),
        "consolidation_tracking": None,
        "consolidation_destination_id": None,
        "condition": None,
        "disposition": None,
    }
    price_line(row, refunded=True)
    return row


def exchange_line(rng: random.Random, numbers: Numbers, row: dict[str, Any]) -> dict[str, Any]:
    """Turn a line into an exchange and give its exchange item, of the same value, dearer or cheaper."""
    price_line(row, refunded=False)
    title, product, _, prefix, variants = next(item for item in catalogue.PRODUCTS if str(item[1]) == row["product_id"])
    index = rng.randrange(len(variants))
    variant = str(product + 13_600_000_000_000 + index)
    row["outcome"], row["exchange_variant"] = "exchange", variant
    price = max(500, cents(row["price"]) - cents(row["discount"]) + rng.choice((0, 0, 0, 0, 1500, -1000)))
    tax = round(price * TAX)
    return {
        "exchange_id": str(numbers.take("exchange")),
        "exchange_order_id": None,
        "exchange_order_name": None,
        "product_id": row["product_id"],
        "variant_id": variant,
        "sku": f"{prefix}-{variants[index]}",
        "type": "exchange",
        "title": f"{title} - {variants[index]}",
        "price": money(price),
        "discount": "0.00",
        "tax": money(tax),
        "total": money(price + tax),
        "out_of_stock": chance(rng, 0.03),
        "out_of_stock_resolution": None,
        "consolidation_tracking": None,
    }
