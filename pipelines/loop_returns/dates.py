"""Reads timestamps in every form in which the API writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

import pendulum
from pendulum.tz.exceptions import InvalidTimezone

_ISO: Final = re.compile(  # narrower than `datetime.fromisoformat`, which also reads 20240131 and 2024-W05
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)
_OFFSET: Final = re.compile(r"[+-]\d\d(:?\d\d)?", re.ASCII)
EMPTY: Final = frozenset({"", "N/A"})  # how the API says "not yet" (documentation examples, live payloads)

# PHP writes an abbreviation for zones it knows by nothing else. Only those with an undisputed meaning.
_ABBREVIATIONS: Final = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "HST": -10, "AKST": -9, "AKDT": -8, "PST": -8,
    "PDT": -7, "MST": -7, "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4, "AST": -4, "ADT": -3,
}  # fmt: skip # one entry a line would be thirty lines


def parse_timestamp(value: object) -> datetime | None:
    """The moment that a timestamp of the API means, in UTC.

    Loop writes three forms: ISO 8601 with `Z` or an offset, `YYYY-MM-DD HH:MM:SS` without a zone (read as
    UTC, which is inferred, not documented), and PHP date objects `{"date", "timezone_type", "timezone"}` with
    an offset (1), an abbreviation (2) or an identifier (3) as their zone (clients mindcloud, athena, dash).

    None for null, the empty string and `N/A`. Raises ValueError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        return None if text.upper() in EMPTY else _read(text, default=UTC)
    if isinstance(value, Mapping) and isinstance(value.get("date"), str):
        return _read(value["date"].strip(), default=_php_zone(value))
    raise ValueError(f"not a timestamp: {value!r:.80}")


def _read(text: str, *, default: tzinfo | None) -> datetime:
    if not _ISO.fullmatch(text):
        raise ValueError(f"not a timestamp: {text!r:.80}")
    moment = datetime.fromisoformat(text[:11] + text[11:].upper().replace("UTC", "Z").replace(" ", ""))
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=default)).astimezone(UTC)
    except OverflowError:  # the first or last hours of the calendar
        raise ValueError(f"out of range: {text!r:.80}") from None


def _php_zone(value: Mapping[str, object]) -> tzinfo | None:
    name = value.get("timezone")
    if name is None or name == "":
        return UTC
    if not isinstance(name, str):
        raise ValueError(f"not a time zone: {name!r:.80}")
    if _OFFSET.fullmatch(name):
        return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo
    if value.get("timezone_type") != 3 or name.upper() in {"UTC", "Z"}:  # noqa: PLR2004 # PHP's number for identifiers
        hours = _ABBREVIATIONS.get(name.upper())
        if hours is not None:
            return timezone(timedelta(hours=hours))
    try:
        return pendulum.timezone(name)  # brings its own zone database, where a machine has none
    except (InvalidTimezone, OSError, ValueError):  # unknown, or no name of a zone at all
        raise ValueError(f"unknown time zone: {name!r:.80}") from None
