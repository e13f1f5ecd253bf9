"""What real shops have and a tidy one has not: each makes one thing odd about a return, so that reports can be tried on it.

Each function changes a `Return` in place; `at` is the second at which it happens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loop_returns.sandbox import events
from loop_returns.sandbox.money import cents, money
from loop_returns.sandbox.times import DAY, iso, php, second_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from loop_returns.sandbox.bodies import Return

_BONUS: Final = 1_000  # cents


def two_packages(ret: Return, rng: random.Random, *, at: int) -> None:
    """The units go in two packages; the first has arrived without a date in the notices, the second is on its way."""
    body = ret.body
    body.update(state="open", labels=[])
    for _ in range(2):
        events.add_label(ret, rng, at=at - 3 * DAY)
    first, second = body["labels"]
    first["line_items"], second["line_items"] = first["line_items"][:1], second["line_items"][1:]
    events.move_label(ret, "delivered", at=at)
    second.update(status="in_transit", updated_at=iso(at))
    ret.unlisted = replace(ret.unlisted, delivered=None)


def reopened(ret: Return, _rng: random.Random, *, at: int) -> None:
    """Closed and opened again; its notices still say when it was closed."""
    events.move_state(ret, "open", at=at)
    ret.unlisted = replace(ret.unlisted, closed=at - DAY)


def bonus_credit(ret: Return, _rng: random.Random, *, at: int) -> None:  # noqa: ARG001 - as all of them
    """The gift card is ten more than what was retained less the exchange."""
    body = ret.body
    kept = cents(body["return_credit_total"]) - min(cents(body["return_credit_total"]), cents(body["exchange_credit_total"]))
    body["gift_card"] = money(kept + _BONUS)


def no_values(ret: Return, _rng: random.Random, *, at: int) -> None:  # noqa: ARG001 - as all of them
    """Texts that stand for no value: an anonymous shopper, an order without an id, a product without one."""
    ret.body.update(customer="N/A", provider_order_id="", carrier=" ", label_status="n/a")
    for line in ret.body["line_items"]:
        line.update(product_id="", variant_id="N/A", return_reason="N/A")
    for item in ret.body["exchanges"]:
        item.update(product_id="", exchange_order_id="N/A")


def refunded_and_expired(ret: Return, _rng: random.Random, *, at: int) -> None:
    """Refunded before inspection, and then nothing was sent."""
    events.move_state(ret, "expired", at=at)
    ret.body["refund_before_inspection"] = True
    ret.body.setdefault("outcomes_processed_at", {})["refund_processed"] = php(at - DAY)


def closed_before_submitted(ret: Return, _rng: random.Random, *, at: int) -> None:
    """Its notices say that it was delivered and closed before it was submitted."""
    events.move_state(ret, "closed", at=at)
    submitted = second_of(ret.body["created_at"]) or at
    ret.unlisted = replace(ret.unlisted, closed=submitted - DAY // 2, delivered=submitted - DAY)


ODDITIES: Final[tuple[Callable[..., None], ...]] = (
    two_packages,
    reopened,
    bonus_credit,
    no_values,
    refunded_and_expired,
    closed_before_submitted,
)
