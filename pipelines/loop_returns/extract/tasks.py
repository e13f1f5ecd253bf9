"""What has to be asked of Loop to read windows completely: a task is one request, and pure functions say what follows it.

Three facts shape the returns list. Without `state` cancelled and review returns do not exist, so every window is read once
per state. `nextPageUrl` drops parameters, so only its cursor is taken and the parameters are sent again. The documented
cursor is one timestamp of one-second precision, so rows that share the second of a page edge can be skipped by the server:
where the cursor shows no unique column, reading goes on from the edge's second itself, or that second is read again,
unpaginated.
Sources: docs.loopreturns.com/api-reference/{pagination, latest/return-data/detailed-returns-list}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from loop_returns.api.cursor import Edge, decode
from loop_returns.api.errors import BadAnswer
from loop_returns.api.params import list_params, notice_params, range_params
from loop_returns.api.windows import DayWindow, Window, parts
from loop_returns.settings import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loop_returns.api.errors import RangeRefused

Column = Literal["created_at", "updated_at"]
EdgeSecond = tuple[Column, datetime]

_COLUMNS: Final[tuple[Column, ...]] = get_args(Column)
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_SMALLEST: Final = timedelta(seconds=2)  # a window that cannot usefully be halved
_PAGES_WORTH_SPLITTING: Final = 3


@dataclass(frozen=True)
class ListTask:
    """One request to the returns list.

    Attributes:
        window: the stretch of time.
        state: the one state that is asked for.
        column: the timestamp that the window applies to.
        root: position of the window that this one was cut from.
        cursor: of the page; None for the first.
        paginated: False asks for everything of the window in one answer, which nothing follows.
        visited: cursors that led here, this one included: a page that leads to one of them goes in a circle.
        checked: seconds of page edges that are read again already.
    """

    window: Window
    state: str
    column: Column
    root: int
    cursor: str | None = None
    paginated: bool = True
    visited: frozenset[str] = frozenset()
    checked: frozenset[EdgeSecond] = frozenset()


@dataclass(frozen=True)
class NoticesTask:
    """One request to the shipping notice report, which has neither states nor pages; `root` as in `ListTask`."""

    window: DayWindow
    root: int


Task = ListTask | NoticesTask


class Page(Protocol):
    """What has to be known of a page. `cursor` leads to the next one; None on the last."""

    @property
    def cursor(self) -> str | None:
        """Of the next page."""

    def times(self, column: str) -> Sequence[datetime | None]:
        """A timestamp of every row, in the page's order; None where it can't be read."""


def list_tasks(windows: Sequence[Window], *, column: Column) -> list[ListTask]:
    """The first page of every window in every state, in the order of `windows`."""
    return [ListTask(window, state, column, root) for root, window in enumerate(windows) for state in STATES]


def notice_tasks(windows: Sequence[DayWindow]) -> list[NoticesTask]:
    """Every window, in the order of `windows`."""
    return [NoticesTask(window, root) for root, window in enumerate(windows)]


def params_of(task: Task, *, page_size: int) -> dict[str, str | int]:
    """The parameters of the task's request."""
    if isinstance(task, NoticesTask):
        return {**notice_params(task.window)}
    if not task.paginated:
        return {**range_params(task.window, task.column), "state": task.state}
    params = list_params(task.window, column=task.column, state=task.state, page_size=page_size)
    return params if task.cursor is None else {**params, "cursor": task.cursor}


def is_recheck(task: Task) -> bool:
    """Whether the task reads again, in one answer, what the server may have skipped between two pages."""
    return isinstance(task, ListTask) and not task.paginated


def following(task: Task, page: Page, *, workers: int) -> list[Task]:
    """What is to be asked after this page of the task; nothing after the last one.

    `workers` is how many requests are made side by side: a dense window is cut into as many parts after its first page.
    """
    if isinstance(task, NoticesTask) or not task.paginated or page.cursor is None:
        return []
    if page.cursor in task.visited:  # the server goes in circles: smaller windows need no pages
        return [*_halved(task)] if _can_be_halved(task.window) else [_whole(task)]
    onward = replace(task, cursor=page.cursor, visited=task.visited | {page.cursor})
    edge = decode(page.cursor)
    if edge.unique:
        return [onward]
    if edge.column == task.column and (rest := _rest(task.window, page.times(task.column))) is not None:
        return [*_split(task, rest, workers=workers)] if task.cursor is None else [_fresh(task, rest)]
    seconds = _edge_seconds(edge, page)
    if not seconds:  # nothing says where the page ended: the rest is read without pages
        return [_whole(task)]
    onward = replace(onward, checked=task.checked.union(seconds))
    return [onward, *(_recheck(task, second) for second in seconds if second not in task.checked)]


def halves(task: Task, refused: RangeRefused) -> list[Task]:
    """What is to be asked in place of a task whose range the API refused.

    Raises:
        BadAnswer: if a window of the returns list can't get narrower.
        RangeRefused: `refused` itself, if the window is a single day of notices.
    """
    if isinstance(task, NoticesTask):
        first, last = task.window.first, task.window.last
        if first == last:
            raise refused
        middle = first + (last - first) // 2
        return [replace(task, window=half) for half in (DayWindow(first, middle), DayWindow(middle + _DAY, last))]
    if not _can_be_halved(task.window):
        raise BadAnswer(
            f"Loop refuses even a range of two seconds ({task.window.start} to {task.window.end}). "
            "Run again later; if it stays so, report it with the run report."
        ) from refused
    return [*_halved(task)]


def _can_be_halved(window: Window) -> bool:
    return window.width > _SMALLEST


def _halved(task: ListTask) -> list[ListTask]:
    return [_fresh(task, half) for half in parts(task.window, 2)]


def _fresh(task: ListTask, window: Window) -> ListTask:
    """The first request for a part of the task's window."""
    return ListTask(window, task.state, task.column, task.root, paginated=task.paginated)


def _whole(task: ListTask) -> ListTask:
    """Everything in the task's window in one answer."""
    return ListTask(task.window, task.state, task.column, task.root, paginated=False)


def _recheck(task: ListTask, edge: EdgeSecond) -> ListTask:
    """The second in which a page ended, again and unpaginated."""
    column, second = edge
    return ListTask(Window(second, second), task.state, column, task.root, paginated=False)


def _split(task: ListTask, rest: Window, *, workers: int) -> list[ListTask]:
    """What is left of a window after its first page, cut so that a dense stretch is read side by side."""
    pages = rest.width / max(task.window.width - rest.width, _SECOND)
    n = 1 if pages < _PAGES_WORTH_SPLITTING else min(int(pages), workers)
    return [_fresh(task, part) for part in parts(rest, n)]


def _rest(window: Window, times: Sequence[datetime | None]) -> Window | None:
    """What of the window the page has not covered, its edge's second included; None where that can't be told.

    Only a page that is sorted by the column, in one direction, and that spans more than a second tells it.
    """
    known = [time for time in times if time is not None]
    if len(known) < len(times) or not known:  # one that is missing or can't be read
        return None
    edge = known[-1].replace(microsecond=0)
    if known == sorted(known):
        rest = Window(max(edge, window.start), window.end) if edge <= window.end else None
    elif known == sorted(known, reverse=True):
        rest = Window(window.start, min(edge, window.end)) if edge >= window.start else None
    else:
        return None
    if rest is None or rest.width > window.width - _SECOND:
        return None  # no progress: a whole page within one second
    if known[0].replace(microsecond=0) == edge:
        return None  # which way the server goes can't be seen
    return rest


def _edge_seconds(edge: Edge, page: Page) -> list[EdgeSecond]:
    """The columns and seconds at which rows may have been skipped; none where that can't be told."""
    if edge.second is not None and edge.column in _COLUMNS:
        return [(column, edge.second) for column in _COLUMNS if column == edge.column]
    seconds: list[EdgeSecond] = []
    for column in _COLUMNS:  # the cursor does not say: take both of the page's last row
        last = next(iter(page.times(column)[-1:]), None)
        if last is None:
            return []  # it may be this column that orders the pages
        seconds.append((column, last.replace(microsecond=0)))
    return seconds
