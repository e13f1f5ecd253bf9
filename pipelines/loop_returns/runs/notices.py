"""Reads the shipping notice report: the rolling horizon, and the days of older returns that changed.

The report has no filter, no state and no pages, and it is not documented which timestamp its range applies to. So every
day that may hold a changed row is read again, and which timestamps the answers are consistent with decides which rows of
the warehouse must have appeared in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.windows import DAY, joined, utc_midnight
from loop_returns.extract.planning import NoticesPlan, notices_plan
from loop_returns.extract.scheduler import Answered
from loop_returns.extract.tasks import NoticesTask
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
    from loop_returns.runs.session import Session

CANDIDATES: Final = ("created_at", "updated_at", "label_updated_at")  # what the range may apply to
_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass
class _Answers:
    """What the answers showed: the keys of the rows, and the timestamps that they are consistent with."""

    keys: list[pa.Table] = field(default_factory=list)
    consistent: set[str] = field(default_factory=lambda: set(CANDIDATES))
    outside: int = 0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Answered) or not event.page.tables or not isinstance(event.task, NoticesTask):
            return
        rows, window = event.page.tables[ASN.name], event.task.window
        self.keys.append(rows.select(KEYS[ASN.name]))
        bounds = pa.scalar(utc_midnight(window.first - DAY), _TIME), pa.scalar(utc_midnight(window.last + 2 * DAY), _TIME)
        inside_any: Any = pa.scalar(value=False)
        for name in CANDIDATES:
            inside = pc.and_(pc.greater_equal(rows[name], bounds[0]), pc.less(rows[name], bounds[1])).fill_null(False)
            inside_any = pc.or_(inside, inside_any)
            if not pc.all(inside).as_py():
                self.consistent.discard(name)
        self.outside += rows.num_rows - (pc.sum(inside_any).as_py() or 0)


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
    session.progress.note(f"Shipping notices: {len(plan.windows)} windows of days.")
    answers = _Answers()
    session.read(plan, compare, watch=answers)
    if answers.outside:
        session.run.notices.append(
            f"{answers.outside} shipping notices came back for days that were not asked for; they were kept. "
            "Loop may have misread a date: compare the notices' dates with the run's."
        )
    if not to_now and (answers.consistent != {"created_at"} or answers.outside):
        return 0  # the other times move: a row may have moved to a day that was not read
    with session.warehouse.reader() as reader:
        condition, values = _must_have_appeared(answers, plan.windows)
        stored = keys_where(reader, ASN.name, session.shop, condition, values)
        deleted = missing(session.sets, stored, answers.keys)
        if deleted.num_rows and not session.options.dry_run:
            mark_deleted(reader, ASN.name, session.shop, deleted, at=session.now)
            session.run.notices.append(
                f"{deleted.num_rows} shipping notices are no longer in Loop's report; they are marked in `_deleted_at`."
            )
    return int(deleted.num_rows)


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
