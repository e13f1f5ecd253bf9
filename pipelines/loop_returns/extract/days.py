"""Days: those whose shipping notices a change touches, as stretches that take little room in the memory, as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.windows import DayWindow
from loop_returns.tables.children import LABELS
from loop_returns.tables.returns import RETURNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loop_returns.warehouse.deduplicate import Tables

DAY: Final = timedelta(days=1)


def utc_midnight(day: date) -> datetime:
    """The first moment of the day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def joined(windows: Sequence[DayWindow]) -> list[DayWindow]:
    """Adjoining windows as one."""
    joined: list[DayWindow] = []
    for window in sorted(windows):
        if joined and window.first <= joined[-1].last + DAY:
            joined[-1] = DayWindow(joined[-1].first, max(window.last, joined[-1].last))
        else:
            joined.append(window)
    return joined


def pack(found: Iterable[date]) -> list[str]:
    """Days as stretches, `2024-01-01/2024-01-31`, so that many take little room in the memory."""
    stretches: list[DayWindow] = joined([DayWindow(day, day) for day in set(found)])
    return [f"{window.first}/{window.last}" for window in stretches]


def unpack(packed: Iterable[str]) -> set[date]:
    """The days that `pack` wrote."""
    found: set[date] = set()
    for stretch in packed:
        first, last = (date.fromisoformat(text) for text in stretch.split("/"))
        found |= {first + DAY * n for n in range((last - first).days + 1)}
    return found


def notice_days(tables: Tables) -> set[date]:
    """The days by which the shipping notices of these returns may be found, whichever time the report filters on.

    Their return was created on one and last updated on another, its labels on others.
    """
    found: set[date] = set()
    times = ("created_at", "updated_at", "label_updated_at")
    for table, columns in ((RETURNS.name, times), (LABELS.name, ("updated_at",))):
        for column in columns if table in tables else ():
            days = pc.unique(tables[table].column(column).cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.date32()))
            found |= {day for day in days.to_pylist() if day is not None}
    return found
