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

from loop_returns.api.windows import DayWindow, cover, days
from loop_returns.extract.days import DAY, joined, utc_midnight
from loop_returns.runs.loading import Loader
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.contents import mark_deleted, moment, portable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from loop_returns.runs.session import Session

CANDIDATES: Final = ("created_at", "updated_at", "label_updated_at")  # what the range may apply to
_ROWS_AT_ONCE: Final = 20_000  # rows that one answer should hold at most


@dataclass
class _Seen:
    """What the answers showed: the rows, and the timestamps that they are consistent with."""

    keys: set[tuple[str, str]] = field(default_factory=set)
    consistent: set[str] = field(default_factory=lambda: set(CANDIDATES))
    outside: int = 0

    def take(self, rows: pa.Table, window: DayWindow) -> None:
        self.keys.update(zip(rows.column("id").to_pylist(), rows.column("return_line_item_id").to_pylist(), strict=True))
        start, end = utc_midnight(window.first - DAY), utc_midnight(window.last + 2 * DAY)
        inside_any = pa.array([False] * rows.num_rows, pa.bool_())
        for name in CANDIDATES:
            column = rows.column(name)
            inside = pc.fill_null(
                pc.and_(pc.greater_equal(column, _scalar(start)), pc.less(column, _scalar(end))), fill_value=False
            )
            inside_any = pc.or_(inside_any, inside)
            if not pc.all(inside).as_py() and rows.num_rows:
                self.consistent.discard(name)
        self.outside += rows.num_rows - (pc.sum(inside_any).as_py() or 0)


def read_notices(
    session: Session,
    *,
    first: date,
    last: date,
    extra: Iterable[date] = (),
    to_now: bool = True,
    loader: Loader | None = None,
    mark: bool = True,
) -> int:
    """Reads and loads every notice from `first` to `last` and around the days in `extra`; marks those that are gone.

    `to_now` says that everything that changed since the notices were last read lies between `first` and `last`. Returns how
    many are gone; without `mark` they are only counted.
    """
    width = _width(session, first, last)
    near = {day + DAY * n for day in extra for n in (-1, 0, 1)}
    windows = days(first, last, width=width)
    windows += cover((day for day in near if not first < day < last), width=width)
    session.progress.note(f"Shipping notices: {len(windows)} windows of days.")
    loader = loader or Loader(session)
    seen = _Seen()
    with loader:
        for window, shaped in session.source.notices(windows):
            seen.take(shaped.tables[ASN.name], window)
            loader.add(shaped)
            session.run.windows += 1
            if loader.full():
                loader.flush()
        loader.flush()
    if seen.outside:
        session.run.notices.append(
            f"{seen.outside} shipping notices came back for days that were not asked for; they were kept. "
            "Loop may have misread a date: compare the notices' dates with the run's."
        )
    if not to_now and (seen.consistent != {"created_at"} or seen.outside):
        return 0  # the other times move: a row may have moved to a day that nobody looked at
    gone = _gone(session, seen, windows)
    if gone and mark:
        mark_deleted(session.warehouse, ASN.name, session.shop, ("id", "return_line_item_id"), gone, at=session.now)
        session.run.notices.append(
            f"{len(gone)} shipping notices are no longer in Loop's report; they are marked in `_deleted_at`."
        )
    return len(gone)


def _width(session: Session, first: date, last: date) -> int:
    """How many days one answer may span, judged by how many units were returned in that time."""
    rows = session.warehouse.query(
        portable(session.warehouse, f"SELECT count(*) FROM {{0}} WHERE returned_at >= {moment(utc_midnight(first))}"),
        "return_line_items",
    )
    units = rows[0][0] if rows else 0
    a_day = max(units / max((last - first).days, 1), 1)
    return max(1, min(session.settings.window_days, int(_ROWS_AT_ONCE / a_day)))


def _gone(session: Session, seen: _Seen, windows: Sequence[DayWindow]) -> list[tuple[str, str]]:
    """Keys of rows that should have appeared in what was read whole, and did not.

    A row is judged only if every timestamp the range may apply to lies inside the days that were read, a day away from
    their borders: in which zone Loop cuts days is not documented. One that is null has shown that the range does not apply
    to it, as the row came all the same.
    """
    if not windows:
        return []
    unsure = seen.outside or not seen.consistent  # rows that came along show nothing about the range
    within = " AND ".join(
        f"({name} IS NULL OR {' OR '.join(_between(name, window) for window in joined(windows))})"
        for name in sorted(CANDIDATES if unsure else seen.consistent)
    )
    rows = session.warehouse.query(
        portable(
            session.warehouse,
            f"SELECT id, return_line_item_id FROM {{0}} WHERE shop = {quoted(session.shop)}"
            f" AND _deleted_at IS NULL AND {within}",
        ),
        ASN.name,
    )
    return [(str(one), str(item)) for one, item in rows if (one, item) not in seen.keys]


def _between(name: str, window: DayWindow) -> str:
    start, end = utc_midnight(window.first + DAY), utc_midnight(window.last)
    return f"({name} >= {moment(start)} AND {name} < {moment(end)})"


def _scalar(moment: datetime) -> pa.Scalar[Any]:
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))
