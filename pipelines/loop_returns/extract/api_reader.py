"""Reads a shop with one key: sends requests side by side, and has what comes back shaped into typed Arrow tables."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from loop_returns.api.client import LoopClient
from loop_returns.api.errors import LoopReturnsError, PageSizeRefused, RangeRefused
from loop_returns.api.pace import Pace
from loop_returns.api.params import smallest_params
from loop_returns.api.retry import Again
from loop_returns.extract.page import ShapedPage, shape_bytes, shape_page
from loop_returns.extract.pool import ShapingPool
from loop_returns.extract.scheduler import run_tasks
from loop_returns.extract.tasks import ListTask, NoticesTask, following, halves, params_of
from loop_returns.settings import ASN_PATH, RETURNS_PATH
from loop_returns.tables.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from loop_returns.config import Settings
    from loop_returns.extract.scheduler import Answered, Idle, WindowDone
    from loop_returns.extract.tasks import Task

    Event = Answered[Task, ShapedPage] | WindowDone | Idle

_ROOM: Final = 32  # answers that may wait while the consumer loads
_PAGE: Final = 1_000_000  # more rows than any answer holds: copies of a later answer get higher numbers
_SMALLER_PAGES: Final = 100  # the documented default, which every account accepts


class ApiReader:
    """A shop at Loop, read with one key; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pace = Pace(settings.requests_per_minute)
        self.client = LoopClient(
            api_key=settings.api_key,
            base_url=settings.base_url,
            pace=self.pace,
            max_concurrency=settings.max_concurrency,
        )
        self._shaper = Shaper(settings.shop, settings.pii)
        self._numbers = count(0, _PAGE)
        self._pool = ShapingPool(self._shaper, self._numbers)
        self._page_size = settings.page_size

    def __enter__(self) -> ApiReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.pace.stop()
        self._pool.close()
        self.client.close()

    def clock(self) -> datetime:
        """Loop's own time in whole seconds, from the `Date` header of one cheap request.

        Without that header: this machine's time an hour back, as its clock may be wrong.
        """
        here = datetime.now(UTC)
        answer = self.client.get(RETURNS_PATH, params=smallest_params(here), expect="list")
        return (answer.server_time or here - timedelta(hours=1)).replace(microsecond=0)

    def read(self, tasks: Sequence[Task]) -> Generator[Event]:
        """Every page of these tasks and of those that follow from them; reading begins at once.

        A `WindowDone` follows the last page of each window, and an `Idle` says that nothing is waiting. Raises what the
        client raises.
        """
        workers = self.settings.max_concurrency
        room = workers if any(isinstance(task, NoticesTask) for task in tasks) else _ROOM  # an answer there has no pages
        return run_tasks(tasks, self._step, workers=workers, room=room, stop=self.pace.stop)

    def _step(self, task: Task) -> tuple[ShapedPage | None, Sequence[Task]]:
        try:
            page = self._page(task)
        except RangeRefused as error:
            return None, halves(task, error)
        return page, following(task, page, workers=self.settings.max_concurrency)

    def _page(self, task: Task) -> ShapedPage:
        path = RETURNS_PATH if isinstance(task, ListTask) else ASN_PATH
        size = self._page_size
        params = params_of(task, page_size=size)
        try:
            answer = self.client.get(path, params=params, expect="list", read=lambda body: self._shape(path, body))
        except PageSizeRefused:
            if size <= _SMALLER_PAGES:
                raise
            self._page_size = _SMALLER_PAGES
            return self._page(task)
        if isinstance(answer.body, ShapedPage):
            return answer.body
        return shape_page(path, answer.body, self._shaper, first_copy=next(self._numbers))

    def _shape(self, path: str, body: bytes) -> ShapedPage | None:
        """The page in a body; None where there is none, which is for the client to judge."""
        page = self._pool.shape(path, body)
        if page is not None:
            return page
        with self.client.turn, suppress(Again, LoopReturnsError):
            return shape_bytes(path, body, self._shaper, first_copy=next(self._numbers))
        return None
