"""One way through a plan, chunk by chunk: what the dlt source yields, and what the state is once it is loaded."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.facts import FIRST_WAIT
from loop_returns.extract.disk_buffer import newest_copies
from loop_returns.extract.planning import ReturnsPlan
from loop_returns.extract.scheduler import Answered, Idle, WindowDone
from loop_returns.tables.chunk import joined
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import datetime

    from loop_returns.extract.api_reader import ApiReader
    from loop_returns.extract.planning import Plan
    from loop_returns.extract.scheduler import Event
    from loop_returns.extract.state import ShopState
    from loop_returns.tables.chunk import Chunk, Tables

    Compare = Callable[[Tables], Chunk]


@dataclass(frozen=True)
class Limits:
    """How much a run takes at a time, and how long it waits before it tries again.

    Attributes:
        rows: rows in one chunk at most, and a page: bounds memory, and what a killed run has to read again.
        idle_rows: rows that are worth a load of their own while nothing else is waiting.
        size: bytes of Arrow in one chunk: what so many usual rows need, and a few very long ones.
        load_wait: seconds before a load that failed for a passing reason is tried again; they double.
        first_wait: seconds before a request that failed for a passing reason is sent again; they double.
    """

    rows: int = 40_000
    idle_rows: int = 20_000
    size: int = 100_000_000
    load_wait: float = 1.0
    first_wait: float = FIRST_WAIT


LIMITS: Final = Limits()


@dataclass
class Reading:
    """Reads a plan of one shop; `advance` makes the next chunk the current one.

    `compare` makes the chunk of the rows that were read: the newest copies only, and what else the caller leaves out.
    `watch` sees every event as it comes. A chunk stays until the next `advance`, so that it can be loaded again; `state` is
    that of the shop when the current chunk is loaded.
    """

    api: ApiReader
    plan: Plan
    state: ShopState
    compare: Compare
    limits: Limits = LIMITS
    watch: Callable[[Event], None] = lambda _: None
    chunk: Chunk | None = None
    _events: Generator[Event] = field(init=False)
    _began: float = field(default_factory=monotonic)
    _whole: set[int] = field(default_factory=set)
    _newest: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._events = self.api.read(self.plan.tasks())

    def close(self) -> None:
        """Ends the reading, wherever it is."""
        self._events.close()

    def advance(self) -> bool:
        """Reads on until there is enough for a chunk; False when everything is read.

        Raises what the API's client and `compare` raise; what was read and not loaded is then read again by the next run.
        """
        self.chunk = None
        waiting: list[Tables] = []
        rows, size, root = 0, 0, root_of(self.plan)
        for event in self._events:
            self.watch(event)
            if isinstance(event, WindowDone):
                self._whole.add(event.root)
            elif isinstance(event, Answered) and event.page.tables:
                tables = event.page.tables
                note_newest(self._newest, self.plan, event, began=self._began)
                waiting.append(tables)
                rows += tables[root].num_rows
                size += sum(table.get_total_buffer_size() for table in tables.values())
            enough = self.limits.idle_rows if isinstance(event, Idle) else self.limits.rows
            if rows >= enough or size >= self.limits.size:
                return self._take(waiting)
        if waiting:
            return self._take(waiting)
        self.state = self.plan.ended(self.plan.after(self.state, self._whole, self._newest))
        return False

    def _take(self, waiting: list[Tables]) -> bool:
        tables = joined(waiting)
        waiting.clear()  # their memory goes before the comparison needs some
        self.chunk = self.compare(tables)
        pa.default_memory_pool().release_unused()  # what was freed in small pieces goes back to the system
        state = self.plan.after(self.state, self._whole, self._newest)
        self.state = state.after_load(self.chunk.days) if self.chunk.tables else state
        return True


class BufferedPages:
    """All pages of a plan, the newest copy of each row only, from disk, a chunk at a time; iterate once.

    `newest` is then the greatest `updated_at` that was read within its window, None where there was none.
    """

    def __init__(self, api: ApiReader, plan: Plan) -> None:
        self._api, self._plan = api, plan
        self._times: dict[int, datetime] = {}

    @property
    def newest(self) -> datetime | None:
        """The greatest `updated_at`."""
        return max(self._times.values(), default=None)

    def __iter__(self) -> Iterator[Tables]:
        waiting: list[Tables] = []
        rows, root = 0, root_of(self._plan)
        with closing(self._pages()) as pages:
            for tables in newest_copies(pages, root):
                waiting.append(tables)
                rows += tables[root].num_rows
                if rows >= LIMITS.rows:
                    yield joined(waiting)
                    waiting, rows = [], 0
        if waiting:
            yield joined(waiting)

    def _pages(self) -> Generator[Tables]:
        began = monotonic()
        with closing(self._api.read(self._plan.tasks())) as events:
            for event in events:
                if isinstance(event, Answered) and event.page.tables:
                    note_newest(self._times, self._plan, event, began=began)
                    yield event.page.tables


def root_of(plan: Plan) -> str:
    """The table whose rows the API lists."""
    return RETURNS.name if isinstance(plan, ReturnsPlan) else ASN.name


def note_newest(times: dict[int, datetime], plan: Plan, answered: Answered, *, began: float) -> None:
    """Keeps the greatest `updated_at` of the page that lies within its window, by the window's position.

    What has changed since reading `began` may have slipped from page to page unseen, so no time counts that is not surely
    before: a row cannot be newer than its page, which is as much later as has passed meanwhile, whatever the clocks say.
    """
    if not isinstance(plan, ReturnsPlan) or not answered.page.tables:
        return
    root = answered.task.root
    window, column = plan.windows[root], answered.page.tables[RETURNS.name].column("updated_at")
    start, end = (pa.scalar(moment, column.type) for moment in (window.start, window.end))
    newest = pc.max(column.filter(pc.and_(pc.greater_equal(column, start), pc.less_equal(column, end)))).as_py()
    if newest is not None:
        if plan.begun is not None and newest > plan.begun:
            newest = max(plan.begun, newest - timedelta(seconds=monotonic() - began))
        times[root] = max(newest, times.get(root, newest))
