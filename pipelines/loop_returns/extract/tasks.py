"""Which requests read windows completely: a task is one request, and pure functions say what follows it.

Three facts shape the returns list. Without `state` cancelled and review returns do not exist, so every window is read once
per state. `nextPageUrl` drops parameters, so only its cursor is taken and the parameters are sent again. The documented
cursor is one timestamp of one-second precision, so rows that share the second of a page edge can be skipped by the server:
where the cursor shows no unique column, reading goes on from the edge's second itself, or that second is read again,
unpaginated.
Sources: docs.loopreturns.com/api-reference/{pagination, latest/return-data/detailed-returns-list}.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from loop_returns.api.facts import STATES, TIME_FORMAT
from loop_returns.api.pages import PageEdge, edge_of
from loop_returns.api.windows import DAY, SECOND, DayWindow, Window, parts
from loop_returns.errors import InvalidResponseError, RangeRejectedError
from loop_returns.extract.page import ShapedPage
from loop_returns.extract.resource_tasks import ResourceTask
from loop_returns.tables.shipping import ASN

Column = Literal["created_at", "updated_at"]
EdgeSecond = tuple[Column, datetime]

_COLUMNS: Final[tuple[Column, ...]] = get_args(Column)
_SMALLEST: Final = timedelta(seconds=2)  # a window that cannot usefully be halved
_PAGES_WORTH_SPLITTING: Final = 3
NOTICES_AT_ONCE: Final = 20_000  # rows that one response should hold: 26 MB, and a day of them is read twice
_WIDER: Final = 4  # times as many days as before that a request may ask for


@dataclass(frozen=True)
class ListTask:
    """One request to the returns list.

    Attributes:
        window: the stretch of time.
        state: the one state that is requested.
        column: the timestamp that the window applies to.
        root: position of the window that this one was cut from.
        cursor: of the page; None for the first.
        paginated: False requests everything of the window in one response, which nothing follows.
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

    @property
    def order(self) -> int:
        """Tasks of windows with a lower one are done first."""
        return self.root


@dataclass(frozen=True)
class NoticesTask:
    """One request to the shipping notice report, which has neither states nor pages: the first days of a window.

    Attributes:
        window: the days that are to be read.
        root: as in `ListTask`.
        width: how many of them this request asks for.
        most: how many a request may ask for.
        order: before which window of returns it is read.
    """

    window: DayWindow
    root: int
    width: int
    most: int
    order: float = 0

    @property
    def asked(self) -> DayWindow:
        """The days that this request asks for."""
        return DayWindow(self.window.first, min(self.window.first + (self.width - 1) * DAY, self.window.last))


Task = ListTask | NoticesTask | ResourceTask


def list_tasks(windows: Sequence[Window], *, column: Column) -> list[ListTask]:
    """The first page of every window in every state, in the order of `windows`."""
    return [ListTask(window, state, column, root) for root, window in enumerate(windows) for state in STATES]


def params_of(task: Task, *, page_size: int) -> dict[str, str | int]:
    """The parameters of the task's request.

    Of the notices they are dates, as anything else may silently mean 1970-01-01 (client w6w). Whether the borders of a
    range are inclusive is not documented: it is a second wider on both sides, and a day of the notices at its end.
    """
    if isinstance(task, ResourceTask):
        return task.query
    if isinstance(task, NoticesTask):
        return {"from": task.asked.first.isoformat(), "to": (task.asked.last + DAY).isoformat()}
    start, end = (f"{moment:{TIME_FORMAT}}" for moment in (task.window.start - SECOND, task.window.end + SECOND))
    params: dict[str, str | int] = {"filter": task.column, "from": start, "to": end, "state": task.state}
    if task.paginated:
        params |= {"paginate": "true", "pageSize": page_size}
    return params if task.cursor is None else {**params, "cursor": task.cursor}


def is_recheck(task: Task) -> bool:
    """Whether the task reads again, in one response, what the server may have skipped between two pages."""
    return isinstance(task, ListTask) and not task.paginated


def following(task: Task, page: ShapedPage, *, workers: int) -> list[Task]:
    """The tasks that follow this page of the task; none after the last one.

    `workers` is how many requests are made side by side: a dense window is cut into as many parts after its first page.
    """
    if isinstance(task, ResourceTask):
        read = page.rows(task.resource.table.name)
        return [replace(task, page=task.page + 1, offset=task.offset + read)] if page.more else []
    if isinstance(task, NoticesTask):
        return _onward(task, page.rows(ASN.name))
    return _next_pages(task, page, page.cursor, workers=workers) if task.paginated and page.cursor else []


def _next_pages(task: ListTask, page: ShapedPage, cursor: str, *, workers: int) -> list[Task]:
    """The tasks that follow a page from which `cursor` leads on."""
    if cursor in task.visited:  # the server goes in circles: smaller windows need no pages
        windows = parts(task.window, 2) if task.window.width > _SMALLEST else [task.window]
        return [_part(task, window, paginated=len(windows) > 1) for window in windows]
    onward = replace(task, cursor=cursor, visited=task.visited | {cursor})
    edge = edge_of(cursor)
    if edge.unique:
        return [onward]
    if edge.column == task.column and (rest := _rest(task.window, page.times(task.column))) is not None:
        return [_part(task, part) for part in _split(task, rest, workers=workers if task.cursor is None else 1)]
    seconds = _edge_seconds(edge, page)
    if not seconds:  # nothing says where the page ended: the window is read without pages
        return [_part(task, task.window, paginated=False)]
    onward = replace(onward, checked=task.checked.union(seconds))
    rechecks = [(column, second) for column, second in seconds if (column, second) not in task.checked]
    return [onward, *(_part(task, Window(one, one), column=column, paginated=False) for column, one in rechecks)]


def is_divisible(task: Task) -> bool:
    """Whether a narrower request can be made in place of this one, which asks for more than a day of notices."""
    return isinstance(task, NoticesTask) and task.asked.first < task.asked.last


def halves(task: Task, refused: RangeRejectedError) -> list[Task]:
    """The tasks in place of one whose range the API refused.

    Raises:
        InvalidResponseError: if a window of the returns list can't get narrower.
        RangeRejectedError: `refused` itself, if the window is a single day of notices.
    """
    if not isinstance(task, ListTask):
        if not isinstance(task, NoticesTask) or not is_divisible(task):
            raise refused
        return [replace(task, width=((task.asked.last - task.asked.first).days + 1) // 2)]
    if task.window.width <= _SMALLEST:
        raise InvalidResponseError(
            f"Loop refuses even a range of two seconds ({task.window.start} to {task.window.end}). "
            "Run again later; if it stays so, report it with the run report."
        ) from refused
    return [_part(task, half, paginated=task.paginated) for half in parts(task.window, 2)]


def _onward(task: NoticesTask, rows: int) -> list[Task]:
    """The request for the next days, as many as hold about `NOTICES_AT_ONCE` rows if they are like the last ones."""
    if task.asked.last == task.window.last:
        return []
    days = (task.asked.last - task.asked.first).days + 1
    width = max(1, min(days * NOTICES_AT_ONCE // max(rows, 1), days * _WIDER, task.most))
    return [replace(task, window=DayWindow(task.asked.last + DAY, task.window.last), width=width)]


def _part(task: ListTask, window: Window, *, column: Column | None = None, paginated: bool = True) -> ListTask:
    """The first request for a part of the task's window; without pages everything comes in one response."""
    return ListTask(window, task.state, column or task.column, task.root, paginated=paginated)


def _split(task: ListTask, rest: Window, *, workers: int) -> list[Window]:
    """What is left of a window after its first page, cut so that a dense stretch is read side by side."""
    pages = rest.width / max(task.window.width - rest.width, SECOND)
    n = 1 if pages < _PAGES_WORTH_SPLITTING else min(int(pages), workers)
    return parts(rest, n)


def _rest(window: Window, times: Sequence[datetime | None]) -> Window | None:
    """What of the window the page has not covered, its edge's second included; None where that is unknown.

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
    if rest is None or rest.width > window.width - SECOND:
        return None  # no progress: a whole page within one second
    if known[0].replace(microsecond=0) == edge:
        return None  # which way the server goes can't be seen
    return rest


def _edge_seconds(edge: PageEdge, page: ShapedPage) -> list[EdgeSecond]:
    """The columns and seconds at which rows may have been skipped; none where that is unknown."""
    if edge.second is not None and edge.column in _COLUMNS:
        return [(column, edge.second) for column in _COLUMNS if column == edge.column]
    seconds: list[EdgeSecond] = []
    for column in _COLUMNS:  # the cursor does not say: take both of the page's last row
        last = next(iter(page.times(column)[-1:]), None)
        if last is None:
            return []  # it may be this column that orders the pages
        seconds.append((column, last.replace(microsecond=0)))
    return seconds
