"""No digit and no letter of an answer is lost on the way through JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.api.decode import decode_json
from loop_returns.api.facts import RETURNS_PATH
from tests.support.loopback import Loopback, Scripted, client_of

LONG = "12345678901234567890.12345678901234567890"
DIGITS = st.integers(-(10**40), 10**40)
NUMBERS = st.one_of(DIGITS, st.decimals(-(10**300), 10**300, allow_nan=False, allow_infinity=False))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | DIGITS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé€", max_size=3), inner, max_size=4),
    max_leaves=20,
)


def test_money_is_never_a_float() -> None:
    """Amounts and ids arrive digit by digit, over the wire, also beyond what a double or 64 bits can hold."""
    body = f'[{{"id": 123456789012345678901234567890, "total": {LONG}, "rate": 4.50, "fee": 1E3}}]'.encode()
    with Loopback(Scripted(body)) as server, client_of(server) as client:
        (row,) = client.get(RETURNS_PATH, expect="list").body
    assert row["id"] == 123456789012345678901234567890
    assert str(row["total"]) == LONG
    assert str(row["rate"]) == "4.50"
    assert {type(row[name]) for name in ("total", "rate", "fee")} == {Decimal}


@given(NUMBERS, st.booleans())
def test_every_number_survives(number: int | Decimal, broken: bool) -> None:
    """A number is equal to what was written, also in a body that another field makes hard to read."""
    body = f'{{"n": {number}, "t": "'.encode() + (b"\xff" if broken else b"") + b'"}'
    decoded = decode_json(body)["n"]
    assert decoded == number
    assert not isinstance(decoded, float)


@given(VALUES, st.booleans(), st.booleans())
def test_everything_else_survives(value: Any, ascii_only: bool, marked: bool) -> None:
    """Any JSON value comes back as it was but for NUL, escaped or not, with or without a byte order mark."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert decode_json(b"\xef\xbb\xbf" + body if marked else body) == without_nul(value)


def without_nul(value: Any) -> Any:
    """The value as it is to be stored: no database but DuckDB holds a NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\u2400")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    return {name: without_nul(each) for name, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        (rb'["a\u0000b", {"\u0000\u0000": "\u0000"}]', ["a\u2400b", {"\u2400\u2400": "\u2400"}]),
        (b'["a\0b"]', ["a\u2400b"]),
        (rb'["\\u0000", "\\\u0000", "\\\\u0000"]', ["\\u0000", "\\\u2400", "\\\\u0000"]),
        (rb'{"\ud800": "\udc00"}', {"\ufffd": "\ufffd"}),
    ],
)
def test_what_no_database_holds_is_made_visible(body: bytes, decoded: Any) -> None:
    """A NUL becomes U+2400 and half a surrogate pair U+FFFD, in texts and in names; an escaped backslash stays one."""
    assert decode_json(body) == decoded


@pytest.mark.parametrize(
    "digits", ["9" * 5000, "1e999999999", "-1e-999999999", "0e999999999", "0." + "1" * 5000, "1e4000000000000000000"]
)
def test_an_absurd_number_is_kept_as_text(digits: str) -> None:
    """A number whose digits would fill the memory, or that no database reads, is kept as it was written."""
    assert decode_json(f"[{digits}]".encode()) == [digits]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'["caf\xe9"]', "caf\ufffd"),
        (b'["\\ud83d\\ude00 ok"]', "\U0001f600 ok"),
        (b'["\\ud83d cut"]', "\ufffd cut"),
        (b'["line\nbreak"]', "line\nbreak"),
    ],
)
def test_an_odd_comment_does_not_stop_the_mirror(body: bytes, text: str) -> None:
    """Broken characters become U+FFFD, and the result can be stored."""
    (decoded,) = decode_json(body)
    assert decoded == text
    decoded.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"[", b'{"a": 1', b'["a', b"<html>", b"nul", b"[NaN]", b"[1,]", b"[1] [2]", b"[1]x", b"\x00",
        b"[" * 200_000 + b"]" * 200_000, b'{"a":"\xff"',
    ],
)  # fmt: skip # a list
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Anything that isn't complete JSON is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r".+"):
        decode_json(body)
