"""What can be odd about a return: each function changes a body in place; `at` is the second at which it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loop_returns.sandbox.times import DAY, iso, php, second_of

if TYPE_CHECKING:
    import random

    from tests.support.oracle.parsed import Row

NOTHING = ("N/A", "", " n/a ", None)


def _texts(body: Row, rng: random.Random, _at: int) -> None:
    for name in ("customer", "provider_order_id", "order_name", "carrier", "label_status", "origin_country_code",
                 "order_id", "destination_id"):  # fmt: skip
        if rng.random() < 0.3:
            body[name] = rng.choice(NOTHING)


def _line_texts(body: Row, rng: random.Random, _at: int) -> None:
    for line in body["line_items"]:
        for name in ("product_id", "variant_id", "sku", "title", "return_reason", "parent_return_reason", "barcode",
                     "provider_line_item_id", "exchange_variant", "outcome"):  # fmt: skip
            if rng.random() < 0.2:
                line[name] = rng.choice(NOTHING)


def _exchange_texts(body: Row, rng: random.Random, _at: int) -> None:
    for item in body["exchanges"]:
        for name in ("exchange_order_id", "product_id", "sku", "title"):
            if rng.random() < 0.3:
                item[name] = rng.choice(NOTHING)


def _no_amounts(body: Row, rng: random.Random, _at: int) -> None:
    names = ("return_credit_total", "exchange_credit_total", "gift_card", "refund", "return_total", "handling_fee", "upsell")
    body[rng.choice(names)] = rng.choice((None, "", "0.00"))


def _other_amounts(body: Row, rng: random.Random, _at: int) -> None:
    body[rng.choice(("gift_card", "exchange_credit_total", "upsell", "refund"))] = f"{rng.randrange(20_000) / 100:.2f}"


def _no_line_amounts(body: Row, rng: random.Random, _at: int) -> None:
    for line in body["line_items"][:1]:
        line[rng.choice(("discount", "tax", "refund", "refund_item"))] = None


def _inspections(body: Row, rng: random.Random, at: int) -> None:
    """Graded without a date, or nothing but what became of it."""
    for line in body["line_items"][:2]:
        line["condition"] = rng.choice((None, {"condition_category": "grade_b", "inspected_at": None}))
        decided = {"disposition_outcome": rng.choice(("missing", "recycle", None)), "inspected_at": iso(at)}
        line["disposition"] = rng.choice((None, decided, decided | {"inspected_at": None}))


def _kept(body: Row, rng: random.Random, _at: int) -> None:
    for line in body["line_items"]:
        line["outcome"] = rng.choice((line["outcome"], "keep", "Keep"))


def _same_order_line(body: Row, _rng: random.Random, _at: int) -> None:
    for line in body["line_items"]:
        line["provider_line_item_id"] = body["line_items"][0]["provider_line_item_id"]


def _labels(body: Row, rng: random.Random, at: int) -> None:
    words = ("new", "pre_transit", "in_transit", "out_for_delivery", "Delivered", "delivered", "error", "failure",
             "pending", "no_label", "lost", "N/A", None)  # fmt: skip
    for label in body["labels"]:
        label.update(status=rng.choice(words), updated_at=iso(at - rng.randrange(20) * 7919))
        label.update(rate=rng.choice((label["rate"], None, 725)), carrier=rng.choice((label["carrier"], "", "UPS")))
    if body["labels"]:
        last = rng.choice(body["labels"])
        body.update(label_status=last["status"], label_updated_at=last["updated_at"], carrier=last["carrier"])


def _split(body: Row, rng: random.Random, at: int) -> None:
    """Several labels, each for some of the units, or for nobody knows which."""
    units = [int(line["line_item_id"]) for line in body["line_items"]]
    for _ in range(rng.randrange(1, 3)):
        label = {"status": "new", "updated_at": iso(at), "url": None, "rate": 450, "carrier": "UPS"}
        label["tracking_number"] = rng.choice((None, f"T{rng.randrange(10**9)}"))
        body["labels"].append(label)
    for label in body["labels"]:
        label["line_items"] = rng.choice((rng.sample(units, rng.randrange(len(units) + 1)), units))
    _labels(body, rng, at)


def _second_not_sent(body: Row, rng: random.Random, at: int) -> None:
    """The first package has arrived, as the return and its drop-off say; the second has not been sent."""
    units = [int(line["line_item_id"]) for line in body["line_items"]]
    states = {"delivered": units[:1], rng.choice(("new", "error", "pre_transit")): units[1:]}
    label = {"updated_at": iso(at), "url": None, "rate": 4.5, "carrier": "UPS", "tracking_number": "T1"}
    body["labels"] = [label | {"status": status, "line_items": of} for status, of in states.items()]
    body.update(state="open", label_status="delivered", label_updated_at=iso(at), carrier="UPS")
    body["return_method"] = rng.choice((None, {"provider": "happy_returns", "state": "delivered"}))


def _refunds(body: Row, rng: random.Random, at: int) -> None:
    """A refund that has no date at Shopify, one recorded twice, one too many, one before all."""
    refunds = body.setdefault("shopify_refund_object", [])
    number = rng.randrange(10 ** rng.randrange(5, 10))
    shopify = rng.choice((987_000_000_000 + number, *NOTHING, *(one["provider_refund_id"] for one in refunds)))
    when = rng.choice((at, at, (second_of(body["created_at"]) or at) - DAY))
    refunds.append(
        {"id": number, "return_id": int(body["id"]), "provider_refund_id": shopify,
         "provider_created_at": rng.choice((None, iso(when))), "created_at": iso(when + 60), "updated_at": iso(at)}
    )  # fmt: skip


def _month_begins(at: int, rng: random.Random) -> int:
    """An hour at which the month has begun in one time zone, and not in another."""
    first = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(first.timestamp()) + rng.randrange(-11, 12) * 3600


def _processed(body: Row, rng: random.Random, at: int) -> None:
    done = body.setdefault("outcomes_processed_at", {})
    for name in ("refund_processed", "gift_card_processed", "exchange_processed"):
        done[name] = rng.choice((done.get(name), None, php(at - rng.randrange(30) * 7919), php(_month_begins(at, rng))))
    body["refund_before_inspection"] = rng.choice((True, True, False, None))


def _over(body: Row, rng: random.Random, _at: int) -> None:
    body["state"] = rng.choice(("expired", "cancelled", "closed"))


def _bonus(body: Row, rng: random.Random, _at: int) -> None:
    body.update(outcome=rng.choice(("gift_card", "exchange+credit", "", None, "EXCHANGE+REFUND", "store_credit")))
    body["gift_card"] = rng.choice(("10.00", "0.00", None))


def _without_dates(body: Row, rng: random.Random, _at: int) -> None:
    """Loop tells no dates of processing, but the orders that were placed for it."""
    body.pop("outcomes_processed_at", None)
    if rng.random() < 0.5:
        body.update(gift_card="25.00", gift_card_order_id=rng.choice(("23141", None)), gift_card_order_name="#GC-1")
    for item in body["exchanges"]:
        item["exchange_order_id"] = f"544{body['id']}"


def _drop_off(body: Row, rng: random.Random, _at: int) -> None:
    state = rng.choice(("new", "delivered", "Delivered", "N/A", None))
    body["return_method"] = rng.choice(({"provider": "happy_returns", "state": state}, "in_store", "", None))


def _warranty(body: Row, rng: random.Random, _at: int) -> None:
    body["type"] = rng.choice(("warranty", None, "N/A"))


def _currency(body: Row, rng: random.Random, _at: int) -> None:
    """Another one than the shop's, as of an exchange that comes back elsewhere."""
    body["currency"] = rng.choice(("JPY", "USD", "N/A", None))


def _not_yet_submitted(body: Row, rng: random.Random, at: int) -> None:
    """It came into another state before it was submitted, says a clock that was wrong."""
    body.update(created_at=iso(at + DAY), state=rng.choice(("closed", "review", "expired")))


ODD = (
    _texts, _line_texts, _exchange_texts, _no_amounts, _other_amounts, _no_line_amounts, _kept, _same_order_line,
    _labels, _split, _refunds, _processed, _over, _bonus, _warranty, _inspections, _without_dates, _drop_off,
    _second_not_sent, _currency, _not_yet_submitted,
)  # fmt: skip
