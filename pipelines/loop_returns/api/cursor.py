"""Looks into a page cursor: which rows can the server lose at the edge between two pages?

The documented cursor is Laravel's: base64 of `{"created_at":"2022-06-27 16:25:01","_pointsToNextItems":true}`
(api-reference/pagination). It names one column with whole seconds and nothing that tells rows of that second
apart, so rows that share it can be skipped.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from loop_returns.dates import parse_timestamp

if TYPE_CHECKING:
    from datetime import datetime

_UNIQUE: Final = frozenset({"id", "return_id", "uuid"})  # names of columns, as `id` or `returns.id`, that end any tie


@dataclass(frozen=True)
class Edge:
    """Where a page ended.

    Attributes:
        column: the timestamp column the pages are ordered by, without a table's name; None if not told.
        second: the last row's value in it, UTC, whole seconds; None if not told.
        unique: whether the cursor also names a unique column, so that no row can be lost at this edge.
    """

    column: str | None
    second: datetime | None
    unique: bool


UNKNOWN: Final = Edge(None, None, unique=False)


def decode(cursor: str) -> Edge:
    """What the cursor says; `UNKNOWN` if it can't be read, never an error."""
    content = _content(cursor)
    if content is None:
        return UNKNOWN
    values = {name.rpartition(".")[2]: value for name, value in content.items() if not name.startswith("_")}
    unique = any(name in _UNIQUE and value not in (None, "") for name, value in values.items())
    for name, value in values.items():
        try:
            moment = None if name in _UNIQUE else parse_timestamp(value)
        except ValueError:
            continue
        if moment:
            return Edge(name, moment.replace(microsecond=0), unique)
    return Edge(None, None, unique)


def _content(cursor: str) -> dict[str, Any] | None:
    text = unquote(cursor).strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        content = json.loads(raw)
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON: all are ValueErrors
        return None
    return content if isinstance(content, dict) else None
