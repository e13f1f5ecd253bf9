"""What a return is worth, who got what of it, and how long it took: by return, by day, by shopper."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from tests.support.oracle import others
from tests.support.oracle.links import closed_at, delivered_at, ordered_at
from tests.support.oracle.parsed import ZERO, add, day_of, days_between, known, lower, or_none, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tests.support.oracle.parsed import Return, Row
    from tests.support.oracle.shops import Shop


def refunded_at(ret: Return) -> datetime | None:
    """The first date of a refund, whoever tells it."""
    return min(known([*(one.at for one in ret.refunds), ret.processed.get("refund_processed")]), default=None)


def evidenced(ret: Return) -> Decimal:
    """The refund that was chosen, where a refund has a date."""
    return ret.amount("refund") if refunded_at(ret) else ZERO


def retained(ret: Return) -> Decimal:
    return ret.amount("return_credit_total")


def retained_as_exchange(ret: Return) -> Decimal:
    return min(ret.amount("exchange_credit_total"), retained(ret))


def outcomes(ret: Return) -> dict[str, bool]:
    """What the shopper gets, by the words of the outcome and by the amounts."""
    said = (ret.outcome or "").lower()
    upsell = "upsell" in said or ret.amount("upsell") > 0
    return {
        "has_exchange": "exchange" in said or "upsell" in said or ret.amount("exchange_total") > 0 or bool(ret.swaps),
        "has_refund": "refund" in said or ret.amount("refund") > 0,
        "has_credit": "credit" in said or "gift" in said or ret.amount("gift_card") > 0,
        "has_upsell": upsell,
    }


def ratio(part: Decimal | int | None, whole: Decimal | int) -> Decimal | None:
    """A share, null where there is no whole; of eight digits, as the databases divide, then of four."""
    return rounded(rounded(Decimal(part) / whole, 8), 4) if whole and part is not None else None


def durations(ret: Return) -> dict[str, Decimal | None]:
    """Days of each step; those below zero too."""
    return {
        "days_from_order": days_between(ordered_at(ret), ret.submitted),
        "days_to_deliver": days_between(ret.submitted, delivered_at(ret)),
        "days_to_refund": days_between(ret.submitted, refunded_at(ret)),
        "days_to_close": days_between(ret.submitted, closed_at(ret)),
    }


def possible(ret: Return) -> dict[str, Decimal | None]:
    return {name: None if days is None or days.is_signed() else days for name, days in durations(ret).items()}


def impossible(ret: Return) -> int:
    return sum(days is not None and days.is_signed() for days in durations(ret).values())


def mean(values: Sequence[Decimal]) -> Decimal | None:
    return rounded(add(values) / len(values), 2) if values else None


def middle(values: Sequence[Decimal]) -> Decimal | None:
    return rounded(median(values), 2) if values else None


def fct_returns(shop: Shop) -> list[Row]:
    return [_return(shop, ret) for ret in shop.returns]


def _return(shop: Shop, ret: Return) -> Row:
    ordered = ordered_at(ret)
    return {
        "shop": shop.name,
        "return_id": ret.id,
        "state": ret.state,
        "is_void": ret.is_void,
        "return_type": ret.type,
        "outcome": ret.outcome,
        **outcomes(ret),
        "submitted_at": ret.submitted,
        "submitted_date": day_of(ret.submitted, shop.zone),
        "submitted_date_utc": day_of(ret.submitted, UTC),
        "ordered_at": ordered,
        "ordered_date": day_of(ordered, shop.zone),
        "ordered_date_utc": day_of(ordered, UTC),
        "updated_at": ret.updated,
        "edited_at": ret.edited,
        "delivered_at": delivered_at(ret),
        "refunded_at": refunded_at(ret),
        "refunded_date": day_of(refunded_at(ret), shop.zone),
        "closed_at": closed_at(ret),
        "closed_date": day_of(closed_at(ret), shop.zone),
        "provider_order_id": ret.order,
        "order_name": ret.word("order_name"),
        "loop_order_id": ret.word("order_id"),
        "customer": ret.customer,
        "country": ret.word("origin_country"),
        "country_code": ret.word("origin_country_code"),
        "currency": ret.currency,
        "multi_currency": ret.raw.get("multi_currency"),
        "units_returned": len(ret.lines),
        "units_exchanged": len(ret.swaps),
        **_amounts(ret),
        "refunded_paid": others.paid_back(shop, ret),
        **others.presented(shop, ret),
        "carrier": ret.word("carrier"),
        "label_status": lower(ret.raw.get("label_status")),
        "labels": len(ret.labels),
        "destination_id": ret.word("destination_id"),
        "refund_before_inspection": ret.raw.get("refund_before_inspection"),
        "was_processed": ret.raw.get("was_processed"),
        **possible(ret),
        "impossible_durations": impossible(ret),
    }


def _amounts(ret: Return) -> Row:
    """What Loop says, so null where it says nothing; sums take that for nothing."""
    names = {
        "returned_gross": "return_product_total",
        "returned_discount": "return_discount_total",
        "returned_tax": "return_tax_total",
        "returned_value": "return_total",
        "retained_revenue": "return_credit_total",
        "refunded": "refund",
        "refunded_shipping": "refund_shipping_total",
        "store_credit": "gift_card",
        "exchanged_value": "exchange_total",
        "upsell": "upsell",
        "handling_fee": "handling_fee",
    }
    return {name: ret.amount_if_any(field) for name, field in names.items()} | {
        "retained_as_credit": retained(ret) - retained_as_exchange(ret),
        "retained_as_exchange": retained_as_exchange(ret),
        "retained_ratio": ratio(ret.amount_if_any("return_credit_total"), ret.amount("return_total")),
        "refunded_evidenced": ret.amount_if_any("refund") if refunded_at(ret) else ZERO,
    }


def rpt_returns_daily(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret in shop.returns:
        times = {
            "submitted": ret.submitted,
            "ordered": ordered_at(ret),
            "refunded": refunded_at(ret),
            "closed": closed_at(ret),
        }
        for basis, at in times.items():
            if at is not None:
                groups[basis, day_of(at, shop.zone), or_none(ret.type), or_none(ret.currency)].append(ret)
    names = ("date_basis", "day", "return_type", "currency")
    return [{"shop": shop.name, **dict(zip(names, key, strict=True)), **_day(rows)} for key, rows in groups.items()]


def _day(rows: list[Return]) -> Row:
    counted, void = [one for one in rows if not one.is_void], [one for one in rows if one.is_void]
    days = [possible(one) for one in counted]
    delivered, refunded, closed = (
        known(one[name] for one in days) for name in ("days_to_deliver", "days_to_refund", "days_to_close")
    )
    kept, value = add(map(retained, counted)), total(counted, "return_total")
    return {
        "returns": len(counted),
        "returns_open": _in(rows, "open"),
        "returns_in_review": _in(rows, "review"),
        "returns_closed": _in(rows, "closed"),
        "returns_cancelled": _in(rows, "cancelled"),
        "returns_expired": _in(rows, "expired"),
        **{
            f"returns_with_{what}": sum(outcomes(one)[f"has_{what}"] for one in counted)
            for what in ("exchange", "refund", "credit", "upsell")
        },
        "units_returned": sum(len(one.lines) for one in counted),
        "returned_value": value,
        "retained_revenue": kept,
        "retained_as_exchange": add(map(retained_as_exchange, counted)),
        "retained_as_credit": kept - add(map(retained_as_exchange, counted)),
        "retained_ratio": ratio(kept, value),
        "refunded": total(counted, "refund"),
        "refunded_evidenced": add(map(evidenced, counted)),
        "void_refunded": sum(refunded_at(one) is not None for one in void),
        "void_refunded_evidenced": add(map(evidenced, void)),
        "upsell": total(counted, "upsell"),
        "handling_fees": total(counted, "handling_fee"),
        "avg_days_to_deliver": mean(delivered),
        "returns_delivered": len(delivered),
        "avg_days_to_refund": mean(refunded),
        "returns_refunded": len(refunded),
        "avg_days_to_close": mean(closed),
        "returns_close_known": len(closed),
        "returns_impossible": sum(impossible(one) > 0 for one in counted),
    }


def total(rows: Iterable[Return], name: str) -> Decimal:
    return add(one.amount(name) for one in rows)


def _in(rows: list[Return], state: str) -> int:
    return sum(one.state == state for one in rows)


def rpt_customer_returns(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret in shop.returns:
        if ret.customer is not None:
            groups[ret.customer, or_none(ret.currency)].append(ret)
    return [{"shop": shop.name, "customer": key[0], "currency": key[1], **_shopper(rows)} for key, rows in groups.items()]


def _shopper(rows: list[Return]) -> Row:
    counted = [one for one in rows if not one.is_void]
    kept, value = add(map(retained, counted)), total(counted, "return_total")
    only_money = [had["has_refund"] and not had["has_exchange"] and not had["has_credit"] for had in map(outcomes, counted)]
    return {
        "returns": len(counted),
        "returns_void": len(rows) - len(counted),
        "returns_warranty": sum(one.type == "warranty" for one in counted),
        "orders": len(set(known(one.order for one in counted))),
        "units_returned": sum(len(one.lines) for one in counted),
        "returned_value": value,
        "retained_revenue": kept,
        "retained_ratio": ratio(kept, value),
        "refunded": total(counted, "refund"),
        "refunded_evidenced": add(map(evidenced, counted)),
        "refund_only_returns": sum(only_money),
        "first_return_at": min((one.submitted for one in counted), default=None),
        "last_return_at": max((one.submitted for one in counted), default=None),
    }
