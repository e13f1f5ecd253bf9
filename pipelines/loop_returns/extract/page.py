"""One page of an endpoint: from the body of an answer to typed tables."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loop_returns.api.judge import Reply, judge
from loop_returns.api.page import cursor_of, page_of
from loop_returns.settings import ASN_PATH, RETURNS_PATH
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import Undeclared, decode_returns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loop_returns.tables.shape import Shaped, Shaper


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


def shape_bytes(path: str, body: bytes, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in a body that `path` answered with HTTP 200; copies are numbered from `first_copy`.

    Raises what `judge` and `page_of` raise when the body holds no page.
    """
    if path == RETURNS_PATH:
        with suppress(Undeclared):
            rows, link = decode_returns(body)
            return ShapedPage(shaper.returns(rows, first_copy=first_copy) if rows else None, cursor_of(link))
    return shape_page(path, judge(Reply(path, 200, body), expect="list"), shaper, first_copy=first_copy)


def shape_page(path: str, body: Any, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in the decoded body of an answer of `path`. Raises BadAnswer when the body is no page."""
    rows, cursor = page_of(body)
    shape = shaper.notices if path == ASN_PATH else shaper.returns
    return ShapedPage(shape(rows, first_copy=first_copy) if rows else None, cursor)
