"""A value lands exactly, or stands in `_unparsed` as it was sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loop_returns.api.decode import decode_json
from loop_returns.tables.schema import Type
from loop_returns.tables.values import array

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
FRACTIONS = st.from_regex(r"([.,][0-9]{1,9})?", fullmatch=True)
TIMES = st.builds(
    "{:%m-%dT%H:%M:%S}{}{}".format,
    st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 # only month, day and time of it are taken
    FRACTIONS,
    st.sampled_from(["Z", "", "+02:00", "-0500"]),
)
YEARS = st.sampled_from(["0000", "0001", "1677", "1900", "2024", "2199", "2200", "2263", "9999"]) | st.integers(1, 9999).map(
    "{:04}".format
)


def landed(kind: Type, value: Any, others: list[Any]) -> tuple[Any, bool]:
    """What the column holds of the value, and whether the value is kept beside it, as one of a column."""
    values, unread = array(kind, [value, *others])
    if 0 in unread:
        assert unread[0] == value
    return values.to_pylist()[0], 0 in unread


@given(NUMBERS, st.booleans(), st.sampled_from([[], [None, "5.25"], ["odd"]]))
@example("1e130", False, [])
@example("1e308", False, [])
@example("1" + "0" * 130, True, [])
@example("99999999999999.99999", True, [])
@example("1e4000000000", True, [])
@example("-1e-9", False, [])
@example("1e-455", False, [])
@example("1e-455", True, [])
def test_an_amount_is_exact_or_kept(digits: str, is_text: bool, others: list[Any]):
    """Any JSON number, or a text of one, whatever its neighbours: the column says it exactly, or `_unparsed` has it."""
    (value,) = decode_json(json.dumps([digits]).encode() if is_text else f"[{digits}]".encode())
    amount, kept = landed(Type.DECIMAL, value, others)
    assert kept or amount == exactly(value)


def exactly(value: Any) -> Decimal | None:
    try:
        return Decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        return None


@given(st.text(max_size=12) | st.lists(st.integers()) | st.booleans(), st.sampled_from(list(Type)))
def test_anything_is_read_or_kept(value: Any, kind: Type):
    """Any value in any column is null there only if it is kept beside it, or says that there is none."""
    if kind is Type.INTEGER:
        return  # no column of the API's
    found, kept = landed(kind, value, [])
    assert kept or found is not None or (isinstance(value, str) and value.strip().upper() in {"", "N/A"})


@given(YEARS, TIMES, st.sampled_from([[], [None, "2024-01-01T00:00:00Z"], ["soon"], [{"date": "2024-01-01 00:00:00"}]]))
@example("0001", "01-01T00:00:00Z", [])
@example("9999", "12-31T00:00:00Z", [])
@example("2024", "01-01T00:00:00.1234567Z", [])
@example("2024", "01-01T00:00:00.123456789Z", [])
@example("2024", "01-01T00:00:00.123456000Z", [])
@example("0000", "01-01T00:00:00Z", [])
def test_a_time_is_exact_or_kept(year: str, rest: str, others: list[Any]):
    """Any timestamp, whatever its neighbours: the column says it exactly and can be read, or `_unparsed` has it."""
    text = f"{year}-{rest}"
    for value in (text, {"date": text.rstrip("Z"), "timezone_type": 3, "timezone": "UTC"}):
        moment, kept = landed(Type.TIMESTAMP, value, others)
        if not kept:
            assert moment is not None
            assert 1900 <= moment.year <= 2199
            assert moment.astimezone(UTC) == said(text)
        elif moment is not None:
            assert timedelta() < nanoseconds(text) - nanoseconds(moment.isoformat()) < timedelta(microseconds=1000)


def said(text: str) -> datetime:
    """The moment that the text says; its fraction has no more than six digits that count."""
    head, _, tail = text.replace(",", ".").partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    assert not digits[6:].strip("0"), "digits were lost"
    zone = (head[19:] or tail[len(digits) :]) or "+00:00"
    moment = datetime.fromisoformat(head[:19] + zone)
    return moment + timedelta(microseconds=int((digits + "000000")[:6]))


def nanoseconds(text: str) -> timedelta:
    """The fraction of the text's second, a thousand times as long: a timedelta counts no nanoseconds."""
    tail = text.replace(",", ".").partition(".")[2]
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return timedelta(microseconds=int((digits + "0" * 9)[:9]))


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", {"date": "0001-01-01 00:00:00.000000"}])
def test_a_time_that_nobody_can_hold(value: Any):
    """A time far out of a shop's life, such as Go's zero time, is null in its column and kept beside it."""
    assert landed(Type.TIMESTAMP, value, []) == (None, True)
