"""`GET /warehouse/return/list`: ranges, states, pages.

Source: docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list and …/pagination. How
`from` and `to` default is as another client saw it (w6w); that cursors lose rows follows from their content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from loop_returns.sandbox import cursors
from loop_returns.sandbox.events import STATES
from loop_returns.sandbox.parameters import parse_moment
from loop_returns.sandbox.responses import InvalidParameterError, SandboxResponse, link_host
from loop_returns.sandbox.times import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_contents import ShopContents
    from loop_returns.sandbox.store import Column, ReturnEntry

_DEFAULT_STATES: Final = ("open", "closed", "expired")  # not cancelled, not review
_DEFAULT_PAGE: Final = 100


@dataclass(frozen=True)
class ListRequest:
    """A valid request for the list; `low` and `high` are seconds, high excluded."""

    low: float
    high: float
    column: Column
    states: tuple[str, ...]
    paginate: bool
    size: int
    cursor: str | None
    echo: dict[str, str]  # the parameters that the next link repeats


def parse_request(params: Mapping[str, str], *, now: float, quirks: Quirks) -> ListRequest:
    """Read the list's parameters.

    Raises:
        InvalidParameterError: one of them is invalid, or the range is too wide.
    """
    low, high = parse_moment(params, "from"), parse_moment(params, "to")
    if low is None:  # `to` alone is ignored
        low, high = now - DAY, now
    elif high is None:
        high = low + DAY
    if high < low:
        raise InvalidParameterError("to", "The to must be a date after or equal to from.")
    if high - low >= quirks.max_range_days * DAY:
        raise InvalidParameterError("from", f"The date range must not exceed {quirks.max_range_days} days.")
    column = params.get("filter", "created_at")
    if column not in ("created_at", "updated_at"):
        raise InvalidParameterError("filter", "The selected filter is invalid.")
    state = params.get("state")
    if state is not None and state not in STATES:
        raise InvalidParameterError("state", "The selected state is invalid.")
    return ListRequest(
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
        raise InvalidParameterError("pageSize", "The page size must be an integer of at least 1.")
    if int(text) > quirks.max_page_size:
        raise InvalidParameterError("pageSize", f"The page size may not be greater than {quirks.max_page_size}.")
    return int(text)


def returns_list(
    shop: ShopContents, params: Mapping[str, str], *, quirks: Quirks, host: str, vary: Callable[[bytes], bytes]
) -> SandboxResponse:
    """Answer a request for the list; `vary` turns a stored row into the one that is sent."""
    request = parse_request(params, now=shop.now.timestamp(), quirks=quirks)
    order: Column = "created_at" if quirks.cursor_column == "created_at" else request.column
    with shop.lock:
        in_range = shop.store.between(request.column, request.low, request.high)
    rows = [entry for entry in in_range if entry.state in request.states]
    rows.sort(key=lambda entry: _sort_key(entry, order), reverse=quirks.order == "desc")
    if not request.paginate:
        return SandboxResponse(200, _array(rows, vary))
    page, following, previous = _page(rows, request, order, quirks=quirks)
    link = link_host(quirks, host)
    if following is not None and quirks.stuck_cursor and request.cursor:
        following = request.cursor
    body = b'{"returns":%b,"nextPageUrl":%b,"previousPageUrl":%b}' % (
        _array(page, vary),
        _link(link, request, following),
        _link(link, request, previous),
    )
    return SandboxResponse(200, body)


def _array(rows: list[ReturnEntry], vary: Callable[[bytes], bytes]) -> bytes:
    return b"[" + b",".join([vary(entry.raw) for entry in rows]) + b"]"


def _sort_key(entry: ReturnEntry, order: Column) -> tuple[int, int]:
    return getattr(entry, order), entry.number


def _page(
    rows: list[ReturnEntry], request: ListRequest, order: Column, *, quirks: Quirks
) -> tuple[list[ReturnEntry], str | None, str | None]:
    """One page and the cursors behind and before it.

    Without a tiebreaker only the second decides what lies behind the edge, so its other rows are lost.
    """
    edge = cursors.decode(request.cursor) if request.cursor else None
    sign = -1 if quirks.order == "desc" else 1
    if edge is not None:
        ahead = sign if edge.forward else -sign
        rows = [entry for entry in rows if _beyond(entry, edge, order, ahead)]
    forward = edge is None or edge.forward
    page = rows[: request.size] if forward else rows[-request.size :]
    more = len(rows) > len(page)

    def cursor(entry: ReturnEntry, *, onward: bool) -> str:
        number = entry.number if quirks.cursor == "tiebreaker" else None
        at = cursors.CursorPosition(getattr(entry, order), number, onward)
        return cursors.encode(order, at, opaque=quirks.cursor == "opaque")

    has_next = bool(page) and (more if forward else True)
    has_previous = bool(page) and (edge is not None if forward else more)
    return (
        page,
        cursor(page[-1], onward=True) if has_next else None,
        cursor(page[0], onward=False) if has_previous else None,
    )


def _beyond(entry: ReturnEntry, edge: cursors.CursorPosition, order: Column, ahead: int) -> bool:
    second, number = _sort_key(entry, order)
    if edge.number is not None and second == edge.second:
        return (number - edge.number) * ahead > 0
    return (second - edge.second) * ahead > 0


def _link(host: str, request: ListRequest, cursor: str | None) -> bytes:
    """The documented link: the legacy path, without `from`, `state` and `paginate`."""
    if cursor is None:
        return b"null"
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in {**request.echo, "cursor": cursor}.items())
    return f'"{host}/api/v1/warehouse/return/list?{query}"'.encode()
