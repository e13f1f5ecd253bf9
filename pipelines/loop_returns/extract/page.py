"""One page of the returns list: from the body of an answer to typed tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loop_returns.api.judge import Reply, judge
from loop_returns.api.page import cursor_of, page_of
from loop_returns.settings import RETURNS_PATH
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import Undeclared, decode_returns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loop_returns.tables.shape import Rows, Shaped, Shaper


@dataclass(frozen=True)
class ShapedPage:
    """A page's rows as typed tables, None where it has none, and the cursor of the next page, None on the last one."""

    shaped: Shaped | None
    cursor: str | None

    def times(self, column: str) -> Sequence[datetime | None]:
        """A timestamp of every return, in the page's order; None where it is missing or can't be read."""
        if self.shaped is None:
            return []
        found: list[datetime | None] = self.shaped.tables[RETURNS.name].column(column).to_pylist()
        return found


def shape_bytes(body: bytes, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in a body that came with HTTP 200; copies are numbered from `first_copy`.

    Raises what `judge` and `page_of` raise when the body holds no page.
    """
    try:
        rows, link = decode_returns(body)
    except Undeclared:
        return shape_page(judge(Reply(RETURNS_PATH, 200, body), expect="list"), shaper, first_copy=first_copy)
    return _page(rows, cursor_of(link), shaper, first_copy)


def shape_page(body: Any, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in a decoded body. Raises BadAnswer when the body is no page."""
    return _page(*page_of(body), shaper, first_copy)


def _page(rows: Rows, cursor: str | None, shaper: Shaper, first_copy: int) -> ShapedPage:
    return ShapedPage(shaper.returns(rows, first_copy=first_copy) if rows else None, cursor)
