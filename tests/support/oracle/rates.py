"""What share of what was sold came back, and the money of all shops in one currency."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.support.oracle.exchanges import orders_of
from tests.support.oracle.money import ratio, rpt_returns_daily
from tests.support.oracle.months import next_month
from tests.support.oracle.parsed import ZERO, add, month_of, or_none, rounded

if TYPE_CHECKING:
    from tests.support.oracle.parsed import Row
    from tests.support.oracle.shops import Group, Shop

SPANS = (30, 60, 90)
GROUP_MONEY = ("returned_value", "retained_revenue", "upsell", "handling_fees")


def rpt_return_rates(shop: Shop, group: Group) -> list[Row]:
    """A unit of an order line costs its part of the line; a return's unit is one of its line, by Shopify's id of it."""
    sent = {order for ret in (*shop.returns, *shop.gone) for order in orders_of(ret)}  # whatever became of the return
    back = defaultdict(list)
    for ret in shop.counted:
        for line in ret.lines:
            if line.provider_id is not None:
                back[line.provider_id].append((ret.submitted, (ret.type or "").lower() == "warranty"))
    groups = defaultdict(list)
    for sold in group.orders:
        if sold["shop"] == shop.name and sold["order_id"] not in sent:
            key = month_of(sold["ordered_at"], shop.zone), or_none(sold["product_id"]), or_none(sold["variant_id"])
            groups[(*key, sold["currency"] or "(none given)")].append((sold, sorted(back[sold["order_line_id"]])))
    names = ("month", "product_id", "variant_id", "currency")
    return [{"shop": shop.name, **dict(zip(names, key, strict=True)), **_rates(rows, shop)} for key, rows in groups.items()]


def _rates(rows: list[tuple[Row, list[Any]]], shop: Shop) -> Row:
    units, revenue = sum(sold["units"] for sold, _ in rows), add(sold["amount"] for sold, _ in rows)
    all_back = [(sold, min(len(of), sold["units"])) for sold, of in rows]
    warranties = [min(sum(is_warranty for _, is_warranty in of), sold["units"]) for sold, of in rows]
    found: Row = {
        "units_sold": units,
        "revenue": revenue,
        "units_returned": sum(count for _, count in all_back),
        "units_on_warranty": sum(warranties),
        "revenue_returned": _cost(all_back),
    }
    for span in SPANS:
        days = timedelta(days=span)
        ended = next_month(rows[0][0]["ordered_at"].astimezone(shop.zone)) + days <= shop.read_up_to
        within = [(sold, min(sum(at < sold["ordered_at"] + days for at, _ in of), sold["units"])) for sold, of in rows]
        count = sum(count for _, count in within)
        found |= {
            f"units_returned_{span}": count if ended else None,
            f"item_rate_{span}": ratio(count, units) if ended else None,
            f"revenue_rate_{span}": ratio(_cost(within), revenue) if ended else None,
        }
    return found


def _cost(rows: list[tuple[Row, int]]) -> Decimal:
    """With the four digits that amounts have, line by line."""
    return add(rounded(sold["amount"] * count / sold["units"], 4) for sold, count in rows)


def rpt_group_daily(shop: Shop, group: Group) -> list[Row]:
    if not group.rates:
        return []
    groups = defaultdict(list)
    for row in rpt_returns_daily(shop):
        groups[row["date_basis"], row["day"], row["return_type"], row["currency"]].append(row)
    found = []
    for (basis, day, kind, currency), rows in groups.items():
        at = max((one["day"] for one in group.rates if one["currency"] == currency and one["day"] <= day), default=None)
        rate = next((one["rate"] for one in group.rates if (one["currency"], one["day"]) == (currency, at)), None)
        money = {name: sum((row[name] for row in rows), ZERO) for name in GROUP_MONEY}
        found.append(
            {
                "shop": shop.name,
                "date_basis": basis,
                "day": day,
                "return_type": kind,
                "currency": currency,
                "rate_day": at,
                "rate": rate,
                "returns": sum(row["returns"] for row in rows),
                "units_returned": sum(row["units_returned"] for row in rows),
                **{name: None if rate is None else rounded(value * rate, 4) for name, value in money.items()},
            }
        )
    return found


def rpt_shopper_cohorts(shop: Shop, group: Group) -> list[Row]:
    """Shoppers by the month of their first order; only the next order tells whether they came again."""
    sent = {order for ret in (*shop.returns, *shop.gone) for order in orders_of(ret)}
    back = {ret.order for ret in shop.counted if ret.lines}
    orders: dict[str, dict[str, Any]] = defaultdict(dict)
    for sold in group.orders:
        customer = (sold.get("customer") or "").strip().lower()
        if sold["shop"] == shop.name and sold["order_id"] not in sent and customer not in ("", "n/a"):
            of = orders[customer]
            of[sold["order_id"]] = min(sold["ordered_at"], of.get(sold["order_id"], sold["ordered_at"]))
    months = defaultdict(list)
    for of in orders.values():
        (at, first), *later = sorted((at, order) for order, at in of.items())
        again = [next_at - at for next_at, _ in later[:1]]
        months[month_of(at, shop.zone)].append((at, first in back, again))
    return [{"shop": shop.name, "month": month, **_cohort(rows, shop)} for month, rows in months.items()]


def _cohort(rows: list[tuple[Any, bool, list[timedelta]]], shop: Shop) -> Row:
    ended = next_month(rows[0][0].astimezone(shop.zone)) + timedelta(days=90) <= shop.read_up_to
    soon = [(is_back, any(span < timedelta(days=90) for span in again)) for _, is_back, again in rows]
    backs = [is_soon for is_back, is_soon in soon if is_back]
    kept = [is_soon for is_back, is_soon in soon if not is_back]
    known: Row = {
        "shoppers_again_90": sum(is_soon for _, is_soon in soon),
        "shoppers_returning_again_90": sum(backs),
        "again_share_returning_90": ratio(sum(backs), len(backs)),
        "again_share_keeping_90": ratio(sum(kept), len(kept)),
    }
    return {
        "shoppers": len(rows),
        "shoppers_returning": len(backs),
        "shoppers_again": sum(bool(again) for _, _, again in rows),
        **(known if ended else dict.fromkeys(known)),
    }
