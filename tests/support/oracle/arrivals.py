"""What has arrived, and by what that is known; what is still to come, and how long it has been waiting."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from math import ceil
from statistics import median
from typing import TYPE_CHECKING

from tests.support.oracle.links import delivered_at, of_unit
from tests.support.oracle.money import evidenced, possible, refunded_at, total
from tests.support.oracle.parcels import latest
from tests.support.oracle.parsed import add, day_of, lower, or_none, stage_of

if TYPE_CHECKING:
    from tests.support.oracle.parsed import Label, Line, Return, Row
    from tests.support.oracle.shops import Group, Shop


def holding(ret: Return, line: Line) -> list[Label]:
    """The labels of packages that a unit can be in: those that list it, and those that list nothing."""
    return [label for label in ret.labels if label.units is None or line.id in label.units]


def package(ret: Return, line: Line) -> Label | None:
    """The label of the package a unit is in: the one that is furthest on its way, of several the latest."""
    return max(holding(ret, line), key=lambda label: (_rank(label), *latest(label)), default=None)


def _rank(label: Label) -> int:
    return ("problem", "not sent", "delivered", "on its way").index(label.stage.replace("unknown", "not sent"))


def evidence(ret: Return, line: Line) -> str | None:
    """What tells that a unit has arrived; None while nothing does.

    What notices and the return say of "the" label or drop-off tells nothing of a package that is one of several.
    """
    notices, label = [one for one in ret.notices if one.unit == line.id], package(ret, line)
    of_package = label.stage if label else stage_of(lower(ret.raw.get("label_status")))
    is_told = not (label and (label.stage == "on its way" or len(ret.labels) > 1))
    labels, drop_offs = ([lower(one.raw.get(name)) for one in notices] for name in ("label_status", "return_method_state"))
    fits = (
        (line.is_inspected, "inspection"),
        (any(one.delivered is not None for one in notices), "notice"),
        (of_package == "delivered", "label"),
        (is_told and "delivered" in labels, "notice"),
        (is_told and "delivered" in (ret.method_state, *drop_offs), "drop-off"),
    )
    return next((name for does, name in fits if does), None)


def stage(ret: Return, line: Line) -> str:
    if evidence(ret, line) is not None:
        return "delivered"
    label = package(ret, line)
    if label is not None:
        return "not sent" if label.stage == "unknown" else label.stage
    found = stage_of(lower(ret.raw.get("label_status")))
    return "no label" if found == "unknown" else found


def expected(shop: Shop) -> list[tuple[Return, Line, Row]]:
    """The units of open and review returns that the shopper does not keep."""
    return [
        (ret, line, _expected(shop, ret, line))
        for ret in shop.returns
        for line in ret.lines
        if ret.is_waiting and not line.is_kept
    ]


def _expected(shop: Shop, ret: Return, line: Line) -> Row:
    label, notice = package(ret, line), of_unit(ret, line.id)
    return {
        "shop": shop.name,
        "return_id": ret.id,
        "line_item_id": line.id,
        "state": ret.state,
        "return_type": ret.type,
        "submitted_at": ret.submitted,
        "submitted_date": day_of(ret.submitted, shop.zone),
        "currency": ret.currency,
        "returned_value": line.value,
        "has_arrived": evidence(ret, line) is not None,
        "arrival_evidence": evidence(ret, line),
        "stage": stage(ret, line),
        "label_index": label.index if label else None,
        "carrier": label.carrier if label else ret.word("carrier"),
        "destination_id": (notice.word("destination_id") if notice else None) or ret.word("destination_id"),
    }


def fct_expected_units(shop: Shop) -> list[Row]:
    return [row for _, _, row in expected(shop)]


def rpt_inbound_forecast(shop: Shop, group: Group) -> list[Row]:
    """Without `destination_name`: several names of one place are told apart nowhere."""
    usual, today = defaultdict(list), group.now.astimezone(shop.zone).date()
    for ret in shop.counted:
        if (days := possible(ret)["days_to_deliver"]) is not None:
            usual[ret.word("carrier")].append(days)
    everything = [days for of in usual.values() for days in of]
    rows = defaultdict(list)
    for ret, _, row in expected(shop):
        if not row["has_arrived"]:
            days = (usual.get(row["carrier"]) if row["carrier"] else None) or everything
            due = row["submitted_date"] + timedelta(days=ceil(median(days))) if days else None
            stage = "not sent" if row["stage"] == "no label" else row["stage"]
            texts = (row["destination_id"], row["carrier"], stage, ret.type, ret.currency)
            rows[due, *map(or_none, texts)].append(row)
    names = ("expected_date", "destination_id", "carrier", "stage", "return_type", "currency")
    return [
        {
            "shop": shop.name,
            **dict(zip(names, key, strict=True)),
            "is_overdue": key[0] is not None and key[0] < today,
            "returns": len({row["return_id"] for row in of}),
            "units": len(of),
            "returned_value": add(row["returned_value"] for row in of),
        }
        for key, of in rows.items()
    ]


BUCKETS = ((7, "00-07 days"), (14, "08-14 days"), (30, "15-30 days"), (60, "31-60 days"))


def rpt_return_aging(shop: Shop, group: Group) -> list[Row]:
    of_return = defaultdict(list)
    for ret, _, row in expected(shop):
        of_return[ret.id].append(row)
    groups = defaultdict(list)
    for ret in shop.returns:
        if ret.is_waiting:
            age = (group.now.astimezone(shop.zone).date() - ret.submitted.astimezone(shop.zone).date()).days
            bucket = next((name for most, name in BUCKETS if age <= most), "61+ days")
            key = (ret.state, bucket, _return_stage(ret, of_return[ret.id]), or_none(ret.type), or_none(ret.currency))
            groups[key].append(ret)
    names = ("state", "age_bucket", "stage", "return_type", "currency")
    return [
        {
            "shop": shop.name,
            **dict(zip(names, key, strict=True)),
            "returns": len(rows),
            "units": sum(len(ret.lines) for ret in rows),
            "returned_value": total(rows, "return_total"),
            "refund_due": total(rows, "refund"),
            "refunded_evidenced": add(map(evidenced, rows)),
            "already_refunded": sum(refunded_at(ret) is not None for ret in rows),
            "oldest_submitted_at": min(ret.submitted for ret in rows),
        }
        for key, rows in groups.items()
    ]


def _return_stage(ret: Return, units: list[Row]) -> str:
    """Where the goods of a return are: by its units, else by its latest label."""
    here = sum(row["has_arrived"] for row in units)
    if here:
        return "delivered" if here == len(units) else "partly delivered"
    found = stage_of(lower(ret.raw.get("label_status")))
    if not units and (found == "delivered" or delivered_at(ret)):
        return "delivered"
    stages = {row["stage"] for row in units} or {found}
    words = ("on its way", "problem", "not sent")
    return next((one for one in words if one in stages), "not sent" if ret.labels else "no label")
