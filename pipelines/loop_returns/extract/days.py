"""Days: as stretches that take little room in the state, and as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from loop_returns.api.windows import DayWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    """Days as stretches, `2024-01-01/2024-01-31`, so that many take little room in the state."""
    stretches: list[DayWindow] = joined([DayWindow(day, day) for day in set(found)])
    return [f"{window.first}/{window.last}" for window in stretches]


def unpack(packed: Iterable[str]) -> set[date]:
    """The days that `pack` wrote."""
    found: set[date] = set()
    for stretch in packed:
        first, last = (date.fromisoformat(text) for text in stretch.split("/"))
        found |= {first + DAY * n for n in range((last - first).days + 1)}
    return found
