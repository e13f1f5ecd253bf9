"""What is read, as plain data: the windows of a sync, a backfill, a reconcile, and of the shipping notices.

Source, commands and `--dry-run` all take their plans from here. No request to Loop or the warehouse is made here.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Final

from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.windows import DAY, DayWindow, Window, cover, days, joined, split
from loop_returns.extract.clocks import Clocks
from loop_returns.extract.resource_tasks import ResourceTask
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import NOTICES_AT_ONCE, Column, NoticesTask, Task, list_tasks, params_of
from loop_returns.settings import Settings

_SIDE_BY_SIDE: Final = 4  # windows of notices: their answers are long, and more of them take memory


@dataclass(frozen=True)
class ReturnsPlan:
    """Windows of the returns list, in the order of reading; the other fields say how the state changes.

    `since` is from when on everything is loaded afterwards, where reading moves the cursor; `backfill` the name under which
    loaded windows are remembered.
    """

    windows: tuple[Window, ...]
    column: Column
    since: datetime | None = None
    backfill: str | None = None

    def tasks(self) -> list[Task]:
        """The first request of every window in every state."""
        return [*list_tasks(self.windows, column=self.column)]

    def label(self, root: int) -> str:
        """A window's name for people."""
        window = self.windows[root]
        return f"{window.start:%Y-%m-%d %H:%M} – {window.end:%Y-%m-%d %H:%M}"

    def after(self, state: ShopState, whole: Collection[int], newest: Mapping[int, datetime]) -> ShopState:
        """The state once the windows at the positions `whole` are loaded; `newest` has each one's greatest time.

        The cursor moves over windows as far as they adjoin, to the greatest `updated_at` seen in them: Loop's clock may run
        ahead of the data that it serves.
        """
        if self.backfill is not None:
            return state.with_backfill(self.backfill, {backfill_label(self.windows[root]) for root in whole})
        if self.since is None:
            return state
        reached = takewhile(whole.__contains__, range(len(self.windows)))
        seen = [min(newest[root], self.windows[root].end) for root in reached if root in newest]
        return state.up_to(max(seen), since=self.since) if seen else state

    def ended(self, state: ShopState) -> ShopState:
        """The state when all of it is loaded."""
        state = replace(state, since=self.since or state.since)
        return state if self.backfill is None else state.with_backfill(self.backfill, ())


@dataclass(frozen=True)
class NoticesPlan:
    """Windows of days of the shipping notice report, each read from its first day on, `width` days with the first request.

    `most` is how many days a request may ask for; `read` the day up to which all notices were read afterwards, None where
    that says nothing.
    """

    windows: tuple[DayWindow, ...]
    width: int
    most: int
    read: date | None = None

    def tasks(self, returns: int = 0) -> list[Task]:
        """The first request of each window; they are counted, and read side by side, with so many windows of returns.

        Each request follows from the one before it, so they go before those of the returns: what is left of such a chain at
        the end is read one answer after the other.
        """
        return [
            NoticesTask(window, returns + root, self.width, self.most, order=root * returns // len(self.windows) - 0.5)
            for root, window in enumerate(self.windows)
        ]

    def label(self, root: int) -> str:
        """A window's name for people."""
        return f"shipping notices {self.windows[root].first} – {self.windows[root].last}"

    def ended(self, state: ShopState) -> ShopState:
        """The state when all of it is loaded."""
        return replace(state, notices_read=self.read or state.notices_read)


Plan = ReturnsPlan | NoticesPlan
NO_RETURNS: Final = ReturnsPlan((), "updated_at")
NO_NOTICES: Final = NoticesPlan((), width=1, most=1)


def sync_plan(settings: Settings, state: ShopState, clock: Clocks) -> ReturnsPlan:
    """What changed since the cursor, less the lookback; everything the first time, and when `start_date` became earlier."""
    if state.cursor is None or starts_earlier(settings, state):
        return changed_plan(settings, settings.start_date, clock.latest, since=settings.start_date)
    since = state.since or settings.start_date  # an earlier version did not remember it
    return changed_plan(settings, state.cursor - settings.lookback, clock.latest, since=since)


def starts_earlier(settings: Settings, state: ShopState) -> bool:
    """True when `start_date` was set to a time before everything that was read so far."""
    return state.since is not None and settings.start_date < state.since


def changed_plan(settings: Settings, start: datetime, end: datetime, *, since: datetime) -> ReturnsPlan:
    """What was updated from `start` to `end`; `since` as in `ReturnsPlan`."""
    windows = split(min(start, end), end, width=timedelta(days=settings.window_days))
    return ReturnsPlan(tuple(windows), "updated_at", since=since)


def backfill_plan(
    settings: Settings,
    state: ShopState,
    start: datetime,
    end: datetime,
    *,
    newest_first: bool = False,
    restart: bool = False,
) -> tuple[ReturnsPlan, int]:
    """What was created from `start` to `end`, without windows that are loaded already; and how many those are."""
    name = f"{start.isoformat()}/{end.date().isoformat()}"
    loaded = frozenset() if restart else state.backfills.get(name, frozenset())
    every = split(start, end, width=timedelta(days=settings.window_days))[:: -1 if newest_first else 1]
    left = tuple(window for window in every if backfill_label(window) not in loaded)
    return ReturnsPlan(left, "created_at", backfill=name), len(every) - len(left)


def reconcile_plan(settings: Settings, start: datetime, end: datetime) -> ReturnsPlan:
    """What was created from `start` to `end`; nothing is remembered."""
    return ReturnsPlan(tuple(split(start, end, width=timedelta(days=settings.window_days))), "created_at")


def backfill_label(window: Window) -> str:
    """How a window of a backfill is remembered."""
    return f"{window.start.isoformat()}/{window.end.isoformat()}"


def horizon(settings: Settings, state: ShopState, clock: Clocks) -> tuple[date, date]:
    """First and last day of shipping notices that a sync reads: the rolling horizon, stretched back to the last time.

    All days where it reads all returns, whose notices would be due anyway.
    """
    today = clock.earliest.astimezone(UTC).date()
    first = min(today - timedelta(days=settings.asn_horizon_days), (state.notices_read or today) - DAY)
    if state.cursor is None or starts_earlier(settings, state):
        first = min(first, settings.start_date.astimezone(UTC).date() - DAY)
    return first, clock.latest.astimezone(UTC).date() + DAY


def notices_plan(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    *,
    due: Iterable[date] = (),
    a_day: float | None = None,
    read: date | None = None,
) -> NoticesPlan:
    """Every day from `first` to `last`, if given, and the days around those in `due`.

    `a_day` is how many notices a day has: that says how many days the first requests may ask for; where it is unknown, each
    asks for one. Windows are read side by side.
    """
    near = {day + DAY * n for day in due for n in (-1, 0, 1)}  # in which zone Loop cuts days is not documented
    if first and last:
        near |= {first + DAY * n for n in range((last - first).days + 1)}
    most = settings.window_days
    width = 1 if a_day is None else max(1, min(most, int(NOTICES_AT_ONCE / max(a_day, 1))))
    windows: list[DayWindow] = []
    for one in joined(cover(near, width=width)):
        length = (one.last - one.first).days + 1
        windows += days(one.first, one.last, width=max(width, -(-length // _SIDE_BY_SIDE)))
    return NoticesPlan(tuple(windows), width, most, read)


@dataclass(frozen=True)
class PlannedRequest:
    """One request that a run would send at least; a page that is full leads to more."""

    method: str
    path: str
    params: dict[str, str | int]
    note: str = ""


def requests_of(plan: Plan, settings: Settings) -> list[PlannedRequest]:
    """The requests that the plan begins with."""
    path = RETURNS_PATH if isinstance(plan, ReturnsPlan) else ASN_PATH
    return [PlannedRequest("GET", path, params_of(task, page_size=settings.page_size)) for task in plan.tasks()]


def request_of(task: ResourceTask) -> PlannedRequest:
    """The first request for another resource."""
    return PlannedRequest("GET", task.path, task.query)
