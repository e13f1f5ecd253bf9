"""Stays of returns in a state, how long they were, and how a shop stood at the end of a month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.support.oracle.links import closed_at
from tests.support.oracle.money import mean, middle, ratio, refunded_at
from tests.support.oracle.parsed import OVER, WAITING, ZERO, add, day_of, days_between, known, month_of

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.support.oracle.parsed import Return, Row
    from tests.support.oracle.shops import Shop


@dataclass
class Stay:
    """A stay of a return in a state."""

    ret: Return
    number: int
    state: str
    entered: datetime | None
    known_by: str
    seen: datetime | None
    left: datetime | None = None
    following: str | None = None

    @property
    def is_reopened(self) -> bool:
        return self.state in ("closed", *OVER) and self.following in WAITING

    @property
    def days(self) -> Decimal | None:
        return days_between(self.entered, self.left)


def stays(shop: Shop) -> list[Stay]:
    changes = defaultdict(list)
    for change in sorted(shop.changes, key=lambda one: one.at):
        changes[change.return_id].append(change)
    return [stay for ret in shop.returns for stay in _of_return(ret, changes[ret.id])]


def _of_return(ret: Return, changes: list[Any]) -> list[Stay]:
    first = changes[0].before if changes else ret.state
    entered, known_by = _beginning(ret, first)
    if known_by == "notice" and (entered < ret.submitted or (changes and entered > changes[0].at)):
        entered, known_by = None, "nothing"
    found = [Stay(ret, 1, first, entered, known_by, None)]
    if known_by == "notice":  # so it was open before
        found = [
            Stay(ret, 1, "open", ret.submitted, "submission", None, entered, first),
            Stay(ret, 2, first, entered, known_by, None),
        ]
    for change in changes:
        found[-1].left, found[-1].following = change.at, change.after
        found.append(Stay(ret, len(found) + 1, change.after, change.at, "observed", change.seen))
    return found


def _beginning(ret: Return, state: str) -> tuple[datetime | None, str]:
    if state in WAITING:
        return ret.submitted, "submission"
    if state == "closed" and (closed := closed_at(ret)) is not None:
        return closed, "notice"
    return None, "nothing"


def fct_return_states(shop: Shop) -> list[Row]:
    return [
        {
            "shop": shop.name,
            "return_id": stay.ret.id,
            "stay": stay.number,
            "state": stay.state,
            "entered_at": stay.entered,
            "entry_known_by": stay.known_by,
            "observed_at": stay.seen,
            "left_at": stay.left,
            "next_state": stay.following,
            "is_current": stay.following is None,
            "is_reopened": stay.is_reopened,
            "days": stay.days,
            "state_now": stay.ret.state,
            "return_type": stay.ret.type,
            "outcome": stay.ret.outcome,
            "currency": stay.ret.currency,
            "submitted_at": stay.ret.submitted,
            "submitted_date": day_of(stay.ret.submitted, shop.zone),
            "refunded_at": refunded_at(stay.ret),
        }
        for stay in stays(shop)
    ]


def rpt_return_states(shop: Shop) -> list[Row]:
    groups = defaultdict(list)
    for stay in stays(shop):
        groups[month_of(stay.ret.submitted, shop.zone), stay.state, stay.ret.type or "(none given)"].append(stay)
    rows = []
    for (month, state, kind), of in groups.items():
        known_days, returns = known(stay.days for stay in of), {stay.ret.id for stay in of}
        days = [one for one in known_days if not one.is_signed()]
        again = {stay.ret.id for stay in of if stay.is_reopened}
        rows.append(
            {
                "shop": shop.name,
                "month": month,
                "state": state,
                "return_type": kind,
                "returns": len(returns),
                "stays": len(of),
                "stays_current": sum(stay.following is None for stay in of),
                "stays_measured": len(days),
                "stays_impossible": len(known_days) - len(days),
                "avg_days": mean(days),
                "median_days": middle(days),
                "stays_reopened": sum(stay.is_reopened for stay in of),
                "returns_reopened": len(again),
                "share_reopened": ratio(len(again), len(returns)),
            }
        )
    return rows


# As of a month's end


def rpt_month_end(shop: Shop) -> list[Row]:
    """From the month of the first return of a type in a currency on, up to the last month that is over."""
    of_return = defaultdict(list)
    for stay in stays(shop):
        of_return[stay.ret.id].append(stay)
    rows = []
    for of in {(ret.type, ret.currency) for ret in shop.returns}:
        first = min(ret.submitted for ret in shop.returns if (ret.type, ret.currency) == of)
        end = next_month(first.astimezone(shop.zone))
        while end <= shop.read_up_to:
            rows.append(_month(shop, end, of, of_return))
            end = next_month(end)
    return rows


def next_month(time: datetime) -> datetime:
    """The first moment of the month after that of a time, in its zone."""
    year, month = divmod(time.year * 12 + time.month, 12)
    return datetime(year, month + 1, 1, tzinfo=time.tzinfo)


def _month(shop: Shop, end: datetime, of: tuple[str | None, str | None], of_return: dict[str, list[Stay]]) -> Row:
    kind, currency = (one or "(none given)" for one in of)
    row: Row = {"shop": shop.name, "month_end": (end - timedelta(days=1)).date(), "return_type": kind, "currency": currency}
    names = ("returns_open", "returns_in_review", "returns_closed", "returns_cancelled", "returns_expired",
             "returns_refund_owed", "refunds_owed", "credit_owed", "exchanges_owed", "owed")  # fmt: skip
    if shop.observed_from is None or shop.observed_from > end:
        return row | {"known": "before the first sync"} | dict.fromkeys(names)
    there = [ret for ret in shop.returns if (ret.type, ret.currency) == of and ret.submitted < end]
    states = {ret.id: _state(of_return[ret.id], end) for ret in there}
    owing = [ret for ret in there if states[ret.id] not in OVER]
    refunds = [ret.amount("refund") for ret in owing if not _before(refunded_at(ret), end)]
    credit = add(ret.amount("gift_card") for ret in owing if not _before(_issued(ret), end))
    exchanges = add(_exchanges(ret, end) for ret in owing)
    counts = [sum(state == name for state in states.values()) for name in ("open", "review", "closed", *OVER)]
    amounts = [sum(refund > 0 for refund in refunds), add(refunds), credit, exchanges, add(refunds) + credit + exchanges]
    return row | {"known": "observed"} | dict(zip(names, [*counts, *amounts], strict=True))


def _issued(ret: Return) -> datetime | None:
    """When the store credit was issued; where only its order is known, when the return was submitted."""
    order = ret.word("gift_card_order_id") or ret.word("gift_card_order_name")
    return ret.processed.get("gift_card_processed") or (ret.submitted if order else None)


def _before(moment: datetime | None, end: datetime) -> bool:
    return moment is not None and moment < end


def _state(of: list[Stay], end: datetime) -> str:
    return [stay.state for stay in of if stay.number == 1 or _before(stay.entered, end)][-1]


def _exchanges(ret: Return, end: datetime) -> Decimal:
    """Items that were chosen and not ordered then; without a date the order counts from the submission on."""
    ordered = ret.processed.get("exchange_processed")
    if ordered is None and ret.swaps and all(swap.order is not None for swap in ret.swaps):
        ordered = ret.submitted
    return ZERO if _before(ordered, end) else ret.amount("exchange_total")
