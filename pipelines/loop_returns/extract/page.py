"""One page of an endpoint: from a response to typed tables on disk."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.pages import cursor_of, page_of
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.extract.resource_tasks import Listed, ResourceTask
from loop_returns.tables.chunk import StoredTables, Tables
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import Undeclared, decode_returns
from loop_returns.tables.shape import Shaper

_SLICE: Final = 2_000  # rows that are Python objects at once: 20,000 would be 150 MB of them
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class ShapedPage:
    """A page's rows as typed tables, none where it has no rows, and the cursor of the next page, None on the last one.

    `received` is when the response was here, in seconds of a monotonic clock.
    """

    tables: Tables
    cursor: str | None
    received: float = field(default=0.0, compare=False)
    more: bool = False  # of another resource: whether a page follows
    total: int | None = None  # of another resource: how many rows the server says there are in all

    def rows(self, table: str) -> int:
        """How many rows of that table it has."""
        return self.tables[table].num_rows if table in self.tables else 0

    def times(self, column: str) -> Sequence[datetime | None]:
        """A timestamp of every return, in the page's order; None where it is missing or can't be read."""
        times: list[datetime | None] = self.tables[RETURNS.name].column(column).to_pylist() if self.tables else []
        return times


@dataclass(frozen=True)
class PageWriter:
    """Shapes pages with `shaper` into folders below `folder`."""

    shaper: Shaper
    folder: Path

    def write(self, response: RawResponse, *, number: int) -> ShapedPage:
        """The page in a response; copies are numbered from `number` on, which no other page has.

        Raises what `shape_response` raises, and OSError.
        """
        return self._stored(shape_response(response, self.shaper, first_copy=number), number)

    def write_listed(self, task: ResourceTask, listed: Listed, *, number: int) -> ShapedPage:
        """The page of another resource; copies are numbered likewise. Raises OSError."""
        tables: Tables = {}
        if task.parent is not None:
            tables = self.shaper.of_parent(task.resource, listed.rows, task.parent, copy=number)
        elif listed.rows:
            tables = self.shaper.listed(task.resource, listed.rows, first_copy=number)
        return self._stored(ShapedPage(tables, None, more=listed.more, total=listed.total), number)

    def _stored(self, page: ShapedPage, number: int) -> ShapedPage:
        if not page.tables:
            return page
        return replace(page, tables=StoredTables.write(self.folder / str(number), page.tables))


def shape_response(response: RawResponse, shaper: Shaper, *, first_copy: int) -> ShapedPage:
    """The page in a response; copies are numbered from `first_copy`.

    Raises what `parse_response` and `page_of` raise when it holds no page.
    """
    if response.path == RETURNS_PATH and response.status == HTTPStatus.OK:
        with suppress(Undeclared):
            structs, link = decode_returns(response.body)
            return ShapedPage(shaper.returns(structs, first_copy=first_copy) if structs else {}, cursor_of(link))
    cursor = None
    shape = shaper.notices if response.path == ASN_PATH else shaper.returns
    made: list[Tables] = []
    for part in _parts(response):
        rows, cursor = page_of(parse_response(part, expect="list"))
        if rows:
            made.append(shape(rows, first_copy=first_copy))
            first_copy += len(rows)
    tables = (
        {name: pa.concat_tables([one[name] for one in made], promote_options="default") for name in made[0]} if made else {}
    )
    return ShapedPage(tables, cursor)


def _parts(response: RawResponse) -> Iterator[RawResponse]:
    """The response in parts that are pages too; as one where its body is no plain list of a report."""
    rows: Sequence[msgspec.Raw] = ()
    if response.path == ASN_PATH and response.status == HTTPStatus.OK:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            rows = _rows.decode(response.body)
    if len(rows) <= _SLICE:
        yield response
        return
    for start in range(0, len(rows), _SLICE):
        yield replace(response, content=b"[" + b",".join(rows[start : start + _SLICE]) + b"]")
