"""One way through a shop, chunk by chunk: what the dlt source yields, and what the state is once it is loaded."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.facts import FIRST_WAIT
from loop_returns.api.windows import DAY, DayWindow
from loop_returns.errors import LoopReturnsError
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.page import ShapedPage
from loop_returns.extract.planning import NO_NOTICES, NO_RETURNS, NoticesPlan, ReturnsPlan
from loop_returns.extract.resource_tasks import ResourceTask
from loop_returns.extract.scheduler import Answered, Event, Idle, WindowDone
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import ListTask, NoticesTask, Task
from loop_returns.tables.chunk import Chunk, StoredTables, Tables
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN

Compare = Callable[[str, Sequence[Tables]], Chunk]


@dataclass(frozen=True)
class Limits:
    """How much a run loads at a time, and how long it waits before it tries again.

    Attributes:
        rows: rows in one load at most, and a page: what a killed run has to read again.
        idle_rows: rows that are worth a load of their own while nothing else is waiting.
        load_wait: seconds before a load that failed for a passing reason is tried again; they double.
        first_wait: seconds before a request that failed for a passing reason is sent again; they double.
    """

    rows: int = 45_000
    idle_rows: int = 30_000
    load_wait: float = 1.0
    first_wait: float = FIRST_WAIT


LIMITS: Final = Limits()
_OF_A_PARENT: Final = 75  # so that 600 of them are a load: two minutes at Loop's limit
_DOUBT: Final = timedelta(hours=1)  # by which a change may be older than Loop's clock and this machine's both say


@dataclass
class Reading:
    """Reads returns and notices of one shop, side by side; `advance` makes the next chunks the current ones.

    `compare` makes a chunk of the pages of a table: the newest copies only, and what else the caller leaves out. `watch`
    sees every event as it comes. Chunks stay until the next `advance`, so that they can be loaded again; `state` is that of
    the shop when the current ones are loaded.
    """

    api: ApiReader
    state: ShopState
    compare: Compare
    returns: ReturnsPlan = NO_RETURNS
    notices: NoticesPlan = NO_NOTICES
    others: Sequence[ResourceTask] = ()
    limits: Limits = LIMITS
    watch: Callable[[Event], None] = lambda _: None
    begun: datetime | None = None  # a time that was surely past when reading began
    chunks: Sequence[Chunk] = ()
    _events: Generator[Event] = field(init=False)
    _began: float = field(default_factory=monotonic)
    _waiting: dict[str, list[Tables]] = field(default_factory=dict)  # by table: pages that are not loaded
    _rows: int = 0  # in them
    _current: list[Tables] = field(default_factory=list)  # pages of the current chunks
    _whole: set[int] = field(default_factory=set)
    _newest: dict[int, datetime] = field(default_factory=dict)
    _days: "DaysRead" = field(init=False)
    _failed: LoopReturnsError | None = None

    def __post_init__(self) -> None:
        self._days = DaysRead(dict.fromkeys(self.state.days_due, 0.0))
        others = [replace(task, root=self.windows + n) for n, task in enumerate(self.others)]
        self._events = self.api.read([*self.returns.tasks(), *self.notices.tasks(len(self.returns.windows)), *others])

    def close(self) -> None:
        """Ends the reading, wherever it is."""
        self._events.close()

    @property
    def windows(self) -> int:
        """How many windows of time there are; positions from there on are those of other resources."""
        return len(self.returns.windows) + len(self.notices.windows)

    def label(self, root: int) -> str:
        """The name for people of the window at that position."""
        returns = len(self.returns.windows)
        if root >= self.windows:
            return self.others[root - self.windows].resource.name.replace("_", " ")
        return self.returns.label(root) if root < returns else self.notices.label(root - returns)

    def advance(self) -> bool:
        """Reads on until there is enough for a load; False when everything is read.

        Raises what the API's client raises once everything that can be read is loaded, and what `compare` raises.
        """
        self._give_back()
        try:
            if self._read_on():
                return self._take()
        except LoopReturnsError as error:  # what was read is loaded all the same
            self._failed = error
        if self._waiting:
            return self._take()
        if self._failed or self.api.refused:
            raise self._failed or self.api.refused  # type: ignore[misc] # one of them is an error
        self.state = self.notices.ended(self.returns.ended(self._after()))
        return False

    def _read_on(self) -> bool:
        """Takes events until there is enough for a load; False when there are no more."""
        for event in self._events:
            self.watch(event)
            if isinstance(event, WindowDone):
                if event.root < len(self.returns.windows):
                    self._whole.add(event.root)
            elif isinstance(event, Answered):
                self._note(event)
            if self._rows >= (self.limits.idle_rows if isinstance(event, Idle) else self.limits.rows):
                return True
        return False

    def _note(self, answered: Answered) -> None:
        task, page = answered.task, answered.page
        if isinstance(task, ListTask):
            self._days.returns_read = max(self._days.returns_read, page.received)
            note_newest(self._newest, self.returns, answered, begun=self.begun, began=self._began)
        elif isinstance(task, NoticesTask):
            self._days.note(task.asked, answered.began)
        if page.tables:
            self._waiting.setdefault(listed(task), []).append(page.tables)
            self._rows += weight(task, page)

    def _take(self) -> bool:
        waiting, self._waiting, self._rows = self._waiting, {}, 0
        self._current = [page for pages in waiting.values() for page in pages]
        self.chunks = [self.compare(name, pages) for name, pages in waiting.items()]
        pa.default_memory_pool().release_unused()  # what was freed in small pieces goes back to the system
        state = self._after()
        if any(chunk.says_something for chunk in self.chunks):
            for chunk in self.chunks:
                self._days.note_due(chunk.days, begun=self.begun)
                state = state.after_load(chunk.days)
        self.state = state.with_notices(self._days.settled())
        return True

    def _after(self) -> ShopState:
        return self.returns.after(self.state, self._whole, self._newest).with_notices(self._days.settled())

    def _give_back(self) -> None:
        """Gives back the disk that the loaded pages needed."""
        for page in self._current:
            if isinstance(page, StoredTables):
                page.remove()
        self._current, self.chunks = [], ()


@dataclass
class DaysRead:
    """Of which days the notices were asked for after the changes that made them due.

    Attributes:
        due: days of returns that changed, and after which moment notices have to be asked for, in seconds of a monotonic
            clock: any in this reading for changes from well before it, else when the returns were read.
        asked: days of notices that were read, and when that request began.
        returns_read: when the last page of returns was read.
    """

    due: dict[date, float]
    asked: dict[date, float] = field(default_factory=dict)
    returns_read: float = 0.0

    def note(self, window: DayWindow, began: float) -> None:
        """Takes note of an answer that holds all notices of these days."""
        for n in range((window.last - window.first).days + 1):
            day = window.first + DAY * n
            self.asked[day] = max(began, self.asked.get(day, began))

    def note_due(self, days: Mapping[date, datetime | None], *, begun: datetime | None) -> None:
        """Takes note of days that are due; reading `begun` then."""
        for day, latest in days.items():
            is_old = begun is not None and latest is not None and latest < begun - _DOUBT
            self.due[day] = max(self.due.get(day, 0.0), 0.0 if is_old else self.returns_read)

    def settled(self) -> set[date]:
        """The days that are no longer due; in which zone Loop cuts days is not documented, so with those around them."""
        return {
            day for day, read in self.due.items() if all(self.asked.get(day + DAY * n, -1.0) >= read for n in (-1, 0, 1))
        }


def listed(task: Task) -> str:
    """The table whose rows the request lists; of another resource its name."""
    if isinstance(task, ResourceTask):
        return task.resource.name
    return RETURNS.name if isinstance(task, ListTask) else ASN.name


def weight(task: Task, page: ShapedPage) -> int:
    """Rows of the page that count towards a load; a parent that was asked about by itself cost a request, like a page."""
    if not isinstance(task, ResourceTask):
        return page.rows(listed(task))
    return max(page.rows(task.resource.table.name), _OF_A_PARENT if task.parent is not None else 0)


def note_newest(
    times: dict[int, datetime], plan: ReturnsPlan, answered: Answered, *, begun: datetime | None, began: float
) -> None:
    """Keeps the greatest `updated_at` of the page that lies within its window, by the window's position.

    What has changed since reading `began` (which was not before the time `begun`) may have slipped from page to page unseen,
    so no time counts that is not surely before: a row cannot be newer than its page, which is as much later as has passed
    meanwhile, whatever the clocks say.
    """
    if not answered.page.tables:
        return
    root = answered.task.root
    window, column = plan.windows[root], answered.page.tables[RETURNS.name].column("updated_at")
    start, end = (pa.scalar(moment, column.type) for moment in (window.start, window.end))
    newest = pc.max(column.filter(pc.and_(pc.greater_equal(column, start), pc.less_equal(column, end)))).as_py()
    if newest is not None:
        if begun is not None and newest > begun:
            newest = max(begun, newest - timedelta(seconds=monotonic() - began))
        times[root] = max(newest, times.get(root, newest))
