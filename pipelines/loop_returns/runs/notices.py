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

from loop_returns.extract.days import DAY, joined, utc_midnight
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
    from loop_returns.extract.api_reader import Event
    from loop_returns.extract.reading import Compare, Limits
    from loop_returns.runs.session import Session

CANDIDATES: Final = ("created_at", "updated_at", "label_updated_at")  # what the range may apply to
_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass
class _Seen:
    """What the answers showed: the keys of the rows, and the timestamps that they are consistent with."""

    keys: list[pa.Table] = field(default_factory=list)
    consistent: set[str] = field(default_factory=lambda: set(CANDIDATES))
    outside: int = 0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Answered) or event.page.shaped is None or not isinstance(event.task, NoticesTask):
            return
        rows, window = event.page.shaped.tables[ASN.name], event.task.window
        self.keys.append(rows.select(KEYS[ASN.name]))
        bounds = pa.scalar(utc_midnight(window.first - DAY), _TIME), pa.scalar(utc_midnight(window.last + 2 * DAY), _TIME)
        inside_any: Any = pa.scalar(value=False)
        for name in CANDIDATES:
            inside = pc.and_(pc.greater_equal(rows[name], bounds[0]), pc.less(rows[name], bounds[1])).fill_null(False)
            inside_any = pc.or_(inside, inside_any)
            if not pc.all(inside).as_py():
                self.consistent.discard(name)
        self.outside += rows.num_rows - (pc.sum(inside_any).as_py() or 0)


def planned(opened: Session, first: date, last: date, *, due: Iterable[date] = (), read: date | None = None) -> NoticesPlan:
    """The plan for these days, with windows that fit the number of units that were returned in that time."""
    with opened.warehouse.reader() as reader:
        sql = f"SELECT count(*) FROM {reader.name('return_line_items')} WHERE returned_at >= %s"
        found = reader.rows(sql, utc_midnight(first))
    return notices_plan(opened.settings, first, last, due=due, units=found[0][0] if found else 0, read=read)


def read_notices(
    opened: Session,
    plan: NoticesPlan,
    compare: Compare,
    *,
    to_now: bool = True,
    mark: bool = True,
    limits: Limits | None = None,
) -> int:
    """Reads and loads every notice of the plan and marks those that are gone; returns how many that are.

    `to_now` says that everything that changed since the notices were last read lies within the plan. Without `mark` those
    that are gone are only counted.
    """
    opened.progress.note(f"Shipping notices: {len(plan.windows)} windows of days.")
    seen = _Seen()
    opened.read(plan, compare, watch=seen, limits=limits)
    if seen.outside:
        opened.run.notices.append(
            f"{seen.outside} shipping notices came back for days that were not asked for; they were kept. "
            "Loop may have misread a date: compare the notices' dates with the run's."
        )
    if not to_now and (seen.consistent != {"created_at"} or seen.outside):
        return 0  # the other times move: a row may have moved to a day that nobody looked at
    with opened.warehouse.reader() as reader:
        condition, values = _must_have_appeared(seen, plan.windows)
        held = keys_where(reader, ASN.name, opened.shop, condition, values)
        gone = missing(opened.sets, held, seen.keys)
        if gone.num_rows and mark:
            mark_deleted(reader, ASN.name, opened.shop, gone, at=opened.now)
            opened.run.notices.append(
                f"{gone.num_rows} shipping notices are no longer in Loop's report; they are marked in `_deleted_at`."
            )
    return int(gone.num_rows)


def _must_have_appeared(seen: _Seen, windows: Iterable[DayWindow]) -> tuple[str, list[Any]]:
    """The condition for a row that should have appeared in what was read whole, and its values.

    A row is judged only if every timestamp the range may apply to lies inside the days that were read, a day away from
    their borders: in which zone Loop cuts days is not documented. One that is null has shown that the range does not apply
    to it, as the row came all the same.
    """
    unsure = seen.outside or not seen.consistent  # rows that came along show nothing about the range
    stretches = joined([*windows])
    values = [moment for one in stretches for moment in (utc_midnight(one.first + DAY), utc_midnight(one.last))]
    names = sorted(CANDIDATES if unsure else seen.consistent)
    within = [f"({name} IS NULL OR {' OR '.join([f'({name} >= %s AND {name} < %s)'] * len(stretches))})" for name in names]
    return " AND ".join(within), values * len(names)
