"""Exchange items, chains of exchanges that came back, and what of an exchange was kept."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.oracle.links import ordered_at
from tests.support.oracle.money import ratio, retained, total
from tests.support.oracle.parsed import add, day_of, days_between, known, month_of

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.oracle.parsed import Return, Row, Swap
    from tests.support.oracle.shops import Shop

SETTLED = timedelta(days=60)


def fct_exchange_lines(shop: Shop) -> list[Row]:
    return [_item(shop, ret, swap) for ret in shop.returns for swap in ret.swaps]


def _item(shop: Shop, ret: Return, swap: Swap) -> Row:
    ordered = ordered_at(ret)
    return {
        "shop": shop.name,
        "return_id": ret.id,
        "exchange_id": swap.id,
        "state": ret.state,
        "is_void": ret.is_void,
        "return_type": ret.type,
        "submitted_at": ret.submitted,
        "submitted_date": day_of(ret.submitted, shop.zone),
        "ordered_at": ordered,
        "ordered_date": day_of(ordered, shop.zone),
        "provider_order_id": ret.order,
        "customer": ret.customer,
        "exchange_order_id": swap.order,
        "exchange_order_name": swap.order_name,
        "is_placed": swap.order is not None,
        "product_id": swap.product,
        "variant_id": swap.variant,
        "sku": swap.sku,
        "title": swap.title,
        "exchange_type": swap.kind,
        "is_same_product": swap.product is not None and any(line.product == swap.product for line in ret.lines),
        "currency": ret.currency,
        "price": swap.price,
        "discount": swap.discount,
        "tax": swap.tax,
        "exchanged_value": swap.total,
        "out_of_stock": swap.raw.get("out_of_stock"),
        "out_of_stock_resolution": swap.resolution,
    }


def orders_of(ret: Return) -> list[str]:
    return sorted(set(known(swap.order for swap in ret.swaps)))


def exchanged_at(ret: Return) -> datetime:
    return ret.processed.get("exchange_processed") or ret.submitted


def owned_orders(shop: Shop) -> dict[str, list[str]]:
    """The exchange orders of each return; one that two returns name belongs to the first by id."""
    owners: dict[str, str] = {}
    for ret in sorted(shop.counted, key=lambda one: one.id):
        for order in orders_of(ret):
            owners.setdefault(order, ret.id)
    return {ret.id: [order for order in orders_of(ret) if owners[order] == ret.id] for ret in shop.counted}


def chains(shop: Shop) -> list[tuple[Return, list[list[Return]]]]:
    """The first return of each chain, and the steps of the later ones."""
    by_order = defaultdict(list)
    for ret in shop.counted:
        if ret.order is not None:
            by_order[ret.order].append(ret)
    orders = owned_orders(shop)
    sent = {order for of in orders.values() for order in of}
    found = []
    for first in shop.counted:
        if orders[first.id] and first.order not in sent:
            steps, last = [], [first]
            while last := [two for one in last for order in orders[one.id] for two in by_order[order]]:
                steps.append(last)
            found.append((first, steps))
    return found


def fct_exchange_chains(shop: Shop) -> list[Row]:
    orders = owned_orders(shop)
    return [_chain(shop, orders, first, steps) for first, steps in chains(shop)]


def _chain(shop: Shop, orders: dict[str, list[str]], first: Return, steps: list[list[Return]]) -> Row:
    later = [one for step in steps for one in step]
    following = min((one.submitted for one in later), default=None)
    same = [one for one in later if one.currency == first.currency]
    refunded = total(same, "refund")
    return {
        "shop": shop.name,
        "return_id": first.id,
        "exchange_order_id": orders[first.id][0],
        "return_type": first.type,
        "customer": first.customer,
        "currency": first.currency,
        "submitted_at": first.submitted,
        "exchanged_at": exchanged_at(first),
        "is_kept": not later,
        "returns_later": len(later),
        "chain_length": 1 + len(steps),
        "exchange_orders": sum(len(orders[one.id]) for one in (first, *later)),
        "next_return_at": following,
        "days_to_next_return": days_between(exchanged_at(first), following),
        "returned_value": first.amount("return_total"),
        "retained_revenue": retained(first),
        "returned_later": total(same, "return_total"),
        "refunded_later": refunded,
        "retained_after": retained(first) - refunded,
        "is_settled": exchanged_at(first) + SETTLED <= shop.read_up_to,
    }


def rpt_exchange_retention(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for row in fct_exchange_chains(shop):
        texts = (row[name] or "(none given)" for name in ("return_type", "currency"))
        groups[month_of(row["exchanged_at"], shop.zone), *texts].append(row)
    names = ("month", "return_type", "currency")
    return [{"shop": shop.name, **dict(zip(names, key, strict=True)), **_kept(rows)} for key, rows in groups.items()]


def _kept(rows: list[Row]) -> Row:
    settled = [row for row in rows if row["is_settled"]]
    again = [row for row in settled if row["next_return_at"] and row["next_return_at"] <= row["exchanged_at"] + SETTLED]
    sums: dict[str, Any] = {
        name: add(row[name] for row in rows)
        for name in ("returned_value", "retained_revenue", "refunded_later", "retained_after", "returns_later")
    }
    return sums | {
        "exchanges": len(rows),
        "exchanges_settled": len(settled),
        "returned_again": len(again),
        "share_kept": ratio(len(settled) - len(again), len(settled)),
        "exchanged_repeatedly": sum(row["chain_length"] > 2 for row in rows),
    }
