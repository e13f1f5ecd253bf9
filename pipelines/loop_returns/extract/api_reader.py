"""Reads a shop with one key: sends requests side by side, and has what comes back shaped into typed Arrow tables."""

from __future__ import annotations

from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Final

from loop_returns.api import facts
from loop_returns.api.client import LoopClient
from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import PageSizeRejectedError, RangeRejectedError
from loop_returns.extract.clocks import Clocks, tell
from loop_returns.extract.page import ShapedPage, shape_response
from loop_returns.extract.pool import ShapingPool
from loop_returns.extract.scheduler import run_tasks
from loop_returns.extract.tasks import ListTask, NoticesTask, following, halves, params_of
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from loop_returns.api.response import RawResponse
    from loop_returns.extract.scheduler import Event
    from loop_returns.extract.tasks import Task
    from loop_returns.settings import Settings

_ROOM: Final = 32  # pages that may wait while the consumer loads
_MAX_ROWS: Final = 1_000_000  # more than any response holds: copies of a later response get higher numbers
_SMALLER_PAGES: Final = 100  # the documented default, which every account accepts


class ApiReader:
    """A shop at Loop, read with one key; a context manager. `first_wait` and `on_retry` are those of the client."""

    def __init__(
        self,
        settings: Settings,
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
        )
        self._shaper = Shaper(settings.shop, Privacy.of(settings))
        self._numbers = count(0, _MAX_ROWS)
        self._pool = ShapingPool(self._shaper, self._numbers)
        self._shaping = Lock()
        self._page_size = settings.page_size

    def __enter__(self) -> ApiReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.rate_limiter.stop()
        self._pool.close()
        self.client.close()

    def clock(self) -> Clocks:
        """The time, by the `Date` header of one cheap request; of more where it is far from this machine's."""
        return tell(lambda: self.client.probe().server_time)

    def read(self, tasks: Sequence[Task]) -> Generator[Event]:
        """Every page of these tasks and of those that follow from them; reading begins at once.

        A `WindowDone` follows the last page of each window, and an `Idle` says that nothing is waiting. Raises what the
        client raises.
        """
        workers = self.settings.max_concurrency
        room = workers if any(isinstance(task, NoticesTask) for task in tasks) else _ROOM  # a response there has no pages
        return run_tasks(tasks, self._step, workers=workers, room=room, stop=self.rate_limiter.stop)

    def _step(self, task: Task) -> tuple[ShapedPage | None, Sequence[Task]]:
        try:
            page = self._page(task)
        except RangeRejectedError as error:
            return None, halves(task, error)
        return page, following(task, page, workers=self.settings.max_concurrency)

    def _page(self, task: Task) -> ShapedPage:
        path = RETURNS_PATH if isinstance(task, ListTask) else ASN_PATH
        size = self._page_size
        try:
            page: ShapedPage = self.client.get(path, params=params_of(task, page_size=size), parse=self._parse).body
        except PageSizeRejectedError:
            if size <= _SMALLER_PAGES:
                raise
            self._page_size = _SMALLER_PAGES
            return self._page(task)
        return page

    def _parse(self, response: RawResponse) -> ShapedPage:
        page = self._pool.shape(response.path, response.body) if response.status == HTTPStatus.OK else None
        if page is None:
            with self._shaping:  # Python runs one thread at a time, and every page that is being decoded takes memory
                page = shape_response(response, self._shaper, first_copy=next(self._numbers))
        return page
