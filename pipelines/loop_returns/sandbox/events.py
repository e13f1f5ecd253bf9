"""What happens to a return after it was submitted: parcels move, it is inspected, processed, edited.

Each function changes a `Return` in place and keeps it consistent; `at` is the second at which it happens.
None of them touches `updated_at`: whether that moves is up to the shop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox import catalogue
from loop_returns.sandbox.lines import TAX, Numbers, chance, exchange_line
from loop_returns.sandbox.money import add_up, cents, money, price_line
from loop_returns.sandbox.times import bare, iso, php

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from loop_returns.sandbox.bodies import Return

STATES: Final = ("open", "closed", "cancelled", "expired", "review")
_MINIMUM_VALUE: Final = 100  # cents that stay of a line's value
_GOODWILL: Final = 500  # cents
LABEL_STEPS: Final = ("new", "pre_transit", "in_transit", "out_for_delivery", "delivered")


def add_label(ret: Return, rng: random.Random, *, at: int) -> None:
    """Give the return a label for all its lines; further labels are added behind the first."""
    body = ret.body
    carrier, _, prefix, _ = rng.choices(catalogue.CARRIERS, weights=[row[3] for row in catalogue.CARRIERS])[0]
    number = f"{body['id']}-{len(body['labels']) + 1}"
    label = {
        "status": "new",
        "updated_at": iso(at),
        "url": f"https://s3.amazonaws.com/example-bucket/label-{number}.pdf",
        "rate": rng.choice((4.5, 7.25, 10.93, 6, None)),
        "carrier": carrier,
        "tracking_number": f"{prefix}{body['id']}{rng.randint(0, 99):02d}",
        "line_items": [int(row["line_item_id"]) for row in body["line_items"]],
    }
    body["labels"].append(label)
    if len(body["labels"]) == 1:
        _show_label(ret, label)


def _show_label(ret: Return, label: dict[str, Any]) -> None:
    rate = label["rate"]
    ret.body.update(
        carrier=label["carrier"],
        tracking_number=label["tracking_number"],
        label_status=label["status"],
        label_url=label["url"],
        label_rate=None if rate is None else money(cents(rate)),
        label_updated_at=label["updated_at"],
    )


def move_label(ret: Return, status: str, *, at: int) -> None:
    """The carrier reports a new status of the first label."""
    label = ret.body["labels"][0]
    label["status"], label["updated_at"] = status, iso(at)
    _show_label(ret, label)
    if isinstance(ret.body["return_method"], dict):
        ret.body["return_method"]["state"] = status
    ret.unlisted = replace(ret.unlisted, delivered=at if status == "delivered" else None)


def next_label(ret: Return, rng: random.Random, *, at: int) -> bool:
    """The next step of the parcel: a first label, then on towards delivery; False when it has arrived."""
    if not ret.body.get("labels"):
        add_label(ret, rng, at=at)
        return True
    status = ret.body["labels"][0]["status"]
    if status == LABEL_STEPS[-1]:
        return False
    index = LABEL_STEPS.index(status) if status in LABEL_STEPS else 1
    move_label(ret, "error" if chance(rng, 0.03) and index else LABEL_STEPS[index + 1], at=at)
    return True


def move_state(ret: Return, state: str, *, at: int) -> bool:
    """Move the return to a state; closing stamps `closed_at`, leaving `closed` takes it back."""
    if ret.body["state"] == state:
        return False
    ret.body["state"] = state
    closed = state == "closed"
    by = "automatic" if closed and at % 3 else "agent@example.com" if closed else None
    ret.unlisted = replace(ret.unlisted, closed=at if closed else None, actioned_by=by)
    if not closed:
        ret.body["was_processed"] = False
    return True


def process(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> bool:
    """Loop pays out refund, gift card and exchange; False unless closed and still unprocessed."""
    body = ret.body
    if body["state"] != "closed" or body.get("was_processed"):
        return False
    body["was_processed"] = True
    done = body.setdefault("outcomes_processed_at", {})
    done["return_processed"] = php(at)
    if cents(body["refund"]):
        done["refund_processed"] = php(at - 1)
        add_refund(ret, numbers, at=at - 1)
    if cents(body["gift_card"]):
        done["gift_card_processed"] = php(at)
        body["gift_card_order_name"] = f"#GC-{body['provider_order_number']}"
        body["gift_card_order_id"] = str(23_141_000_000_000 + int(body["id"]))
    for row in body["exchanges"]:
        done["exchange_processed"] = php(at)
        row["exchange_order_id"] = str(5_444_000_000_000 + int(body["id"]))
        row["exchange_order_name"] = f"#EXC-{body['provider_order_number']}-1"
        if row["out_of_stock"]:
            row["out_of_stock_resolution"] = rng.choice(("refund", "gift_card"))
    if body["exchanges"]:
        numbers.place_exchange(body, at=at)
    return True


def add_refund(ret: Return, numbers: Numbers, *, at: int) -> bool:
    """Shopify books a refund: what is not yet paid of the return, and something on top once all is."""
    number = numbers.take("refund")
    refund = {
        "id": number,
        "return_id": int(ret.body["id"]),
        "provider_refund_id": 987_654_000_000 + number,
        "provider_created_at": iso(at),
        "created_at": iso(at + 1),
        "updated_at": iso(at + 1),
    }
    ret.body.setdefault("shopify_refund_object", []).append(refund)
    left = cents(ret.body["total"]) - sum(ret.unlisted.refunded)
    ret.unlisted = replace(ret.unlisted, refunded=(*ret.unlisted.refunded, left if left > 0 else _GOODWILL))
    return True


def inspect(ret: Return, rng: random.Random, *, at: int) -> bool:
    """The warehouse grades a line, anew if it was graded before; False when there is no line."""
    if not ret.body["line_items"]:
        return False
    row = rng.choice(ret.body["line_items"])
    grade = rng.choice(catalogue.GRADES)
    inspector = rng.choice(catalogue.INSPECTORS)
    number = catalogue.GRADES.index(grade) + 1
    picture = f"https://cdn.example.com/inspections/{row['line_item_id']}-{at}.jpg"
    row["condition"] = {
        "description": row["return_reason"] or "As new",
        # On 2026-10 the grade may be an object; its keys are not documented.
        "condition_category": {"id": number, "name": grade} if chance(rng, 0.15) else grade,
        "return_processor": inspector,
        "note": rng.choice(("photo taken", None, "")),
        "inspected_at": bare(at),
        "images": [picture] if chance(rng, 0.6) else [],
    }
    row["disposition"] = {
        "disposition_outcome": rng.choice(catalogue.DISPOSITIONS),
        "return_processor": inspector,
        "note": None,
        "inspected_at": bare(at + 300),
    }
    return True


def reprice(ret: Return, rng: random.Random, *, at: int) -> bool:
    """The merchant takes something off a line's value and refund; False when no line allows it."""
    rows = [row for row in ret.body["line_items"] if cents(row["price"]) - cents(row["discount"]) > _MINIMUM_VALUE]
    if not rows:
        return False
    row = rng.choice(rows)
    value = cents(row["price"]) - cents(row["discount"])
    cut = max(1, value * rng.randint(5, 30) // 100)
    refunded = cents(row["refund"]) > 0
    row["discount"] = money(cents(row["discount"]) + cut)
    row["tax"] = money(round((value - cut) * TAX))
    price_line(row, refunded=refunded)
    ret.body["edited_at"] = iso(at)
    add_up(ret.body, ret.unlisted.rate)
    return True


def switch_outcome(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> bool:
    """The shopper wants something else for a line (exchange, refund, credit); False without lines."""
    body = ret.body
    if not body["line_items"]:
        return False
    row = rng.choice(body["line_items"])
    if row["outcome"] == "exchange":
        _take_back_exchange(body, row)
        price_line(row, refunded=True)
    elif cents(row["refund"]) and chance(rng, 0.6) and any(str(item[1]) == row["product_id"] for item in catalogue.PRODUCTS):
        body["exchanges"].append(exchange_line(rng, numbers, row))
    else:
        price_line(row, refunded=not cents(row["refund"]))
    body["edited_at"] = iso(at)
    add_up(body, ret.unlisted.rate)
    return True


def drop_line(ret: Return, rng: random.Random, *, at: int) -> bool:
    """A line item leaves the return and its labels, with its exchange item; False without lines."""
    body = ret.body
    if not body["line_items"]:
        return False
    row = body["line_items"].pop(rng.randrange(len(body["line_items"])))
    _take_back_exchange(body, row)
    for label in body["labels"]:
        label["line_items"] = [each for each in label["line_items"] if str(each) != row["line_item_id"]]
    body["edited_at"] = iso(at)
    add_up(body, ret.unlisted.rate)
    return True


def _take_back_exchange(body: dict[str, Any], row: dict[str, Any]) -> None:
    """Remove the one exchange item that was chosen for this line."""
    wanted = row["exchange_variant"]
    for index, item in enumerate(body["exchanges"]):
        if wanted and item["variant_id"] == wanted:
            del body["exchanges"][index]
            break
    row["outcome"], row["exchange_variant"] = "default", ""


def change_at_random(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> None:
    """One thing happens to the return, whatever fits; something visible always changes."""
    candidates: list[Callable[[], bool]] = [
        lambda: next_label(ret, rng, at=at),
        lambda: move_state(ret, rng.choices(STATES, weights=(3, 6, 2, 1, 1))[0], at=at),
        lambda: process(ret, rng, numbers, at=at),
        lambda: inspect(ret, rng, at=at),
        lambda: cents(ret.body["refund"]) > 0 and add_refund(ret, numbers, at=at),
        lambda: reprice(ret, rng, at=at),
        lambda: switch_outcome(ret, rng, numbers, at=at),
    ]
    rng.shuffle(candidates)
    if not any(event() for event in candidates):
        move_state(ret, "open" if ret.body["state"] == "closed" else "closed", at=at)
