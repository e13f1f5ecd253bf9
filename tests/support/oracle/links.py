"""Which shipping notice belongs to which return, and what notices tell of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.support.mirror import moment
from tests.support.oracle.parsed import known, lower, or_none

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.support.oracle.parsed import Line, Notice, Return, Row
    from tests.support.oracle.shops import Shop

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def link(shop: Shop) -> None:
    """Gives every notice its return, as far as that can be told."""
    returns = {one.id: one for one in shop.returns}
    alike = [notice for notice in shop.notices if notice.id in returns]
    same = [notice for notice in alike if fits(notice, returns[notice.id]) and notice.order is not None]
    ids_are_returns = len(same) * 2 > len(alike) > 0
    for notice in shop.notices:
        notice.return_id = notice.id if ids_are_returns else by_unit(shop, notice)
        if notice.return_id in returns:
            returns[notice.return_id].notices.append(notice)
    newest: dict[tuple[str | None, str], Notice] = {}
    for notice in sorted(shop.notices, key=lambda one: (one.updated or EPOCH, one.id)):
        newest[notice.return_id, notice.unit] = notice
    for notice in newest.values():
        notice.is_newest = notice.return_id is not None


def fits(notice: Notice, ret: Return) -> bool:
    """True when both are of one order, or one of them does not say."""
    order = ret.word("order_id")
    return notice.order is None or order is None or notice.order == order


def by_unit(shop: Shop, notice: Notice) -> str | None:
    """The return that has the unit and is of the order; of several the latest that was submitted by then."""
    candidates = [one for one in shop.returns if fits(notice, one) and any(line.id == notice.unit for line in one.lines)]
    at = notice.submitted
    candidates.sort(key=lambda one: (at is not None and one.submitted <= at, one.submitted))
    return candidates[-1].id if candidates else None


def of_unit(ret: Return, unit: str) -> Notice | None:
    """The newest notice of a unit on a return."""
    return next((one for one in ret.notices if one.unit == unit and one.is_newest), None)


def ordered_at(ret: Return) -> datetime | None:
    return min(known(one.ordered for one in ret.notices), default=None)


def closed_at(ret: Return) -> datetime | None:
    """When it was closed; nothing while it waits, also after it was reopened."""
    return None if ret.is_waiting else max(known(one.closed for one in ret.notices), default=None)


def delivered_at(ret: Return) -> datetime | None:
    """The date of the notices, else the last scan of a delivered label, else that of the return."""
    if told := known(one.delivered for one in ret.notices):
        return min(told)
    if scanned := known(one.scanned for one in ret.labels if one.stage == "delivered"):
        return min(scanned)
    is_delivered = lower(ret.raw.get("label_status")) == "delivered"
    return moment(ret.raw.get("label_updated_at")) if is_delivered else None


# Marts


def fct_return_notices(shop: Shop) -> list[Row]:
    return [
        {
            "shop": shop.name,
            "notice_id": one.id,
            "line_item_id": one.unit,
            "return_id": one.return_id,
            "is_newest": one.is_newest,
            "state": one.word("state"),
            "outcome": one.word("outcome"),
            "submitted_at": one.submitted,
            "updated_at": one.updated,
            "ordered_at": one.ordered,
            "delivered_at": one.delivered,
            "closed_at": one.closed,
            "label_status": lower(one.raw.get("label_status")),
            "scanned_at": one.scanned,
            "return_method_state": lower(one.raw.get("return_method_state")),
            "service": one.word("service"),
            "restock_status": one.word("restock_status"),
            "destination_id": one.word("destination_id"),
            "destination_name": one.word("destination_name"),
            "purchase_price": one.price,
        }
        for one in shop.notices
        if one.return_id is not None
    ]


def rpt_notice_mismatches(shop: Shop) -> list[Row]:
    """State, outcome and price of each unit with a notice; units without one; notices without a unit."""
    first = min(known(one.submitted for one in shop.notices), default=None)
    rows: list[Row] = []
    for ret in shop.returns:
        for line in ret.lines:
            told = [one for one in ret.notices if one.unit == line.id]
            rows += [_mismatch(shop, ret, line, one, *what) for one in told for what in _differences(ret, line, one)]
            if not told and first is not None and ret.submitted >= first:
                rows.append(_mismatch(shop, ret, line, None, "notice missing", ret.state, None))
    units = {(ret.id, line.id) for ret in shop.returns for line in ret.lines}
    for notice in shop.notices:
        if notice.return_id is None or (notice.return_id, notice.unit) not in units:
            rows.append(_mismatch(shop, None, None, notice, "unit missing", None, notice.word("state")))
    return rows


def _differences(ret: Return, line: Line, notice: Notice) -> list[tuple[str, object, object]]:
    pairs = [
        ("state", ret.state, notice.word("state")),
        ("outcome", ret.outcome, notice.word("outcome")),
        ("price", priced(line.price), priced(notice.price)),
    ]
    return [pair for pair in pairs if None not in pair and str(pair[1]).lower() != str(pair[2]).lower()]


def priced(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _mismatch(
    shop: Shop, ret: Return | None, line: Line | None, notice: Notice | None, what: str, ours: object, theirs: object
) -> Row:
    both = ret is not None and notice is not None
    return {
        "shop": shop.name,
        "return_id": or_none(ret.id if ret else None),
        "line_item_id": line.id if line else notice.unit if notice else None,
        "notice_id": or_none(notice.id if notice else None),
        "mismatch": what,
        "return_says": ours,
        "notice_says": theirs,
        "return_type": ret.type if ret else None,
        "currency": ret.currency if ret else notice.word("currency") if notice else None,
        "return_updated_at": ret.updated if ret else None,
        "notice_updated_at": notice.updated if notice else None,
        "is_same_moment": ret.updated == notice.updated if both else None,
    }
