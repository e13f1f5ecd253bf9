"""Walks the returns list completely: windows × states × pages, side by side in threads.

Three facts shape it. Without `state` cancelled and review returns do not exist, so every window is read once per state.
`nextPageUrl` drops parameters, so only its cursor is taken and the parameters are sent again. The documented cursor is one
timestamp of one-second precision, so rows that share the second of a page edge can be skipped by the server: where the
cursor shows no unique column, the walk goes on from the edge's second itself, or reads that second again, unpaginated.
Sources: docs.loopreturns.com/api-reference/{pagination, latest/return-data/detailed-returns-list}.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, Literal, Protocol, TypeVar

from loop_returns.api.cursor import Edge, decode
from loop_returns.api.errors import BadAnswer, PageSizeRefused, RangeRefused
from loop_returns.api.windows import Window, halve, parts
from loop_returns.settings import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Column = Literal["created_at", "updated_at"]

_SECOND: Final = timedelta(seconds=1)
_SMALLEST: Final = timedelta(seconds=2)  # a window that cannot usefully be halved
_SMALLER_PAGES: Final = 100  # the documented default, which every account accepts
_PAGES_WORTH_SPLITTING: Final = 3


@dataclass(frozen=True)
class Unit:
    """One stretch of time in one state: pages within it are read one after another."""

    window: Window
    state: str
    root: int  # position of the window it was cut from


@dataclass(frozen=True)
class Next:
    """How a unit goes on after a page: by cursor, as other units, or (both empty) not at all."""

    cursor: str | None = None
    units: tuple[Unit, ...] = ()


def units_of(windows: Sequence[Window]) -> Iterator[Unit]:
    """Every window in every state, in the order of `windows`."""
    for root, window in enumerate(windows):
        for state in STATES:
            yield Unit(window, state, root)


class Page(Protocol):
    """What the walk has to know of a page. `cursor` leads to the next one; None on the last."""

    @property
    def cursor(self) -> str | None:
        """Of the next page."""

    def times(self, column: str) -> Sequence[datetime | None]:
        """A timestamp of every row, in the page's order; None where it can't be read."""


P = TypeVar("P", bound=Page)


class ReturnsReader(Generic[P]):
    """Reads units of the returns list by one timestamp column; thread-safe.

    `fetch` asks for a page by its parameters; `emit` is called with every page; `edge_checks` counts the seconds that were
    read again.
    """

    def __init__(
        self,
        fetch: Callable[[Mapping[str, str | int]], P],
        *,
        column: Column,
        page_size: int,
        workers: int,
        emit: Callable[[P], None],
    ) -> None:
        self._fetch = fetch
        self._column = column
        self._page_size = page_size
        self._workers = workers
        self._emit = emit
        self.edge_checks = 0

    def read(self, unit: Unit) -> list[Unit]:
        """Reads a unit; returns the units that are left to read in its place (none when it is whole).

        Raises what the client raises; a refused range halves the unit instead, as long as that can help.
        """
        cursor: str | None = None
        seen: set[str] = set()
        checked: set[tuple[str, datetime]] = set()
        while True:
            try:
                page = self._page(unit, cursor)
            except RangeRefused:
                return self._halved(unit, or_raise=True)
            self._emit(page)
            following = page.cursor
            if following is None:
                return []
            if following in seen:  # the server goes in circles: smaller windows need no pages
                return self._halved(unit, or_raise=False)
            seen.add(following)
            step = self._step(unit, page, following, first=cursor is None, checked=checked)
            if step.cursor is None:
                return list(step.units)
            cursor = step.cursor

    def _page(self, unit: Unit, cursor: str | None) -> P:
        params = list_params(unit.window, column=self._column, state=unit.state, page_size=self._page_size)
        if cursor is not None:
            params["cursor"] = cursor
        try:
            return self._fetch(params)
        except PageSizeRefused:
            if self._page_size <= _SMALLER_PAGES:
                raise
            self._page_size = _SMALLER_PAGES
            return self._page(unit, cursor)

    def _step(self, unit: Unit, page: P, cursor: str, *, first: bool, checked: set[tuple[str, datetime]]) -> Next:
        edge = decode(cursor)
        if edge.unique:
            return Next(cursor)
        if edge.column == self._column and (rest := _rest(unit.window, page.times(self._column))) is not None:
            return Next(units=self._split(unit, rest) if first else (_with(unit, rest),))
        seconds = _edge_seconds(edge, page)
        if not seconds:  # nothing says where the page ended: the rest is read without pages
            self._read_unpaginated(unit)
            return Next()
        self._check_edge(unit, seconds, checked)
        return Next(cursor)

    def _split(self, unit: Unit, rest: Window) -> tuple[Unit, ...]:
        """What is left of a unit, cut so that a dense stretch is read side by side."""
        done = (unit.window.end - unit.window.start) - (rest.end - rest.start)
        pages = (rest.end - rest.start) / max(done, _SECOND)
        if pages < _PAGES_WORTH_SPLITTING or self._workers == 1:
            return (_with(unit, rest),)
        return tuple(_with(unit, part) for part in parts(rest, min(int(pages), self._workers)))

    def _check_edge(self, unit: Unit, seconds: Sequence[tuple[str, datetime]], checked: set[tuple[str, datetime]]) -> None:
        """Reads the second in which the page ended again, unpaginated, by every column the cursor may stand for."""
        for column, second in seconds:
            if (column, second) in checked:
                continue
            checked.add((column, second))
            around = Window(second, second)
            params = {**range_params(around, column), "state": unit.state}
            self._emit(self._fetch(params))
            self.edge_checks += 1

    def _halved(self, unit: Unit, *, or_raise: bool) -> list[Unit]:
        if unit.window.end - unit.window.start > _SMALLEST:
            return [_with(unit, half) for half in halve(unit.window)]
        if or_raise:
            raise BadAnswer(
                f"Loop refuses even a range of two seconds ({unit.window.start} to {unit.window.end}). "
                "Run again later; if it stays so, report it with the run report."
            )
        self._read_unpaginated(unit)
        return []

    def _read_unpaginated(self, unit: Unit) -> None:
        params = {**range_params(unit.window, self._column), "state": unit.state}
        self._emit(self._fetch(params))
        self.edge_checks += 1


def range_params(window: Window, column: str) -> dict[str, str | int]:
    """The range of a window: a second more on both sides, as it is not documented whether borders are inclusive."""
    return {"filter": column, "from": stamp(window.start - _SECOND), "to": stamp(window.end + _SECOND)}


def list_params(window: Window, *, column: str, state: str, page_size: int) -> dict[str, str | int]:
    """The parameters of a window's first page in one state."""
    return {**range_params(window, column), "state": state, "paginate": "true", "pageSize": page_size}


def smallest_params(now: datetime) -> dict[str, str | int]:
    """The parameters of the cheapest request that the returns list answers: one return of the last hour."""
    hour = {"from": stamp(now - timedelta(hours=1)), "to": stamp(now)}
    return {"filter": "updated_at", **hour, "paginate": "true", "pageSize": 1}


def stamp(moment: datetime) -> str:
    """The moment as the API's documentation writes it: `2022-01-01T00:00:00.000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _with(unit: Unit, window: Window) -> Unit:
    return Unit(window, unit.state, unit.root)


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
    if rest is None or rest.end - rest.start > window.end - window.start - _SECOND:
        return None  # no progress: a whole page within one second
    if known[0].replace(microsecond=0) == edge:
        return None  # which way the server goes can't be seen
    return rest


def _edge_seconds(edge: Edge, page: Page) -> list[tuple[str, datetime]]:
    """The columns and seconds at which rows may have been skipped."""
    if edge.column in {"created_at", "updated_at"} and edge.second is not None:
        return [(edge.column, edge.second)]
    seconds: list[tuple[str, datetime]] = []
    for column in ("created_at", "updated_at"):  # the cursor does not say: take both of the page's last row
        last = next(iter(page.times(column)[-1:]), None)
        if last is not None:
            seconds.append((column, last.replace(microsecond=0)))
    return seconds
