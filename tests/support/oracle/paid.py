"""Refunds of returns, and whether what was paid fits what was chosen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.support.oracle.links import closed_at, delivered_at
from tests.support.oracle.money import refunded_at
from tests.support.oracle.others import paid_by_details
from tests.support.oracle.parsed import add, day_of, days_between, known, lower

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from tests.support.oracle.parsed import Refund, Return, Row
    from tests.support.oracle.shops import Group, Shop

GRACE, LIFE_OF_A_LABEL = timedelta(days=3), timedelta(days=28)


def in_order(ret: Return) -> list[Refund]:
    """Its refunds, the first one first."""
    return sorted(ret.refunds, key=lambda one: (one.at is None, one.at, one.id))


def different(ret: Return) -> list[Refund]:
    """Each Shopify refund once, however often Loop recorded it."""
    kept: dict[str, Refund] = {}
    for refund in in_order(ret):
        kept.setdefault(refund.provider_id or f"only at Loop: {refund.id}", refund)
    return list(kept.values())


def paid_for(group: Group, shop: Shop, ret: Return, refund: Refund) -> tuple[Decimal | None, str | None]:
    """The amount and what tells it: the table that a setting names, else the return's details."""
    if refund.provider_id is None:
        return None, None
    if (amount := group.refunds.get((shop.name, refund.provider_id))) is not None:
        return amount, "refunds"
    amount = paid_by_details(shop, ret, refund)
    return amount, None if amount is None else "return_details"


def paid(group: Group, shop: Shop, ret: Return) -> tuple[Decimal | None, str | None]:
    """What was paid, and what tells it; None where the amount of a refund is not known, and where there is no refund."""
    found = [paid_for(group, shop, ret, one) for one in different(ret)]
    sources = {source for _, source in found}
    if not found or None in sources:
        return None, None
    return add(amount for amount, _ in found), "both" if len(sources) > 1 else found[0][1]


def fct_refunds(shop: Shop, group: Group) -> list[Row]:
    rows = []
    for ret in shop.returns:
        firsts = different(ret)
        for number, refund in enumerate(in_order(ret), start=1):
            rows.append(
                {
                    "shop": shop.name,
                    "return_id": ret.id,
                    "refund_id": refund.id,
                    "provider_refund_id": refund.provider_id,
                    "refund_number": number,
                    "refunded_at": refund.at,
                    "refunded_date": day_of(refund.at, shop.zone),
                    "recorded_at": refund.recorded,
                    "return_status": status(shop, group, ret),
                    "state": ret.state,
                    "is_void": ret.is_void,
                    "return_type": ret.type,
                    "outcome": ret.outcome,
                    "currency": ret.currency,
                    "refund_chosen": ret.amount("refund") if number == 1 else None,
                    **_paid(paid_for(group, shop, ret, refund) if refund in firsts else (None, None)),
                    "submitted_at": ret.submitted,
                    "delivered_at": delivered_at(ret),
                    "closed_at": closed_at(ret),
                    "days_from_submission": days_between(ret.submitted, refund.at),
                    "days_from_delivery": days_between(delivered_at(ret), refund.at),
                    "days_from_closing": days_between(closed_at(ret), refund.at),
                }
            )
    return rows


def _paid(found: tuple[Decimal | None, str | None]) -> Row:
    return dict(zip(("refund_paid", "amount_source"), found, strict=True))


def first_paid_at(ret: Return) -> datetime | None:
    """When the first listed refund was made; where none is listed, when Loop processed the refund."""
    return min(known(one.at for one in ret.refunds), default=ret.processed.get("refund_processed"))


def status(shop: Shop, group: Group, ret: Return) -> str:
    """The first that fits, in the order of the column's meaning."""
    chosen, (amount, _), at, count = ret.amount("refund"), paid(group, shop, ret), first_paid_at(ret), len(different(ret))
    if at is None:
        is_late = ret.state == "closed" and (closed_at(ret) or ret.updated) < shop.read_up_to - GRACE
        return "closed without pay" if is_late else "waiting"
    is_early = bool(ret.raw.get("refund_before_inspection")) and not _has_arrived(ret)
    fits = {
        "paid and never received": is_early and (ret.is_void or at < shop.read_up_to - LIFE_OF_A_LABEL),
        "paid though cancelled or expired": ret.is_void,
        "paid twice": count > 1 and amount is not None and 0 < 2 * chosen <= amount,
        "more than one refund": count > 1 and amount is None,
        "paid though none was chosen": chosen == 0,
        "differs": amount is not None and amount != chosen,
        "paid before inspection": ret.state != "closed" and is_early,
        "paid without closing": ret.state != "closed",
    }
    return next((name for name, does in fits.items() if does), "fine")


def _has_arrived(ret: Return) -> bool:
    """True when something of the return is known to have arrived."""
    told = [lower(one.raw.get("return_method_state")) for one in ret.notices]
    inspected = any(line.is_inspected for line in ret.lines)
    return delivered_at(ret) is not None or inspected or "delivered" in (ret.method_state, *told)


def rpt_refund_reconciliation(shop: Shop, group: Group) -> list[Row]:
    rows = []
    for ret in shop.returns:
        chosen, at = ret.amount("refund"), refunded_at(ret)
        if at is None and (ret.is_void or chosen == 0):
            continue
        first = first_paid_at(ret)
        amount, source = paid(group, shop, ret)
        rows.append(
            {
                "shop": shop.name,
                "return_id": ret.id,
                "status": status(shop, group, ret),
                "state": ret.state,
                "is_void": ret.is_void,
                "return_type": ret.type,
                "outcome": ret.outcome,
                "currency": ret.currency,
                "refund_chosen": chosen,
                **_paid((amount, source)),
                "difference": None if amount is None else amount - chosen,
                "refunds": len(different(ret)),
                "first_refund_at": first,
                "last_refund_at": max(known(one.at for one in ret.refunds), default=first),
                "refund_processed_at": ret.processed.get("refund_processed"),
                "refund_before_inspection": bool(ret.raw.get("refund_before_inspection")),
                "submitted_at": ret.submitted,
                "delivered_at": delivered_at(ret),
                "inspected_at": min(known(line.inspected for line in ret.lines), default=None),
                "closed_at": closed_at(ret),
                "days_to_refund": days_between(ret.submitted, first),
                "days_from_delivery_to_refund": days_between(delivered_at(ret), first),
                "read_up_to": shop.read_up_to,
            }
        )
    return rows
