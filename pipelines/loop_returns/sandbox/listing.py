"""`GET /warehouse/return/list`: ranges, states, pages.

Source: docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list and …/pagination. How
`from` and `to` default is as another client saw it (w6w); that cursors lose rows follows from their content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from loop_returns.sandbox import cursors
from loop_returns.sandbox.answers import Answer, RefusedError
from loop_returns.sandbox.life import STATES
from loop_returns.sandbox.times import DAY, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shelf import Entry
    from loop_returns.sandbox.shop import Shop

_DEFAULT_STATES: Final = ("open", "closed", "expired")  # not cancelled, not review
_DEFAULT_PAGE: Final = 100
_HOSTS: Final = {"loop": "https://api.loopreturns.com", "foreign": "https://collector.example.net"}


@dataclass(frozen=True)
class Asked:
    """A valid request for the list; `low` and `high` are seconds, high excluded."""

    low: float
    high: float
    column: Literal["created_at", "updated_at"]
    states: tuple[str, ...]
    paginate: bool
    size: int
    cursor: str | None
    echo: dict[str, str]  # the parameters that the next link repeats


def moment(params: Mapping[str, str], name: str) -> float | None:
    """Second of a date parameter; None when it was not sent.

    Raises:
        RefusedError: it is not a date.
    """
    if not params.get(name):
        return None
    try:
        return parse(params[name])
    except ValueError:
        raise RefusedError(name, f"The {name} is not a valid date.") from None


def understand(params: Mapping[str, str], *, now: float, quirks: Quirks) -> Asked:
    """Read the list's parameters.

    Raises:
        RefusedError: one of them is invalid, or the range is too wide.
    """
    low, high = moment(params, "from"), moment(params, "to")
    if low is None:  # `to` alone is ignored
        low, high = now - DAY, now
    elif high is None:
        high = low + DAY
    if high < low:
        raise RefusedError("to", "The to must be a date after or equal to from.")
    if high - low >= quirks.max_range_days * DAY:
        raise RefusedError("from", f"The date range must not exceed {quirks.max_range_days} days.")
    column = params.get("filter", "created_at")
    if column not in ("created_at", "updated_at"):
        raise RefusedError("filter", "The selected filter is invalid.")
    state = params.get("state")
    if state is not None and state not in STATES:
        raise RefusedError("state", "The selected state is invalid.")
    return Asked(
        low=low if quirks.from_inclusive else math.nextafter(low, math.inf),
        high=math.nextafter(high, math.inf) if quirks.to_inclusive else high,
        column="created_at" if column == "created_at" else "updated_at",
        states=_DEFAULT_STATES if state is None else (state,),
        paginate=params.get("paginate", "").lower() in ("true", "1"),
        size=_page_size(params, quirks),
        cursor=params.get("cursor"),
        echo={name: params[name] for name in ("to", "filter", "pageSize") if name in params},
    )


def _page_size(params: Mapping[str, str], quirks: Quirks) -> int:
    text = params.get("pageSize", str(_DEFAULT_PAGE))
    if not text.isdigit() or int(text) < 1:
        raise RefusedError("pageSize", "The page size must be an integer of at least 1.")
    if int(text) > quirks.max_page_size:
        raise RefusedError("pageSize", f"The page size may not be greater than {quirks.max_page_size}.")
    return int(text)


def listing(shop: Shop, params: Mapping[str, str], *, quirks: Quirks, host: str, serve: Callable[[bytes], bytes]) -> Answer:
    """Answer a request for the list; `serve` turns a stored row into the one that is sent."""
    asked = understand(params, now=shop.now.timestamp(), quirks=quirks)
    order: Literal["created_at", "updated_at"] = "created_at" if quirks.cursor_column == "created_at" else asked.column
    with shop.lock:
        found = shop.shelf.between(asked.column, asked.low, asked.high)
    rows = [entry for entry in found if entry.state in asked.states]
    rows.sort(key=lambda entry: _place(entry, order), reverse=quirks.order == "desc")
    if not asked.paginate:
        return Answer(200, _array(rows, serve))
    page, following, previous = _page(rows, asked, order, quirks=quirks)
    link = {"loop": _HOSTS["loop"], "foreign": _HOSTS["foreign"], "sandbox": host}[quirks.link_host]
    if following is not None and quirks.stuck_cursor and asked.cursor:
        following = asked.cursor
    body = b'{"returns":%b,"nextPageUrl":%b,"previousPageUrl":%b}' % (
        _array(page, serve),
        _link(link, asked, following),
        _link(link, asked, previous),
    )
    return Answer(200, body)


def _array(rows: list[Entry], serve: Callable[[bytes], bytes]) -> bytes:
    return b"[" + b",".join([serve(entry.raw) for entry in rows]) + b"]"


def _place(entry: Entry, order: Literal["created_at", "updated_at"]) -> tuple[int, int]:
    return getattr(entry, order), entry.number


def _page(
    rows: list[Entry], asked: Asked, order: Literal["created_at", "updated_at"], *, quirks: Quirks
) -> tuple[list[Entry], str | None, str | None]:
    """One page and the cursors behind and before it.

    Without a tiebreaker only the second decides what lies behind the edge, so its other rows are lost.
    """
    edge = cursors.read(asked.cursor) if asked.cursor else None
    sign = -1 if quirks.order == "desc" else 1
    if edge is not None:
        ahead = sign if edge.forward else -sign
        rows = [entry for entry in rows if _beyond(entry, edge, order, ahead)]
    forward = edge is None or edge.forward
    page = rows[: asked.size] if forward else rows[-asked.size :]
    more = len(rows) > len(page)

    def cursor(entry: Entry, *, onward: bool) -> str:
        number = entry.number if quirks.cursor == "tiebreaker" else None
        at = cursors.Edge(getattr(entry, order), number, onward)
        return cursors.write(order, at, opaque=quirks.cursor == "opaque")

    has_next = bool(page) and (more if forward else True)
    has_previous = bool(page) and (edge is not None if forward else more)
    return (
        page,
        cursor(page[-1], onward=True) if has_next else None,
        cursor(page[0], onward=False) if has_previous else None,
    )


def _beyond(entry: Entry, edge: cursors.Edge, order: Literal["created_at", "updated_at"], ahead: int) -> bool:
    second, number = _place(entry, order)
    if edge.number is not None and second == edge.second:
        return (number - edge.number) * ahead > 0
    return (second - edge.second) * ahead > 0


def _link(host: str, asked: Asked, cursor: str | None) -> bytes:
    """The documented link: the legacy path, without `from`, `state` and `paginate`."""
    if cursor is None:
        return b"null"
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in {**asked.echo, "cursor": cursor}.items())
    return f'"{host}/api/v1/warehouse/return/list?{query}"'.encode()
