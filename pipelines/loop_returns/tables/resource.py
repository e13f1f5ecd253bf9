"""The shape of a declaration of what else a key may read: endpoint, scope, paging, key, and when it is to be read again.

Each is a module in `resources/`; returns and shipping notices, which have windows, states and edges of pages, are not
among them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from loop_returns.api.pages import rows_in
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.tables.schema import Row, Table

Params = dict[str, str | int]
Get = Callable[[Params, Callable[[RawResponse], Any]], Any]  # sends a request and returns what the function makes of it

ID: Final = "{id}"  # in a path: of the parent that is asked about


@dataclass(frozen=True)
class Parent:
    """A row of which something is asked by its id: a return, a shipment; with what it was like in the warehouse then."""

    id: str
    updated_at: datetime | None = None
    row_hash: str | None = None


class Paging(StrEnum):
    """How a list is cut into pages."""

    NONE = "one answer"
    PAGES = "page"  # Laravel's: `?page=N`, an envelope that says how many rows and pages there are
    OFFSET = "offset"  # `limit` and `offset`, and nothing that says how many rows there are: a short page is the last


class Reads(StrEnum):
    """When it is read, and how much of it."""

    SNAPSHOT = "snapshot"  # whole, each time: what is no longer in it is marked as deleted
    RANGE = "range"  # what was made in a range of time
    EACH = "each"  # by one request for each parent that is due


def rows_of(response: RawResponse) -> list[Row]:
    """The rows of a bare array or of an envelope with one. Raises what `parse_response` raises."""
    rows: list[Row] = rows_in(parse_response(response, expect="list")) or []
    return rows


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One endpoint beside those of returns and shipping notices, and the tables that its rows land in.

    Attributes:
        name: by which `--only` picks it.
        path: below the base URL, with `{id}` for the parent's id.
        scope: what a key needs, as Loop's admin names it.
        tables: the rows' own table first, then those of its children.
        arrays: the field of a row that holds each child table's rows.
        paging: how pages follow each other.
        limit: rows on a page, where a request says it.
        reads: when it is read.
        parent: for `EACH`, the table whose rows are asked about, by the last column of its key.
        by_default: False where it takes one request for each return.
        daily: once a day is enough.
        alone: whether Loop can be asked for a row by its id, at the path with the id behind it.
        rows: what a body means; raises `UnreadableError` for an answer that will stay as it is.
        arrange: makes of a row what its columns read.
        read: sends the requests for one parent instead, where one is not enough.
        cursor: for `RANGE`, the column of the time that dlt's incremental goes by.
        still: for `RANGE`, the column and the value of it that rows have which are read again however old they are.
    """

    name: str
    path: str
    scope: str
    tables: tuple[Table, ...]
    arrays: Mapping[str, Table] = field(default_factory=dict)
    paging: Paging = Paging.NONE
    limit: int = 0
    reads: Reads = Reads.SNAPSHOT
    parent: Table | None = None
    by_default: bool = True
    daily: bool = False
    alone: bool = False
    rows: Callable[[RawResponse], list[Row]] = rows_of
    arrange: Callable[[Row], Row] = dict
    read: Callable[[Get, str], list[Row]] | None = None
    cursor: str = "created_at"
    still: tuple[str, str] | None = None

    @property
    def table(self) -> Table:
        """The table of the rows themselves."""
        return self.tables[0]
