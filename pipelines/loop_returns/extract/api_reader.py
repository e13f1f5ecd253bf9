"""Reads a shop with one key: sends requests side by side, and has what comes back shaped into typed Arrow tables."""

import ctypes
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, Self

import pyarrow as pa

from loop_returns.api import facts
from loop_returns.api.client import LoopClient
from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.api.response import RawResponse
from loop_returns.errors import (
    AccessDeniedError,
    CancelledError,
    LoopReturnsError,
    PageSizeRejectedError,
    RangeRejectedError,
)
from loop_returns.extract.clocks import Clocks, tell
from loop_returns.extract.page import PageWriter, ShapedPage
from loop_returns.extract.pool import ShapingPool
from loop_returns.extract.resource_tasks import ResourceTask, ask
from loop_returns.extract.scheduler import Event, run_tasks
from loop_returns.extract.tasks import ListTask, NoticesTask, Task, following, halves, is_divisible, params_of
from loop_returns.settings import Settings
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.shape import Shaper

_ROOM: Final = 300  # pages that may wait on disk while the consumer loads: those of a minute at Loop's limit
_MAX_ROWS: Final = 1_000_000  # more than any response holds: copies of a later response get higher numbers
_MOST_BYTES: Final = 40_000_000  # of an answer in place of which narrower ones can be asked for: as many wait as threads
_M_MMAP_THRESHOLD: Final = -3  # of glibc's malloc.h: from how many bytes on memory is given back when it is freed
_LARGE: Final = 500_000
_ODD: Final = 3  # parents of a resource that may fail by themselves
_SMALLER_PAGES: Final = 100  # the documented default, which every account accepts


class ApiReader:
    """A shop at Loop, read with one key; a context manager. `first_wait` and `on_retry` are those of the client.

    Pages wait on disk, in `folder`, until they are loaded: it is emptied at the beginning, and gone at the end.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        first_wait: float = facts.FIRST_WAIT,
        on_retry: Callable[[float, str], None] = lambda _seconds, _reason: None,
    ) -> None:
        self.settings = settings
        self.rate_limiter = RateLimiter(settings.requests_per_minute)
        self.client = LoopClient(
            api_key=settings.api_key,
            base_url=settings.base_url,
            rate_limiter=self.rate_limiter,
            max_concurrency=settings.max_concurrency,
            first_wait=first_wait,
            on_retry=on_retry,
            folder=folder,
        )
        self._folder = folder
        self._writer = PageWriter(Shaper(settings.shop, Privacy.of(settings)), folder)
        self._numbers = count(0, _MAX_ROWS)
        self._pool = ShapingPool(self._writer, self._numbers)
        self._shaping = Lock()
        self._page_size = settings.page_size
        self.refused: AccessDeniedError | None = None  # for the notices alone: the returns are read all the same
        self.failed: dict[str, LoopReturnsError] = {}  # by name: other resources that could not be read
        self.passed_over: dict[str, list[LoopReturnsError]] = {}  # by name: for parents that could not be read

    def __enter__(self) -> Self:
        _give_freed_memory_back()
        shutil.rmtree(self._folder, ignore_errors=True)  # a run that was killed has left its pages
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, *exc: object) -> None:
        self.rate_limiter.stop()
        self._pool.close()
        self.client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def end_processes(self) -> None:
        """Gives back the memory of those that shape pages, 110 MB each; what is read later is shaped here."""
        self._pool.close()

    def clock(self) -> Clocks:
        """The time, by the `Date` header of one cheap request; of more where it is far from this machine's."""
        return tell(lambda: self.client.probe().server_time)

    def read(self, tasks: Sequence[Task]) -> Generator[Event]:
        """Every page of these tasks and of those that follow from them; reading begins at once.

        A `WindowDone` follows the last page of each window, and an `Idle` says that nothing is waiting. Raises what the
        client raises.
        """
        return run_tasks(tasks, self._step, workers=self.settings.max_concurrency, room=_ROOM, stop=self.rate_limiter.stop)

    def _step(self, task: Task) -> tuple[ShapedPage | None, Sequence[Task]]:
        if isinstance(task, ResourceTask):
            return self._listed(task)
        try:
            page = self._page(task)
        except RangeRejectedError as error:
            return None, halves(task, error)
        except AccessDeniedError as error:
            if isinstance(task, ListTask):
                raise
            self.refused = error
            return None, []
        return page, following(task, page, workers=self.settings.max_concurrency)

    def _listed(self, task: ResourceTask) -> tuple[ShapedPage | None, Sequence[Task]]:
        """As `_step`; a resource that cannot be read holds up nothing else, and is not asked for again."""
        if task.resource.name in self.failed:
            return None, []
        try:
            listed = ask(task, self.client)
            with self._shaping:
                page = self._writer.write_listed(task, listed, number=next(self._numbers))
        except CancelledError:
            raise
        except LoopReturnsError as error:
            if isinstance(error, RangeRejectedError) and task.halves:
                return None, task.halves
            self._note_failure(task, error)
            return None, []
        return page, following(task, page, workers=1)

    def _note_failure(self, task: ResourceTask, error: LoopReturnsError) -> None:
        """One odd return must not keep all others out; several are the endpoint's own trouble."""
        name = task.resource.name
        if task.parent is not None and not isinstance(error, AccessDeniedError):
            self.passed_over.setdefault(name, []).append(error)
            if len(self.passed_over[name]) <= _ODD:
                return
        self.failed.setdefault(name, error)

    def _page(self, task: ListTask | NoticesTask) -> ShapedPage:
        path = RETURNS_PATH if isinstance(task, ListTask) else ASN_PATH
        size, most = self._page_size, _MOST_BYTES if is_divisible(task) else None
        try:
            page: ShapedPage = self.client.get(
                path, params=params_of(task, page_size=size), parse=self._parse, most=most
            ).body
        except PageSizeRejectedError:
            if size <= _SMALLER_PAGES:
                raise
            self._page_size = _SMALLER_PAGES
            return self._page(task)
        return page

    def _parse(self, response: RawResponse) -> ShapedPage:
        received = monotonic()
        page = self._pool.shape(response) if response.status == HTTPStatus.OK else None
        if page is None:
            with self._shaping:  # Python runs one thread at a time, and every page that is being decoded takes memory
                page = self._writer.write(response, number=next(self._numbers))
        return replace(page, received=received)


def _give_freed_memory_back() -> None:
    """Has glibc give back what answers took: it would keep it for each thread's next one, 350 MB of 500 in a long run.

    Arrow's own pool would keep 50 MB more.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError, TypeError):  # another library, another system
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
