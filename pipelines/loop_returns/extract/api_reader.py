"""Reads the shop and shapes what it says: a stream of typed Arrow tables, for the dlt source and for the runs alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from loop_returns.api.client import LoopClient
from loop_returns.api.crew import Crew, Found, Pause, WindowDone
from loop_returns.api.errors import LoopReturnsError, RangeRefused
from loop_returns.api.pace import Pace
from loop_returns.api.page import page_of
from loop_returns.api.retry import Again
from loop_returns.api.walk import ReturnsReader, smallest_params, units_of
from loop_returns.api.windows import DayWindow
from loop_returns.extract.page import ShapedPage, shape_bytes, shape_page
from loop_returns.helpers import Helpers
from loop_returns.settings import ASN_PATH, RETURNS_PATH
from loop_returns.tables.shape import Shaped, Shaper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loop_returns.api.walk import Column
    from loop_returns.api.windows import Window
    from loop_returns.config import Settings

_ROOM: Final = 32  # pages that may wait while the consumer loads
_PAGE: Final = 1_000_000  # more rows than any answer holds: copies of a later answer get higher numbers


class Shop:
    """A shop at Loop, read with one key; a context manager.

    `edge_checks` counts the seconds that were read again because a page ended inside them.
    """

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
        self._helpers = Helpers(self._shaper, self._numbers)
        self.edge_checks = 0

    def __enter__(self) -> Shop:
        return self

    def __exit__(self, *exc: object) -> None:
        self.pace.stop()
        self._helpers.close()
        self.client.close()

    def clock(self) -> datetime:
        """Loop's own time in whole seconds, from the `Date` header of one cheap request.

        Without that header: this machine's time an hour back, as its clock may be wrong.
        """
        here = datetime.now(UTC)
        answer = self.client.get(RETURNS_PATH, params=smallest_params(here), expect="list")
        return (answer.server_time or here - timedelta(hours=1)).replace(microsecond=0)

    def returns(self, windows: Sequence[Window], *, column: Column) -> Iterator[Found[Shaped] | WindowDone | Pause]:
        """Every return in every state in these windows of `column`, with its children, in the order of arrival.

        Windows are read side by side; a `WindowDone` follows the last row of each, and a `Pause` says that nothing
        is waiting. Raises what the client raises.
        """
        crew: Crew[Shaped] = Crew(workers=self.settings.max_concurrency, room=_ROOM)

        def emit(page: ShapedPage) -> None:
            if page.shaped is not None:
                crew.put(page.shaped)

        reader = ReturnsReader(
            self._page,
            column=column,
            page_size=self.settings.page_size,
            workers=self.settings.max_concurrency,
            emit=emit,
        )
        try:
            yield from crew.run(units_of(windows), reader.read)
        except BaseException:
            self.pace.stop()
            raise
        finally:
            self.edge_checks += reader.edge_checks

    def _page(self, params: Mapping[str, str | int]) -> ShapedPage:
        body = self.client.get(RETURNS_PATH, params=params, expect="list", read=self._read).body
        return body if isinstance(body, ShapedPage) else shape_page(body, self._shaper, first_copy=next(self._numbers))

    def _read(self, body: bytes) -> ShapedPage | None:
        """The page in a body; None where there is none, which is for the client to judge."""
        page = self._helpers.shape(body)
        if page is not None:
            return page
        with self.client.turn, suppress(Again, LoopReturnsError):
            return shape_bytes(body, self._shaper, first_copy=next(self._numbers))
        return None

    def notices(self, windows: Sequence[DayWindow]) -> Iterator[tuple[DayWindow, Shaped]]:
        """The shipping notice report for these windows of days, a few at a time side by side, in order.

        A window that the API refuses as too wide is read in halves.
        """
        side_by_side = self.settings.max_concurrency
        with ThreadPoolExecutor(side_by_side, thread_name_prefix="loop-asn") as pool:
            try:
                for start in range(0, len(windows), side_by_side):
                    for found in pool.map(self._notices, windows[start : start + side_by_side]):
                        yield from found
            except BaseException:
                self.pace.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _notices(self, window: DayWindow) -> list[tuple[DayWindow, Shaped]]:
        try:
            answer = self.client.get(ASN_PATH, params=notice_params(window), expect="list")
        except RangeRefused:
            if window.first == window.last:
                raise
            middle = window.first + (window.last - window.first) // 2
            after = middle + timedelta(days=1)
            return self._notices(DayWindow(window.first, middle)) + self._notices(DayWindow(after, window.last))
        rows, _ = page_of(answer.body)
        return [(window, self._shaper.notices(rows, first_copy=next(self._numbers)))]


def notice_params(window: DayWindow) -> dict[str, str]:
    """The two parameters of the report, as dates: anything else may silently mean 1970-01-01 (client w6w).

    `to` is the day after the window: whether that day itself is included is not documented.
    """
    return {"from": window.first.isoformat(), "to": (window.last + timedelta(days=1)).isoformat()}
