"""A newly submitted return, as the returns list shows it, with every documented and observed field.

Fields: docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list, and shapes that other
clients have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox import catalogue
from loop_returns.sandbox.lines import TAX, Numbers, chance, exchange_line, line_item
from loop_returns.sandbox.money import add_up, money, price_line
from loop_returns.sandbox.times import DAY, bare, iso

if TYPE_CHECKING:
    import random

_EXCHANGED: Final = 9  # of so many returns one is of what was sent in exchange, where there is such an order
_FEES: Final = ("0.00", "0.00", "0.00", "0.00", "0.00", "3.50", "5.00")


@dataclass(frozen=True)
class UnlistedFields:
    """What Loop knows of a return and the returns list does not show; times are seconds."""

    ordered: int  # when the original order was placed
    closed: int | None = None
    delivered: int | None = None
    actioned_by: str | None = None
    rate: float | None = None  # presentment currency per unit of the shop's
    notes: tuple[dict[str, Any], ...] = ()
    refunded: tuple[int, ...] = ()  # cents of each Shopify refund: only the details show them


@dataclass
class Return:
    """A return being built or changed: its canonical body, and what the body does not show."""

    body: dict[str, Any]
    unlisted: UnlistedFields


def submit(rng: random.Random, numbers: Numbers, *, at: int) -> Return:
    """A return that a shopper submits now: open, unshipped, its outcome chosen."""
    number = numbers.take("return")
    order = _order(rng, numbers)
    country, code, presented, _ = rng.choices(catalogue.COUNTRIES, weights=[row[3] for row in catalogue.COUNTRIES])[0]
    multi = presented != numbers.currency and chance(rng, 0.5)
    rate = catalogue.RATES[presented] / catalogue.RATES.get(numbers.currency, 1.0) if multi else None
    body: dict[str, Any] = {
        "id": str(number),
        "state": "open",
        "created_at": iso(at),
        "updated_at": iso(at),
        "edited_at": None,
        "total": "0.00",
        "outcome": "refund",
        **order,
        "origin_country": country,
        "origin_country_code": code,
        "multi_currency": multi,
        "currency": numbers.currency,
        **_initial_amounts(rng),
        "line_items": [line_item(rng, numbers, at=at + 1) for _ in range(rng.choice((1, 1, 2, 2, 2, 3, 3, 3, 4, 5)))],
        "presentment": {"currency": presented, "total": "0.00", "refund": "0.00"} if multi else None,
        "exchanges": [],
        **_unshipped(rng, number),
        "refund_before_inspection": chance(rng, 0.1),
        "was_processed": False,
        "outcomes_processed_at": _nothing_processed(rng),
        "shopify_refund_object": [],
    }
    _choose_outcome(rng, numbers, body)
    add_up(body, rate)
    ordered = at - rng.randint(3 * DAY, 45 * DAY)
    if number % _EXCHANGED == 0 and (again := numbers.exchange_order(at=at)):  # not at random: a seed's shop stays as it was
        ordered, order = again
        body.update(order)
    return Return(body, UnlistedFields(ordered=ordered, rate=rate, notes=_notes(rng, number, at)))


def submit_again(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> Return:
    """A new return of the same units of the same order, as a shopper may submit after a cancelled one."""
    number = numbers.take("return")
    body = ret.body | _unshipped(rng, number)
    body |= {"id": str(number), "state": "open", "created_at": iso(at), "updated_at": iso(at), "edited_at": None}
    body |= {"was_processed": False, "outcomes_processed_at": _nothing_processed(rng), "shopify_refund_object": []}
    for line in body["line_items"]:
        line |= {"condition": None, "disposition": None, "returned_at": iso(at + 1)}
    return Return(body, UnlistedFields(ordered=ret.unlisted.ordered, rate=ret.unlisted.rate))


def _initial_amounts(rng: random.Random) -> dict[str, Any]:
    """Amounts before the outcome is chosen: only shipping and fee are known."""
    shipping = rng.choice((0, 0, 0, 0, 400, 595))
    return {
        **dict.fromkeys(("return_product_total", "return_discount_total", "return_tax_total", "return_total"), "0.00"),
        "refund_shipping_total": money(shipping),
        "refund_shipping_tax_total": money(round(shipping * TAX)),
        "return_credit_total": "0.00",
        **dict.fromkeys(
            ("exchange_product_total", "exchange_discount_total", "exchange_tax_total", "exchange_total"),
            "0.00",
        ),
        "exchange_credit_total": "0.00",
        "gift_card": "0.00",
        "gift_card_order_name": None,
        "gift_card_order_id": None,
        "gift_card_presentment": None,
        "handling_fee": rng.choice(_FEES),
        "refund": "0.00",
        "upsell": "0.00",
    }


def _choose_outcome(rng: random.Random, numbers: Numbers, body: dict[str, Any]) -> None:
    wanted = rng.choices(("refund", "exchange", "credit", "mixed"), weights=(52, 26, 12, 10))[0]
    for row in body["line_items"]:
        choice = rng.choice(("refund", "exchange", "credit")) if wanted == "mixed" else wanted
        if choice == "exchange":
            body["exchanges"].append(exchange_line(rng, numbers, row))
        elif choice == "credit":
            price_line(row, refunded=False)
            row["outcome"] = rng.choice(("default", "default", "keep"))


def _order(rng: random.Random, numbers: Numbers) -> dict[str, Any]:
    if numbers.last_order and chance(rng, 0.04):  # one order may have several returns
        return numbers.last_order
    number = numbers.take("order")
    shopper = int(rng.random() ** 2 * numbers.customers)  # squared: some customers return often
    given = catalogue.GIVEN_NAMES[shopper % len(catalogue.GIVEN_NAMES)]
    family = catalogue.FAMILY_NAMES[shopper // 7 % len(catalogue.FAMILY_NAMES)]
    numbers.last_order = {
        "order_id": str(number),
        "order_name": f"#{number - 91_000_000}",
        "provider_order_id": str(3_248_000_000_000 + number),
        "order_number": str(number - 91_001_000),
        "provider_order_number": str(number - 91_000_000),
        "customer": f"{given}.{family}.{shopper}@example.com" if not chance(rng, 0.01) else None,
    }
    return numbers.last_order


def _unshipped(rng: random.Random, number: int) -> dict[str, Any]:
    destination = rng.choice((*catalogue.DESTINATIONS[:2], None))
    return {
        "carrier": "",
        "tracking_number": "N/A",
        "label_status": "N/A",
        "label_url": None,
        "label_rate": None,
        "status_page_url": f"https://example.loopreturns.com/#/return/{rng.getrandbits(64):016x}-{number}",
        "label_updated_at": None,
        "destination_id": str(destination["id"]) if destination else None,
        "return_method": _return_method(rng),
        "package_reference": f"{number}-1" if chance(rng, 0.7) else None,
        "type": "warranty" if chance(rng, 0.03) else "standard",
        "labels": [],
    }


def _return_method(rng: random.Random) -> dict[str, Any] | str | None:
    if not chance(rng, 0.14):  # most go by plain mail
        return None
    if chance(rng, 0.15):  # the older form is one word
        return "in_store"
    code = f"HR{rng.getrandbits(24):06X}"
    return {
        "provider": "happy_returns",
        "method_type": "return_bar",
        "address": {
            "name": "Example Return Bar",
            "address1": f"{rng.randint(1, 999)} Example Ave",
            "address2": None,
            "city": "Toronto",
            "state": "Ontario",
            "zip": "M5V 0A0",
            "country": "Canada",
            "country_code": "CA",
            "phone": "+1-555-0100",
            "latitude": "43.6400",
            "longitude": "-79.3900",
        },
        "state": "new",
        "rma_id": code,
        "qr_code_url": f"https://example.com/qr/{code}.png",
        "scheduled_at": None,
        "scannable_id": f"{code}-{rng.randint(1000, 9999)}",
    }


def _nothing_processed(rng: random.Random) -> dict[str, Any]:
    names = ["return_processed", "refund_processed", "gift_card_processed", "exchange_processed"]
    if not chance(rng, 0.1):  # the newest key is missing in some bodies
        names.append("shop_cash_processed")
    return dict.fromkeys(names)


def _notes(rng: random.Random, number: int, at: int) -> tuple[dict[str, Any], ...]:
    if not chance(rng, 0.12):
        return ()
    first = {"id": number * 10, "content": "Customer called about the label", "created_at": iso(at + 3600)}
    second = {"id": number * 10 + 1, "content": "This is a new note", "created_at": bare(at + 7200)}
    return (first, second) if chance(rng, 0.3) else (first,)
