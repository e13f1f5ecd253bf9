"""Labels and packages: which units are in which, what has arrived, what is still to come, what it costs."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.oracle import others
from tests.support.oracle.compared import AnyOf
from tests.support.oracle.links import ordered_at
from tests.support.oracle.money import mean, middle, ratio, total
from tests.support.oracle.parsed import add, day_of, days_between, known, lower, month_of, or_none, rounded, stage_of

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.support.oracle.parsed import Label, Notice, Return, Row
    from tests.support.oracle.shops import Group, Shop

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def latest(label: Label) -> tuple[datetime, int]:
    """To sort labels by their last scan."""
    return label.scanned or EPOCH, label.index


def notices_of(ret: Return, label: Label) -> list[Notice]:
    """The notices of a label's units; of several labels the one scanned when the notice says, else the latest."""
    found = []
    for notice in ret.notices:
        own = [one for one in ret.labels if one.units is None or notice.unit in one.units]
        own.sort(key=lambda one: (one.scanned is not None and one.scanned == notice.scanned, *latest(one)))
        found += [notice] if own and own[-1] is label else []
    return found


def arrived(told: list[Notice], label: Label) -> datetime | None:
    """When a package arrived: the date of its units' notices, else the last scan of a delivered label."""
    return min(known(one.delivered for one in told), default=label.scanned if label.stage == "delivered" else None)


def first_scanned(shop: Shop, ret: Return, label: Label) -> datetime | None:
    """The earliest report that it is on its way: of itself, of its units' notices, of its return if that has no other."""
    found = {(label.status, label.scanned)}
    for notice in notices_of(ret, label):
        found |= shop.reports.get(("advanced_shipping_notices", notice.id, notice.unit), set())
        found.add((lower(notice.raw.get("label_status")), notice.scanned))
    if len(ret.labels) == 1:
        found |= shop.reports.get(("returns", ret.id, ""), set())
    return min(known(at for status, at in found if stage_of(status) == "on its way"), default=None)


def fct_return_shipments(shop: Shop) -> list[Row]:
    return [_shipment(shop, ret, label) for ret in shop.returns for label in ret.labels]


def _shipment(shop: Shop, ret: Return, label: Label) -> Row:
    ordered, told = ordered_at(ret), notices_of(ret, label)
    delivered = arrived(told, label)
    first, days = first_scanned(shop, ret, label), days_between(ret.submitted, delivered)
    in_transit = days_between(first, delivered)
    return {
        "shop": shop.name,
        "return_id": ret.id,
        "label_index": label.index,
        "state": ret.state,
        "is_void": ret.is_void,
        "return_type": ret.type,
        "submitted_at": ret.submitted,
        "submitted_date": day_of(ret.submitted, shop.zone),
        "ordered_at": ordered,
        "ordered_date": day_of(ordered, shop.zone),
        "carrier": label.carrier,
        "service": _one(one.word("service") for one in told),
        "tracking_number": label.tracking,
        "status": label.status,
        "stage": label.stage if delivered is None else "delivered",
        "units": None if label.units is None else len(label.units),
        "scanned_at": label.scanned,
        "first_scanned_at": first,
        "delivered_at": delivered,
        "days_to_deliver": None if days is None or days.is_signed() else days,
        "days_in_transit": None if in_transit is None or in_transit.is_signed() else in_transit,
        "is_impossible": delivered is not None and delivered < ret.submitted,
        "currency": ret.currency,
        "label_rate": label.rate,
        "destination_id": ret.word("destination_id"),
        "destination_name": _one(one.word("destination_name") for one in told),
        **others.happy_returns(shop, ret),
    }


def _one(values: Any) -> Any:
    """One of the texts, where there is any."""
    return AnyOf(found) if (found := set(known(values))) else None


def rpt_carrier_performance(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for row in fct_return_shipments(shop):
        key = (
            row["carrier"] or "(unknown)",
            month_of(row["submitted_at"], shop.zone),
            *map(or_none, (row["return_type"], row["currency"])),
        )
        groups[key].append(row)
    names = ("carrier", "month", "return_type", "currency")
    return [{"shop": shop.name, **dict(zip(names, key, strict=True)), **_carrier(rows)} for key, rows in groups.items()]


def _carrier(rows: list[Row]) -> Row:
    void = [row for row in rows if row["is_void"] and row["stage"] != "delivered"]
    rest = [row for row in rows if row not in void]
    days, in_transit = (known(row[name] for row in rows) for name in ("days_to_deliver", "days_in_transit"))
    rates = known(row["label_rate"] for row in rows)
    stages = {"delivered": "delivered", "on its way": "on_the_way", "problem": "problems", "not sent": "not_sent"}
    stages["unknown"] = "unknown"
    return {
        "labels": len(rows),
        **{column: sum(row["stage"] == stage for row in rest) for stage, column in stages.items()},
        "void": len(void),
        "avg_days_to_deliver": mean(days),
        "median_days_to_deliver": middle(days),
        "max_days_to_deliver": max(days, default=None),
        "measured": len(days),
        "median_days_in_transit": middle(in_transit),
        "p90_days_in_transit": ninth_of_ten(in_transit),
        "measured_in_transit": len(in_transit),
        "impossible": sum(row["is_impossible"] for row in rows),
        "label_rate_total": add(rates) if rates else None,
        "labels_with_rate": len(rates),
    }


def ninth_of_ten(values: list[Decimal]) -> Decimal | None:
    """What nine of ten do not exceed; between two of them in proportion."""
    if not values:
        return None
    place, rest = divmod((len(values) - 1) * 9, 10)
    low, high = (sorted(values)[min(one, len(values) - 1)] for one in (place, place + 1))
    return rounded(low + (high - low) * rest / 10, 2)


def rpt_shipping_costs(shop: Shop, group: Group) -> list[Row]:
    groups = defaultdict(list)
    for ret in shop.returns:
        groups[
            month_of(ret.submitted, shop.zone),
            *(one or "(none given)" for one in (ret.method, ret.type, ret.currency)),
        ].append(ret)
    names = ("month", "method", "return_type", "currency")
    return [
        {"shop": shop.name, **dict(zip(names, key, strict=True)), **_costs(rows, group.labels_in_one)}
        for key, rows in groups.items()
    ]


def _costs(rows: list[Return], in_one: int) -> Row:
    counted = [ret for ret in rows if not ret.is_void]
    rates = [rate for ret in counted for rate in _prices(ret)]
    void = [rate for ret in rows if ret.is_void for rate in _prices(ret)]
    cost, fees = add(rates) / in_one, total(counted, "handling_fee")
    return {
        "returns": len(counted),
        "labels": sum(len(ret.labels) or len(_prices(ret)) for ret in counted),
        "labels_priced": len(rates),
        "label_cost": cost,
        "handling_fees": fees,
        "net_cost": cost - fees,
        "net_cost_per_return": ratio(cost - fees, len(counted)),
        "label_cost_void": add(void) / in_one,
    }


def _prices(ret: Return) -> list[Decimal]:
    """Those of its labels; where none has one, that of the latest label, which the return tells."""
    return known(label.rate for label in ret.labels) or known([ret.amount_if_any("label_rate")])
