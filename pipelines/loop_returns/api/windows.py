"""Windows of time that the API accepts: whole seconds for the returns list, days for the shipping notices.

Adjoining windows share their border second, because whether the API's borders are inclusive is not
documented; what is seen twice is merged later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final

SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Window:
    """From `start` to `end`, both included, UTC and whole seconds."""

    start: datetime
    end: datetime

    @property
    def width(self) -> timedelta:
        """From border to border; zero for a single second."""
        return self.end - self.start


@dataclass(frozen=True, order=True)
class DayWindow:
    """From `first` to `last`, both included."""

    first: date
    last: date


def split(start: datetime, end: datetime, *, width: timedelta) -> list[Window]:
    """Adjoining windows of at most `width`, oldest first, from `start` to `end`; equal bounds give one window.

    A fraction of a second is rounded outwards. Any zone is accepted; the windows are UTC.
    """
    first, last = start.astimezone(UTC).replace(microsecond=0), end.astimezone(UTC)
    last += timedelta(microseconds=-last.microsecond % 1_000_000)
    n = max(1, -((first - last) // width))
    return [Window(a, b) for a, b in pairwise([*(first + width * i for i in range(n)), last])]


def parts(window: Window, n: int) -> list[Window]:
    """The window in `n` adjoining parts of nearly equal width, oldest first; fewer if it has fewer seconds."""
    seconds = window.width // SECOND
    n = max(1, min(n, seconds))
    borders = [window.start + SECOND * (seconds * i // n) for i in range(n + 1)]
    return [Window(a, b) for a, b in pairwise(borders)]


def days(start: date, end: date, *, width: int) -> list[DayWindow]:
    """Windows of at most `width` days, oldest first, that hold every day from `start` to `end` once."""
    firsts = (start + n * DAY for n in range(0, (end - start).days + 1, width))
    return [DayWindow(first, min(first + (width - 1) * DAY, end)) for first in firsts]


def cover(days: Iterable[date], *, width: int) -> list[DayWindow]:
    """The fewest windows of at most `width` days that hold all the days given, oldest first; none for none."""
    windows: list[DayWindow] = []
    for day in sorted(set(days)):
        if windows and day - windows[-1].first < width * DAY:
            windows[-1] = DayWindow(windows[-1].first, day)
        else:
            windows.append(DayWindow(day, day))
    return windows


def joined(windows: Sequence[DayWindow]) -> list[DayWindow]:
    """Windows that overlap or adjoin as one."""
    merged: list[DayWindow] = []
    for window in sorted(windows):
        if merged and window.first <= merged[-1].last + DAY:
            merged[-1] = DayWindow(merged[-1].first, max(window.last, merged[-1].last))
        else:
            merged.append(window)
    return merged


def utc_midnight(day: date) -> datetime:
    """The first moment of the day."""
    return datetime.combine(day, time(), UTC)
