"""The API's time formats, to and from whole seconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

DAY: Final = 86_400


def iso(second: int) -> str:
    """`2023-01-01T22:27:15.000Z`: the returns list's format."""
    return bare(second).replace(" ", "T") + ".000Z"


def iso_short(second: int) -> str:
    """`2023-01-01T22:27:15Z`: the ASN report's format."""
    return bare(second).replace(" ", "T") + "Z"


def bare(second: int) -> str:
    """`2023-01-01 22:27:15`: no zone, meaning UTC; return details and page cursors use it."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat(sep=" ")


def with_offset(second: int, minutes: int) -> str:
    """`2023-04-25T13:25:00-05:00`: local time and its offset from UTC in minutes; label requests use it."""
    return datetime.fromtimestamp(second, timezone(timedelta(minutes=minutes))).isoformat()


def php(second: int) -> dict[str, Any]:
    """A PHP date object as in `outcomes_processed_at`."""
    return {"date": bare(second) + ".000000", "timezone_type": 3, "timezone": "UTC"}


def parse(text: str) -> float:
    """Read a date or date-time; without a zone it is UTC.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def second_of(value: object) -> int | None:
    """Second of a timestamp in any of the API's formats; None when there is none.

    Only zone-less and UTC values occur in what the sandbox stores, so a PHP object's zone is not looked at.
    """
    text = value.get("date") if isinstance(value, dict) else value
    return int(parse(text)) if isinstance(text, str) and text else None
