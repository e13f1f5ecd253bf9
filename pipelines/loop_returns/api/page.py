"""Takes a page of a list apart: its rows, and the cursor of the next page."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from loop_returns.api.errors import BadAnswer

_NEXT = ("nextPageUrl", "next_page_url")  # the returns list; orders and customers
_AGAIN = "Nothing was loaded from this page. Run again; if it stays so, the API has changed: report this message."


def page_of(body: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of one decoded page and the cursor of the next one, or None on the last page.

    Accepts the bare array and the envelope (documented: which one comes depends on `paginate`). Of the link
    only the cursor is taken, whatever host it names: the documented link drops `from`, `state` and `paginate`
    (api-reference/pagination).

    Raises:
        BadAnswer: if there are no rows, a row has no id, or there is a next page without a cursor.
    """
    rows = rows_in(body)
    if rows is None:
        raise BadAnswer(f"A page of a list holds no rows. {_AGAIN}")
    for row in rows:
        if not isinstance(row, dict) or row.get("id") in (None, ""):
            raise BadAnswer(f"A page of a list holds a row without an id. {_AGAIN}")
    return rows, cursor_of(link_in(body))


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


def link_in(body: Any) -> Any:
    """What a body says of the next page."""
    return None if isinstance(body, list) else next((body[name] for name in _NEXT if body.get(name)), None)


def cursor_of(link: Any) -> str | None:
    """The cursor in a link to the next page; None without a link. Raises BadAnswer for a link without a cursor."""
    if link is None:
        return None
    try:
        cursors = parse_qs(urlsplit(link).query).get("cursor") if isinstance(link, str) else None
    except ValueError:  # no address
        cursors = None
    if not cursors:
        raise BadAnswer(f"A page names a next page without a cursor to it. {_AGAIN}")
    return cursors[0]
