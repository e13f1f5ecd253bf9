"""Reads the shipping notice report: the rolling horizon, and the days of older returns that changed.

The report has no filter, no state and no pages, and it is not documented which timestamp its range applies to. So every
day that may hold a changed row is read again, and which timestamps the answers are consistent with decides which rows of
the warehouse must have appeared in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.facts import ASN_PATH, KEYS_ARE_MADE_IN
from loop_returns.api.windows import DAY, joined, utc_midnight
from loop_returns.errors import AccessDeniedError
from loop_returns.extract.planning import NoticesPlan, notices_plan
from loop_returns.extract.scheduler import Answered
from loop_returns.extract.tasks import NoticesTask
from loop_returns.runs.deletions import ALWAYS, refuse, usual
from loop_returns.runs.progress import counted
from loop_returns.tables.catalog import KEYS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.contents import keys_where, mark_deleted
from loop_returns.warehouse.deduplicate import missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from loop_returns.api.windows import DayWindow
    from loop_returns.extract.reading import Compare
    from loop_returns.extract.scheduler import Event
    from loop_returns.extract.state import ShopState
    from loop_returns.runs.session import Session
    from loop_returns.warehouse.reader import Reader

CANDIDATES: Final = ("created_at", "updated_at", "label_updated_at")  # what the range may apply to
_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass
class _Answers:
    """What the answers showed: the keys of the rows, and the timestamps that they are consistent with."""

    keys: list[pa.Table] = field(default_factory=list)
    consistent: set[str] = field(default_factory=lambda: set(CANDIDATES))
    outside: set[tuple[str, ...]] = field(default_factory=set)  # keys of rows that nobody asked for

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Answered) or not event.page.tables or not isinstance(event.task, NoticesTask):
            return
        rows, window = event.page.tables[ASN.name], event.task.window
        keys = rows.select(KEYS[ASN.name])
        self.keys.append(keys)
        bounds = pa.scalar(utc_midnight(window.first - DAY), _TIME), pa.scalar(utc_midnight(window.last + 2 * DAY), _TIME)
        inside_any: Any = pa.scalar(value=False)
        for name in CANDIDATES:
            inside = pc.and_(pc.greater_equal(rows[name], bounds[0]), pc.less(rows[name], bounds[1])).fill_null(False)
            inside_any = pc.or_(inside, inside_any)
            if not pc.all(inside).as_py():
                self.consistent.discard(name)
        if rows.num_rows:
            self.outside.update(zip(*keys.filter(pc.invert(inside_any)).to_pydict().values(), strict=True))


def planned(session: Session, first: date, last: date, *, due: Iterable[date] = (), read: date | None = None) -> NoticesPlan:
    """The plan for these days, with windows that fit the number of units that were returned in that time."""
    with session.warehouse.reader() as reader:
        sql = f"SELECT count(*) FROM {reader.name('return_line_items')} WHERE shop = %s AND returned_at >= %s"
        rows = reader.rows(sql, session.shop, utc_midnight(first))
    return notices_plan(session.settings, first, last, due=due, units=rows[0][0] if rows else 0, read=read)


def read_notices(session: Session, plan: NoticesPlan, compare: Compare, *, to_now: bool = True) -> int:
    """Reads and loads every notice of the plan and marks those that Loop no longer has; returns how many that are.

    `to_now` says that everything that changed since the notices were last read lies within the plan. In a dry
    run they are only counted.
    """
    before, answers = session.state, _Answers()
    try:
        session.read(plan, compare, watch=answers)
    except AccessDeniedError as error:  # every run begins with a request for returns, so the key is not wrong
        raise without_notices() from error
    if answers.outside:
        session.run.notices.append(
            f"Loop sent {counted(len(answers.outside), 'shipping notice')} of days that were not asked for; kept all the "
            "same. Loop may have misread a date: compare the notices' dates with the run's."
        )
    # the other times move: a row may have moved to a day that was not read
    is_proof = to_now or (answers.consistent == {"created_at"} and not answers.outside)
    with session.warehouse.reader() as reader:
        deleted = missing(session.sets, _expected(session, reader, answers, plan.windows), answers.keys)
        doubt = _doubt(session, reader, answers, plan) if deleted.num_rows > ALWAYS else ""
        if doubt:
            _keep_due(session, before, plan)
            if is_proof:
                refuse(session.run, doubt)
            else:
                session.run.notices.append(f"{doubt} None was marked as deleted; the next sync reads these days again.")
        if doubt or not is_proof:
            return 0
        if deleted.num_rows and not session.options.dry_run:
            mark_deleted(reader, ASN.name, session.shop, deleted, at=session.now)
            session.run.notices.append(
                f"Loop's report no longer has {counted(deleted.num_rows, 'shipping notice')}; marked in `_deleted_at`."
            )
    return int(deleted.num_rows)


def without_notices() -> AccessDeniedError:
    """What stands for the refusal of a key that may read returns."""
    return AccessDeniedError(
        "The API key works, and may read returns, but Loop refuses it the shipping notices: it lacks the right to "
        f"{ASN_PATH}. Returns that were read are loaded. Give the key that scope in {KEYS_ARE_MADE_IN}, or go on without "
        "shipping notices: `loop-returns sync --only returns`."
    )


def _doubt(session: Session, reader: Reader, answers: _Answers, plan: NoticesPlan) -> str:
    """What the report lacks, all days together or one window alone, in words; empty where it is no more than usual.

    Rows whose item has left its return, or whose return is marked as deleted, are missing with reason.
    """
    if session.options.allow_deletions:
        return ""
    for windows in (plan.windows, *((one,) for one in plan.windows)):
        held = _expected(session, reader, answers, windows, listed=True)
        gone = missing(session.sets, held, answers.keys).num_rows
        if gone > usual(held.num_rows):
            return (
                f"Loop's report lacks {gone:,} of {counted(held.num_rows, 'shipping notice')} that the warehouse has of "
                f"{min(windows).first} to {max(windows).last}, though the returns still have these items."
            )
        if gone <= ALWAYS and windows is plan.windows:
            break  # then no window lacks more
    return ""


def _keep_due(session: Session, before: ShopState, plan: NoticesPlan) -> None:
    """The days of the plan stay due, as what was read of them cannot be trusted; their borders come with them."""
    days = {one.first + DAY * n for one in joined(plan.windows) for n in range(1, (one.last - one.first).days)}
    session.state = replace(session.state, days_due=before.days_due | days, notices_read=before.notices_read)


def _expected(
    session: Session, reader: Reader, answers: _Answers, windows: Iterable[DayWindow], *, listed: bool = False
) -> pa.Table:
    """Keys of the rows that should have appeared; with `listed` only those whose item the list of returns still has."""
    condition, values = _must_have_appeared(answers, windows)
    if listed and session.state.cursor is not None:  # else the warehouse may have no returns to go by
        items = (
            f"SELECT i.line_item_id FROM {reader.name('return_line_items')} i JOIN {reader.name('returns')} r"
            " ON r.shop = i.shop AND r.id = i.return_id WHERE i.shop = %s AND r._deleted_at IS NULL"
        )
        condition += f" AND (created_at IS NULL OR created_at < %s OR return_line_item_id IN ({items}))"
        values = [*values, session.settings.start_date, session.shop]
    return keys_where(reader, ASN.name, session.shop, condition, values)


def _must_have_appeared(answers: _Answers, windows: Iterable[DayWindow]) -> tuple[str, list[Any]]:
    """The condition for a row that should have appeared in what was read whole, and its values.

    A row is expected only if every timestamp the range may apply to lies inside the days that were read, a day away from
    their borders: in which zone Loop cuts days is not documented. One that is null has shown that the range does not apply
    to it, as the row came all the same.
    """
    stretches = joined([*windows])
    values = [moment for one in stretches for moment in (utc_midnight(one.first + DAY), utc_midnight(one.last))]
    # rows from outside the range show nothing about it
    names = sorted(CANDIDATES if answers.outside or not answers.consistent else answers.consistent)
    within = [f"({name} IS NULL OR {' OR '.join([f'({name} >= %s AND {name} < %s)'] * len(stretches))})" for name in names]
    return " AND ".join(within), values * len(names)
