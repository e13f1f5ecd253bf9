"""Every form a timestamp comes in means the right moment, and nothing else is taken for one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.dates import parse_timestamp, parse_when
from loop_returns.errors import ConfigurationError
from tests.support import SAMPLES

MOMENT = datetime(2023, 8, 22, 14, 8, 31, tzinfo=UTC)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 3), datetime(2199, 12, 28), timezones=OFFSETS)  # noqa: DTZ001 # hypothesis adds the zone
NAIVE = st.datetimes(datetime(1900, 1, 3), datetime(2199, 12, 28))  # noqa: DTZ001 # as PHP writes them
IDENTIFIERS = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"])


def php(date: str, kind: Any, zone: Any) -> dict[str, Any]:
    return {"date": date, "timezone_type": kind, "timezone": zone}


@pytest.mark.parametrize(
    "value",
    [
        "2023-08-22T14:08:31.000Z", "2023-08-22T14:08:31Z", "2023-08-22T14:08:31.000000Z", "2023-08-22t14:08:31z",
        "2023-08-22 14:08:31", "2023-08-22T14:08:31", " 2023-08-22 14:08:31 ", "2023-08-22 14:08:31 UTC",
        "2023-08-22T14:08:31+00:00", "2023-08-22T10:08:31-04:00", "2023-08-22T19:53:31+0545", "2023-08-22 16:08:31 +02",
        php("2023-08-22 14:08:31.000000", 3, "UTC"), php("2023-08-22 10:08:31.000000", 3, "America/New_York"),
        php("2023-08-22 16:08:31.000000", 1, "+02:00"), php("2023-08-22 14:08:31.000000", 1, "+00:00"),
        php("2023-08-22 10:08:31.000000", 2, "EDT"), php("2023-08-22 16:08:31.000000", 2, "cest"),
        php("2023-08-22 14:08:31.000000", 2, "Z"),
        php("2023-08-22 16:08:31", 3, "CET"), php("2023-08-22 14:08:31", "3", "UTC"),
        php("2023-08-22 14:08:31", None, None), {"date": "2023-08-22 14:08:31.000000"},
        php("2023-08-22T14:08:31Z", 3, "America/New_York"),
    ],
)  # fmt: skip # a list
def test_all_forms_mean_one_moment(value: Any) -> None:
    """ISO with Z or offset, zone-less text and PHP objects with each kind of zone are one moment in UTC."""
    assert parse_timestamp(value) == MOMENT
    assert parse_timestamp(value).tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "  ", "N/A", "n/a"])
def test_not_yet_is_none(value: Any) -> None:
    """The ways in which the API says that there is no time are no error."""
    assert parse_timestamp(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "yesterday", "2023", "2023-08", "20230822", "2023-W34", "2023-13-01", "2023-02-29", "0000-00-00 00:00:00",
        "2023-08-22T25:00:00Z", "2023-08-22T14", "2023-08-22T14:08:31+25:00", "2023-08-22T14:08:31 CET",
        "2023-08-22-04:00", "2023-08-22T14:08:31Zulu", "22.08.2023", "1692713311", "\uff12023-08-22",
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z", "2200-01-01",
        "9999-12-31T00:00:00-05:00",
        php("0001-01-01 00:00:00.000000", 3, "UTC"), php("9999-12-31 23:59:59.000000", 3, "America/New_York"),
        1692713311, 1692713311.5, True, [], {}, {"date": None}, {"date": 5}, {"date": ""},
        php("2023-08-22 14:08:31", 3, "Mars/Olympus"), php("2023-08-22 14:08:31", 2, "XYZ"),
        php("2023-08-22 14:08:31", 3, "../etc/passwd"), php("2023-08-22 14:08:31", 3, 5),
        php("2023-08-22 14:08:31", 1, "+99:00"), php("soon", 3, "UTC"), php("2023-08-22 14:08:31", 3, "a\x00b"),
    ],
)  # fmt: skip # a list
def test_anything_else_is_refused(value: Any) -> None:
    """What is no timestamp is a ValueError, never a guess."""
    with pytest.raises(ValueError, match=r"."):
        parse_timestamp(value)


@given(MOMENTS, st.sampled_from(["T", " "]), st.sampled_from(["auto", "milliseconds", "microseconds"]))
def test_iso_round_trip(moment: datetime, separator: str, precision: str) -> None:
    """Every moment written in ISO, in any zone and precision, is read as that moment."""
    text = moment.isoformat(separator, precision)
    lost = timedelta(milliseconds=1) if precision == "milliseconds" else timedelta(microseconds=1)
    assert timedelta() <= moment - parse_timestamp(text) < lost


@given(NAIVE, IDENTIFIERS)
def test_php_identifiers(local: datetime, name: str) -> None:
    """A PHP object's wall time is that of its zone, also through changes to and from summer time."""
    value = php(local.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0"), 3, name)
    assert parse_timestamp(value) == local.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)


@given(st.text() | st.dictionaries(st.sampled_from(["date", "timezone_type", "timezone"]), st.text() | st.integers()))
def test_garbage_is_refused_politely(value: Any) -> None:
    """Nothing but a ValueError comes out of garbage."""
    try:
        found = parse_timestamp(value)
    except ValueError:
        return
    assert found is None or found.tzinfo is UTC


def test_every_timestamp_of_the_samples_is_read() -> None:
    """All fields of the sample bodies that are named like a time hold one that can be read."""
    read = 0
    for name in ("returns_list_page", "returns_list_array", "asn", "return_details", "notes", "label_requests"):
        body = json.loads((SAMPLES / f"{name}.json").read_text())
        for value in _times(body):
            parse_timestamp(value)
            read += 1
    assert read > 50


def _times(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [time for each in value for time in _times(each)]
    if not isinstance(value, dict):
        return []
    named = [each for name, each in value.items() if name.endswith(("_at", "_processed"))]
    return [each for each in named if isinstance(each, str) or (isinstance(each, dict) and "date" in each)] + [
        time for each in value.values() for time in _times(each)
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00+00:00"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31 10:00", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31T10:00:00+02:00", "2024-01-31T08:00:00+00:00"),
        ("2024-01-31T10:00:00.999Z", "2024-01-31T10:00:00+00:00"),
        (" 2024-01-31\n", "2024-01-31T00:00:00+00:00"),
        ("0001-01-01", "1900-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00+14:00", "1900-01-01T00:00:00+00:00"),
        ("9999-12-31", "2199-12-31T23:59:59+00:00"),
    ],
)
def test_what_an_operator_types(text: str, moment: str) -> None:
    """Dates and times in ISO are read as UTC, to whole seconds; one out of bounds is the nearest within."""
    assert parse_when(text).isoformat() == moment


@pytest.mark.parametrize(
    "text", ["", "today", "7 days ago", "31.01.2024", "01/31/2024", "2024-1-31", "2023-02-29", "N/A", "1706659200"]
)
def test_a_typing_error_is_explained(text: str) -> None:
    """Anything else is the operator's to change; the message quotes it and shows what is accepted."""
    with pytest.raises(ConfigurationError) as caught:
        parse_when(text)
    assert caught.value.exit_code == 2
    assert text in caught.value.message
    assert all(form in caught.value.message for form in ("2024-01-31", "2024-01-31T10:00:00Z", "2024-01-31 10:00"))
