"""Returned units and what is said by them: reasons, products, shoppers."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from tests.support.oracle.compared import AnyOf
from tests.support.oracle.links import of_unit, ordered_at
from tests.support.oracle.money import mean, ratio, refunded_at
from tests.support.oracle.parsed import ZERO, add, day_of, days_between, known, month_of, or_none

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.oracle.parsed import Line, Return, Row
    from tests.support.oracle.shops import Shop

Pair = tuple["Return", "Line"]


def pairs(shop: Shop, *, counted: bool = False) -> Iterator[Pair]:
    """Every unit with its return; `counted` leaves cancelled and expired returns out."""
    for ret in shop.counted if counted else shop.returns:
        for line in ret.lines:
            yield ret, line


def fct_return_lines(shop: Shop) -> list[Row]:
    return [_line(shop, *pair) for pair in pairs(shop)]


def _days_from_order(ret: Return) -> Any:
    return days_between(ordered_at(ret), ret.submitted)


def _line(shop: Shop, ret: Return, line: Line) -> Row:
    notice, placed, days = of_unit(ret, line.id), ordered_at(ret), _days_from_order(ret)
    return {
        "shop": shop.name,
        "return_id": ret.id,
        "line_item_id": line.id,
        "state": ret.state,
        "is_void": ret.is_void,
        "return_type": ret.type,
        "submitted_at": ret.submitted,
        "submitted_date": day_of(ret.submitted, shop.zone),
        "ordered_at": placed,
        "ordered_date": day_of(placed, shop.zone),
        "days_from_order": None if days is None or days.is_signed() else days,
        "provider_order_id": ret.order,
        "customer": ret.customer,
        "country_code": ret.word("origin_country_code"),
        "provider_line_item_id": line.provider_id,
        "product_id": line.product,
        "variant_id": line.variant,
        "sku": line.sku,
        "barcode": line.barcode,
        "title": line.title,
        "parent_reason": line.parent_reason,
        "reason": line.reason,
        "top_reason": line.reasons[0],
        "comment_text": line.comment,
        "outcome": line.outcome,
        "exchange_variant_id": line.exchange_variant,
        "currency": ret.currency,
        "price": line.price,
        "discount": line.discount,
        "tax": line.tax,
        "returned_value": line.value,
        "refunded": line.refund,
        "refunded_evidenced": _evidenced(ret, line),
        "refunded_item": line.refund_item,
        "refunded_tax": line.refund_tax,
        "inspected_at": line.inspected,
        "disposition": line.disposition,
        "restock_status": notice.word("restock_status") if notice else None,
        "delivered_at": notice.delivered if notice else None,
        "destination_id": (notice.word("destination_id") if notice else None) or ret.word("destination_id"),
        "destination_name": notice.word("destination_name") if notice else None,
    } | ({} if isinstance(line.grade, dict) else {"condition_grade": line.grade})  # the keys of an object are not documented


def _evidenced(ret: Return, line: Line) -> Any:
    return line.refund if refunded_at(ret) else ZERO


def _sums(rows: list[Pair]) -> Row:
    return {
        "units_returned": len(rows),
        "returns": len({ret.id for ret, _ in rows}),
        "returned_value": add(line.value for _, line in rows),
        "refunded": add(line.refund for _, line in rows),
        "refunded_evidenced": add(_evidenced(ret, line) for ret, line in rows),
    }


def rpt_product_returns(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret, line in pairs(shop, counted=True):
        named = tuple(map(or_none, (ret.currency, ret.type, line.product, line.variant, line.sku)))
        for basis, at in (("submitted", ret.submitted), ("ordered", ordered_at(ret))):
            if at is not None:
                groups[basis, month_of(at, shop.zone), *named].append((ret, line))
    names = ("date_basis", "month", "currency", "return_type", "product_id", "variant_id", "sku")
    return [
        {"shop": shop.name, **dict(zip(names, key, strict=True)), **_product(rows, shop.zone)}
        for key, rows in groups.items()
    ]


def _product(rows: list[Pair], zone: tzinfo) -> Row:
    days = known(_days_from_order(ret) for ret, _ in rows)
    reasons = Counter(line.reasons[0] for _, line in rows)
    most = max(reasons.values())
    latest = max(ret.submitted for ret, _ in rows)
    return _sums(rows) | {
        "title": AnyOf({line.title for ret, line in rows if ret.submitted == latest}),
        "units_swapped": sum(line.outcome == "exchange" or line.exchange_variant is not None for _, line in rows),
        "main_reason": AnyOf({reason for reason, units in reasons.items() if units == most}),
        "main_reason_units": most,
        "units_inspected": sum(line.inspected is not None for _, line in rows),
        "avg_days_from_order": mean([one for one in days if not one.is_signed()]),
        "units_with_order_date": sum(not one.is_signed() for one in days),
        "units_impossible": sum(one.is_signed() for one in days),
        "first_returned": day_of(min(ret.submitted for ret, _ in rows), zone),
        "last_returned": day_of(latest, zone),
    }


def rpt_return_reasons(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret, line in pairs(shop, counted=True):
        groups[month_of(ret.submitted, shop.zone), or_none(ret.currency), or_none(ret.type), *line.reasons].append(
            (ret, line)
        )
    names = ("month", "currency", "return_type", "parent_reason", "reason")
    rows = []
    for key, of in groups.items():
        sums = _sums(of)
        more = {
            "refunded_ratio": ratio(sums["refunded"], sums["returned_value"]),
            "comments": sum(line.comment is not None for _, line in of),
        }
        rows.append({"shop": shop.name, **dict(zip(names, key, strict=True)), **sums, **more})
    return rows


def dim_return_reasons(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret, line in pairs(shop):
        groups[line.reasons].append(ret.submitted)
    return [
        {
            "shop": shop.name,
            "parent_reason": parent,
            "reason": reason,
            "first_used_at": min(times),
            "last_used_at": max(times),
            "units": len(times),
        }
        for (parent, reason), times in groups.items()
    ]


def dim_products(shop: Shop) -> list[Row]:
    """Variants that came back or went out; the names are those of the latest return that has one."""
    seen = defaultdict(list)
    for ret in shop.returns:
        for line in ret.lines:
            seen[or_none(line.product), or_none(line.variant)].append((ret.submitted, line))
        for swap in ret.swaps:
            seen[or_none(swap.product), or_none(swap.variant)].append((ret.submitted, swap))
    return [
        {
            "shop": shop.name,
            "product_id": product,
            "variant_id": variant,
            **{name: _latest(rows, name) for name in ("title", "sku", "barcode")},
            "first_seen_at": min(at for at, _ in rows),
            "last_seen_at": max(at for at, _ in rows),
            "units_returned": sum(hasattr(one, "barcode") for _, one in rows),
            "units_exchanged": sum(not hasattr(one, "barcode") for _, one in rows),
        }
        for (product, variant), rows in seen.items()
    ]


def _latest(rows: list[tuple[datetime, Any]], name: str) -> Any:
    named = [(at, value) for at, one in rows if (value := getattr(one, name, None)) is not None]
    latest = max((at for at, _ in named), default=None)
    return AnyOf({value for at, value in named if at == latest}) if named else None


def dim_customers(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for ret in shop.returns:
        if ret.customer is not None:
            groups[ret.customer].append(ret)
    return [{"shop": shop.name, "customer": name, **_shopper(rows)} for name, rows in groups.items()]


def _shopper(rows: list[Return]) -> Row:
    placed = [one for one in rows if one.word("origin_country_code") is not None]
    latest = max((one.submitted for one in placed), default=None)
    of_latest = [one for one in placed if one.submitted == latest]
    return {
        "country_code": AnyOf({one.word("origin_country_code") for one in of_latest}) if placed else None,
        "country": AnyOf({one.word("origin_country") for one in of_latest}) if placed else None,
        "returns": len(rows),
        "returns_void": sum(one.is_void for one in rows),
        "first_return_at": min(one.submitted for one in rows),
        "last_return_at": max(one.submitted for one in rows),
        "is_repeat": sum(not one.is_void for one in rows) > 1,
    }


def dim_date(shops: list[Shop]) -> list[Row]:
    """From the year before the first return to the year after the latest one."""
    years = [ret.submitted.year for shop in shops for ret in shop.returns]
    day, rows = date(min(years) - 1, 1, 1), []
    while day.year <= max(years) + 1:
        month = day.replace(day=1)
        rows.append(
            {
                "day": day,
                "year": day.year,
                "quarter": (day.month + 2) // 3,
                "month": day.month,
                "month_start": month,
                "month_end": (month + timedelta(days=32)).replace(day=1) - timedelta(days=1),
                "week_start": day - timedelta(days=day.weekday()),
                "iso_week": day.isocalendar().week,
                "weekday": day.isoweekday(),
                "is_weekend": day.weekday() > 4,
            }
        )
        day += timedelta(days=1)
    return rows
