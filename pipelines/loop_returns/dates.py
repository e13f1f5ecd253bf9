"""Reads timestamps: the tolerant parser for what the API sends, the strict one for what an operator types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

import pendulum
from pendulum.tz.exceptions import InvalidTimezone

from loop_returns.api.errors import ChangeSettings

_ISO: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?) ?(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_OFFSET: Final = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?", re.ASCII)
_NONE: Final = frozenset({"", "N/A"})  # how the API says "not yet" (documentation examples, live payloads)

# PHP writes an abbreviation for zones it knows by nothing else. Only those whose meaning nobody disputes.
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

    Args:
        value: what the JSON held.

    Returns:
        The moment, or None for null, the empty string and `N/A`.

    Raises:
        ValueError: if it is something else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        return None if text.upper() in _NONE else _read(text, default=UTC)
    if isinstance(value, Mapping) and isinstance(value.get("date"), str):
        return _read(value["date"].strip(), default=_php_zone(value))
    raise ValueError(f"not a timestamp: {value!r:.80}")


def parse_when(text: str) -> datetime:
    """The moment an operator typed, in UTC: a date means its midnight, a time without an offset is UTC.

    Whole seconds, as the API knows nothing finer; a fraction is cut off.

    Raises:
        ChangeSettings: if it can't be read.
    """
    try:
        return _read(text.strip(), default=UTC).replace(microsecond=0)
    except ValueError:
        raise ChangeSettings(
            f"“{text:.60}” is not a date. Write it like 2024-01-31, or with a time like 2024-01-31T10:00:00Z "
            "or “2024-01-31 10:00”; times without an offset such as +02:00 are UTC."
        ) from None


def _read(text: str, *, default: tzinfo) -> datetime:
    found = _ISO.fullmatch(text)
    if not found:
        raise ValueError(f"not a timestamp: {text!r:.80}")
    naive = datetime.fromisoformat(f"{found['date']}T{(found['time'] or '00:00').replace(',', '.')}")
    zone = default
    if found["zone"]:
        zone = UTC if found["zone"].upper() in {"Z", "UTC"} else _offset(found["zone"])
    try:
        return naive.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # the first or last hours of the calendar
        raise ValueError(f"out of range: {text!r:.80}") from None


def _php_zone(value: Mapping[str, object]) -> tzinfo:
    name = value.get("timezone")
    if name is None or name == "":
        return UTC
    if not isinstance(name, str):
        raise ValueError(f"not a time zone: {name!r:.80}")
    if _OFFSET.fullmatch(name):
        return _offset(name)
    if value.get("timezone_type") != 3 or name.upper() in {"UTC", "Z"}:  # noqa: PLR2004 # PHP's number for identifiers
        hours = _ABBREVIATIONS.get(name.upper())
        if hours is not None:
            return timezone(timedelta(hours=hours))
    try:
        return pendulum.timezone(name)  # brings its own zone database, where a machine has none
    except (InvalidTimezone, OSError, ValueError):  # unknown, or no name of a zone at all
        raise ValueError(f"unknown time zone: {name!r:.80}") from None


def _offset(text: str) -> tzinfo:
    found = _OFFSET.fullmatch(text)
    if not found:
        raise ValueError(f"not an offset: {text!r:.80}")
    distance = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-distance if found["sign"] == "-" else distance)  # ValueError from 24 hours on
