"""Reads a page of a list: its rows, the cursor of the next page, and which rows the server can lose between the two.

The documented cursor is Laravel's: base64 of `{"created_at":"2022-06-27 16:25:01","_pointsToNextItems":true}`
(api-reference/pagination). It names one column with whole seconds and nothing that tells rows of that second
apart, so rows that share it can be skipped.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from loop_returns.dates import parse_timestamp
from loop_returns.errors import InvalidResponseError

_NEXT: Final = ("nextPageUrl", "next_page_url")  # the returns list; orders and customers
_AGAIN: Final = "Nothing was loaded from this page. Run again; if it stays so, the API has changed: report this message."
_UNIQUE: Final = frozenset({"id", "return_id", "uuid"})  # columns that tell rows of one second apart


def page_of(body: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of one decoded page and the cursor of the next one, or None on the last page.

    Accepts the bare array and the envelope (documented: which one comes depends on `paginate`). Of the link
    only the cursor is taken, whatever host it names: the documented link drops `from`, `state` and `paginate`
    (api-reference/pagination).

    Raises InvalidResponseError if there are no rows, a row has no id, or there is a next page without a cursor.
    """
    rows = rows_in(body)
    if rows is None:
        raise InvalidResponseError(f"A page of a list holds no rows. {_AGAIN}")
    for row in rows:
        if not isinstance(row, dict) or row.get("id") in (None, ""):
            raise InvalidResponseError(f"A page of a list holds a row without an id. {_AGAIN}")
    link = None if isinstance(body, list) else next((body[name] for name in _NEXT if body.get(name)), None)
    return rows, cursor_of(link)


def rows_in(body: Any) -> list[Any] | None:
    """The rows of a bare array or of an envelope like `{"returns": […]}`; None if there is no list."""
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return None
    for name in ("returns", "data"):
        if isinstance(body.get(name), list):
            return list(body[name])
    lists = [value for name, value in body.items() if isinstance(value, list) and name not in {"errors", "links"}]
    return lists[0] if len(lists) == 1 else None


def cursor_of(link: Any) -> str | None:
    """The cursor in a link to the next page; None without a link. Raises InvalidResponseError where it has none."""
    if link is None:
        return None
    try:
        return parse_qs(urlsplit(link if isinstance(link, str) else "").query)["cursor"][0]
    except (KeyError, ValueError):  # no cursor, or no address
        raise InvalidResponseError(f"A page names a next page without a cursor to it. {_AGAIN}") from None


@dataclass(frozen=True)
class PageEdge:
    """Where a page ended, as far as it is known."""

    column: str | None  # the timestamp by which pages are ordered, without a table's name
    second: datetime | None  # the last row's value in it, UTC, whole seconds
    unique: bool  # whether the cursor also names a unique column, so that no row can be lost at this edge


def edge_of(cursor: str) -> PageEdge:
    """What the cursor says; an edge of unknowns if it can't be read, never an error."""
    text = unquote(cursor).strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        content = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON: all are ValueErrors
        content = None
    if not isinstance(content, dict):
        return PageEdge(None, None, unique=False)
    values = {name.rpartition(".")[2]: value for name, value in content.items() if not name.startswith("_")}
    unique = any(name in _UNIQUE and value not in (None, "") for name, value in values.items())
    for name, value in values.items():
        try:
            moment = None if name in _UNIQUE else parse_timestamp(value)
        except ValueError:
            continue
        if moment:
            return PageEdge(name, moment.replace(microsecond=0), unique)
    return PageEdge(None, None, unique)
