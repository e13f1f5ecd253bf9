"""Windows cover what they are cut from: no gap, no day twice, and none that the API refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from loop_returns.api.facts import MAX_RANGE
from loop_returns.api.windows import DayWindow, Window, cover, days, parts, split

if TYPE_CHECKING:
    from random import Random

ZONES = st.sampled_from([UTC, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")])
MOMENTS = st.datetimes(datetime(2016, 1, 1), datetime(2030, 1, 1), timezones=ZONES)  # noqa: DTZ001 # hypothesis adds the zone
SECONDS = st.datetimes(datetime(2016, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 # as above
    lambda moment: moment.replace(microsecond=0)
)
WIDTHS = st.integers(1, 119 * 86400).map(lambda seconds: timedelta(seconds=seconds)) | st.just(timedelta(days=90))
DAYS = st.dates(date(2016, 1, 1), date(2030, 1, 1))
DAY_WIDTHS = st.integers(1, 119)
MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)


def bounds(first: datetime, second: datetime, width: timedelta) -> tuple[datetime, datetime]:
    """The two in order, near enough for a few hundred windows."""
    start, end = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    return start, min(end, start + 300 * width)


@given(MOMENTS, MOMENTS, WIDTHS, ZONES)
def test_split_covers_everything(first: datetime, second: datetime, width: timedelta, zone: ZoneInfo) -> None:
    """The windows adjoin, reach from the first to the last moment, rounded outwards by less than a second, and fit."""
    start, end = bounds(first, second, width)
    windows = split(start.astimezone(zone), end.astimezone(zone), width=width)
    assert timedelta() <= start - windows[0].start < timedelta(seconds=1)
    assert timedelta() <= windows[-1].end - end < timedelta(seconds=1)
    assert all(older.end == newer.start for older, newer in pairwise(windows))
    assert all(window.width <= width < MAX_RANGE for window in windows)
    assert all(window.width for window in windows) or len(windows) == 1
    assert all(window.start.tzinfo is UTC and not window.start.microsecond for window in windows)
    assert len(windows) == max(1, -((windows[0].start - windows[-1].end) // width))


def test_split_by_hand() -> None:
    """A leap year in windows of 90 days, oldest first."""
    windows = split(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), width=timedelta(days=90))
    assert [str(window.start.date()) for window in windows] == [
        "2024-01-01", "2024-03-31", "2024-06-29", "2024-09-27", "2024-12-26",
    ]  # fmt: skip # one line
    assert windows[-1].end == datetime(2025, 1, 1, tzinfo=UTC)


def test_split_over_a_lost_hour() -> None:
    """A local day of 23 hours is 23 hours, and the hour that comes twice is two."""
    zone = ZoneInfo("Europe/Berlin")
    for day, hours in [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25)]:
        start = datetime(day.year, day.month, day.day, tzinfo=zone)
        end = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
        assert len(split(start, end, width=timedelta(hours=1))) == hours


@given(MOMENTS)
def test_equal_bounds_are_one_window(moment: datetime) -> None:
    """A single moment is a window, too."""
    (window,) = split(moment, moment, width=timedelta(days=90))
    assert window.start <= moment <= window.end


@given(SECONDS, st.integers(0, 10**7), st.integers(1, 50))
def test_parts(start: datetime, seconds: int, n: int) -> None:
    """The parts adjoin, are the whole, and are equal to the second; none is empty unless the whole is."""
    window = Window(start, start + timedelta(seconds=seconds))
    found = parts(window, n)
    assert (found[0].start, found[-1].end) == (window.start, window.end)
    assert all(older.end == newer.start for older, newer in pairwise(found))
    assert len(found) == max(1, min(n, seconds))
    widths = [part.width for part in found]
    assert max(widths) - min(widths) <= timedelta(seconds=1)
    assert max(widths) < window.width or 1 in {n, len(found)}, "each is narrower, so that halving ends"


@given(DAYS, st.integers(0, 3000), DAY_WIDTHS)
def test_days_hold_every_day_once(start: date, length: int, width: int) -> None:
    """Every day is in exactly one window, oldest first, and no window is wider than asked."""
    windows = days(start, start + timedelta(days=length), width=width)
    held = [window.first + timedelta(days=n) for window in windows for n in range((window.last - window.first).days + 1)]
    assert held == [start + timedelta(days=n) for n in range(length + 1)]
    assert all((window.last - window.first).days < width for window in windows)
    assert len(windows) == -(-(length + 1) // width)


def test_days_over_a_leap_day() -> None:
    """The 29th of February is there."""
    windows = days(date(2024, 2, 28), date(2024, 3, 2), width=2)
    assert windows == [DayWindow(date(2024, 2, 28), date(2024, 2, 29)), DayWindow(date(2024, 3, 1), date(2024, 3, 2))]


@given(DAYS, st.lists(st.integers(0, 9), max_size=20), st.integers(1, 8), st.randoms())
def test_cover_holds_all_days_with_the_fewest_windows(start: date, gaps: list[int], width: int, chance: Random) -> None:
    """Each day is in exactly one window, windows begin and end with a day that is wanted, and none can be spared."""
    wanted = [start + timedelta(days=distance) for distance in accumulate(gaps)]
    chance.shuffle(wanted)
    windows = cover(wanted, width=width)
    for day in wanted:
        assert sum(window.first <= day <= window.last for window in windows) == 1
    assert {day for window in windows for day in (window.first, window.last)} <= set(wanted)
    assert all((window.last - window.first).days < width for window in windows)
    starts = [window.first for window in windows]  # days so far apart that no two fit into one window
    assert all((newer - older).days >= width for older, newer in pairwise(starts))
