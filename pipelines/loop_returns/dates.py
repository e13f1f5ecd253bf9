"""Reads timestamps in every form in which the API writes them, within bounds that every reader can hold."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

import pendulum
from pendulum.tz.exceptions import InvalidTimezone

from loop_returns.errors import ConfigurationError

_ISO: Final = re.compile(  # narrower than `datetime.fromisoformat`, which also reads 20240131 and 2024-W05
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)
_FINER: Final = re.compile(r"[.,]\d{6}0*[1-9]", re.ASCII)
_OFFSET: Final = re.compile(r"[+-]\d\d(:?\d\d)?", re.ASCII)
# Any time outside is no time of a shop (Go's zero time is in year 1), and something downstream could not hold it: a client
# that counts nanoseconds ends in 2262, and neither a day nor a time zone may lead out of Python's years 1 to 9999.
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

EMPTY: Final = frozenset({"", "N/A"})  # how the API says "not yet" (documentation examples, live payloads)

# PHP writes an abbreviation for zones it knows by nothing else. Only those with an undisputed meaning.
_ABBREVIATIONS: Final = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "HST": -10, "AKST": -9, "AKDT": -8, "PST": -8,
    "PDT": -7, "MST": -7, "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4, "AST": -4, "ADT": -3,
}  # fmt: skip # one entry a line would be thirty lines


def parse_timestamp(value: object, *, clip: bool = False) -> datetime | None:
    """The moment that a timestamp of the API means, in UTC.

    Loop writes three forms: ISO 8601 with `Z` or an offset, `YYYY-MM-DD HH:MM:SS` without a zone (read as
    UTC, which is inferred, not documented), and PHP date objects `{"date", "timezone_type", "timezone"}` with
    an offset (1), an abbreviation (2) or an identifier (3) as their zone (clients mindcloud, athena, dash).

    A fraction is cut to microseconds; `is_finer` says whether that lost something. None for null, the empty string and
    `N/A`. Raises ValueError for anything else; also for a moment out of bounds, unless `clip` takes the nearest within.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.upper() in EMPTY:
            return None
        moment = _read(text, default=UTC)
    elif isinstance(value, Mapping) and isinstance(value.get("date"), str):
        moment = _read(value["date"].strip(), default=_php_zone(value))
    else:
        raise ValueError(f"not a timestamp: {value!r:.80}")
    if not clip and clipped(moment) != moment:
        raise ValueError(f"out of bounds: {value!r:.80}")
    return clipped(moment).astimezone(UTC)


def is_finer(value: object) -> bool:
    """True for a timestamp with digits that are not zero beyond microseconds."""
    return _FINER.search(str(value.get("date") if isinstance(value, Mapping) else value)) is not None


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is in UTC already."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def clipped(moment: datetime) -> datetime:
    """The nearest moment that can be stored, read back and calculated with, here and by whoever reads the warehouse."""
    return max(EARLIEST, min(moment, LATEST))


def _read(text: str, *, default: tzinfo | None) -> datetime:
    if not _ISO.fullmatch(text):
        raise ValueError(f"not a timestamp: {text!r:.80}")
    moment = datetime.fromisoformat(text[:11] + text[11:].upper().replace("UTC", "Z").replace(" ", ""))
    return moment if moment.tzinfo else moment.replace(tzinfo=default)


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


def parse_when(text: str) -> datetime:
    """The moment an operator typed, in UTC: a date means its midnight, a time without an offset is UTC.

    Whole seconds, as the API knows nothing finer; a fraction is cut off. Raises ConfigurationError if it can't be read.
    """
    moment = None
    with suppress(ValueError):
        moment = parse_timestamp(text, clip=True)
    if moment is None:
        raise ConfigurationError(
            f"“{text:.60}” is not a date. Write it like 2024-01-31, or with a time like 2024-01-31T10:00:00Z "
            "or “2024-01-31 10:00”; times without an offset such as +02:00 are UTC."
        )
    return moment.replace(microsecond=0)
