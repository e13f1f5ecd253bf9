"""Cuts time into windows that the API serves: whole seconds for the returns list, days for the notices.

Adjoining windows share their border second, because whether the API's borders are inclusive is not
documented; what is seen twice is merged later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from loop_returns.settings import MAX_RANGE

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Window:
    """From `start` to `end`, both included, UTC and whole seconds.

    Raises:
        ValueError: for a time without a zone, a fraction of a second, or an end before the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        start, end = _utc(self.start), _utc(self.end)
        if start.microsecond or end.microsecond:
            raise ValueError(f"a window has whole seconds: {start} – {end}")  # a range
        if end < start:
            raise ValueError(f"a window can't end ({end}) before it starts ({start})")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    @property
    def width(self) -> timedelta:
        """From border to border; zero for a single second."""
        return self.end - self.start


@dataclass(frozen=True, order=True)
class DayWindow:
    """From `first` to `last`, both included.

    Raises:
        ValueError: if the last day is before the first.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"a window can't end ({self.last}) before it starts ({self.first})")


def split(start: datetime, end: datetime, *, width: timedelta) -> list[Window]:
    """Adjoining windows, oldest first, from `start` to `end`; equal bounds give one window.

    A fraction of a second is rounded outwards. Any zone is accepted; the windows are UTC.

    Args:
        start: the first moment.
        end: the last moment.
        width: of a window, whole seconds, at least one and below the API's cap.

    Raises:
        ValueError: for a time without a zone, an end before the start, or a useless width.
    """
    if width < _SECOND or width.microseconds or width >= MAX_RANGE:
        raise ValueError(f"a window must be at least a second and less than {MAX_RANGE.days} days wide: {width}")
    whole = Window(_floor(start), _ceil(end))
    if _utc(end) < _utc(start):  # also where rounding hides it
        raise ValueError(f"a window can't end ({end}) before it starts ({start})")
    windows = []
    edge = whole.start
    while whole.end - edge > width:
        windows.append(Window(edge, edge + width))
        edge += width
    return [*windows, Window(edge, whole.end)]


def halve(window: Window) -> tuple[Window, Window]:
    """The two halves of a window.

    Raises:
        ValueError: if it is shorter than two seconds, so that a half would not be narrower.
    """
    if window.width < 2 * _SECOND:
        raise ValueError(f"too narrow to be halved: {window}")
    older, newer = parts(window, 2)
    return older, newer


def parts(window: Window, n: int) -> list[Window]:
    """The window in `n` adjoining parts of nearly equal width, oldest first; fewer if it has fewer seconds.

    Raises:
        ValueError: if `n` is less than one.
    """
    if n < 1:
        raise ValueError(f"a window has at least one part, not {n}")
    seconds = window.width // _SECOND
    n = max(1, min(n, seconds))
    borders = [window.start + _SECOND * (seconds * i // n) for i in range(n + 1)]
    return [Window(a, b) for a, b in pairwise(borders)]


def days(start: date, end: date, *, width: int) -> list[DayWindow]:
    """Windows of at most `width` days, oldest first, that hold every day from `start` to `end` once.

    Raises:
        ValueError: for an end before the start or a useless width.
    """
    _check_width(width)
    whole = DayWindow(_day(start), _day(end))
    reach = timedelta(days=width - 1)
    windows = []
    edge = whole.first
    while whole.last - edge > reach:
        windows.append(DayWindow(edge, edge + reach))
        edge += reach + timedelta(days=1)
    return [*windows, DayWindow(edge, whole.last)]


def cover(days: Iterable[date], *, width: int) -> list[DayWindow]:
    """The fewest windows of at most `width` days that hold all the days given, oldest first; none for none.

    Raises:
        ValueError: for a useless width.
    """
    _check_width(width)
    windows: list[DayWindow] = []
    for day in sorted({_day(day) for day in days}):
        if windows and day - windows[-1].first < timedelta(days=width):
            windows[-1] = DayWindow(windows[-1].first, day)
        else:
            windows.append(DayWindow(day, day))
    return windows


def _check_width(width: int) -> None:
    if not 1 <= width < MAX_RANGE.days:
        raise ValueError(f"a window must be at least one and less than {MAX_RANGE.days} days wide: {width}")


def _day(value: date) -> date:
    if isinstance(value, datetime):  # a datetime is a date to Python, but which day it is depends on a zone
        raise ValueError(f"a day was expected, not a time: {value}")
    return value


def _utc(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError(f"a time without a zone: {value}")
    return value.astimezone(UTC)


def _floor(value: datetime) -> datetime:
    return _utc(value).replace(microsecond=0)


def _ceil(value: datetime) -> datetime:
    floor = _floor(value)
    return floor if floor == _utc(value) else floor + _SECOND
