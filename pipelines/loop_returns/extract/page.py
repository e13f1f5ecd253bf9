"""One page of an endpoint: from a response to typed tables."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.pages import cursor_of, page_of
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import Undeclared, decode_returns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loop_returns.tables.chunk import Tables
    from loop_returns.tables.shape import Shaper


@dataclass(frozen=True)
class ShapedPage:
    """A page's rows as typed tables, none where it has no rows, and the cursor of the next page, None on the last one."""

    tables: Tables
    cursor: str | None

    def times(self, column: str) -> Sequence[datetime | None]:
        """A timestamp of every return, in the page's order; None where it is missing or can't be read."""
        times: list[datetime | None] = self.tables[RETURNS.name].column(column).to_pylist() if self.tables else []
        return times


def shape_response(response: RawResponse, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in a response; copies are numbered from `first_copy`.

    Raises what `parse_response` and `page_of` raise when it holds no page.
    """
    if response.path == RETURNS_PATH and response.status == HTTPStatus.OK:
        with suppress(Undeclared):
            structs, link = decode_returns(response.body)
            return ShapedPage(shaper.returns(structs, first_copy=first_copy) if structs else {}, cursor_of(link))
    rows, cursor = page_of(parse_response(response, expect="list"))
    shape = shaper.notices if response.path == ASN_PATH else shaper.returns
    return ShapedPage(shape(rows, first_copy=first_copy) if rows else {}, cursor)
