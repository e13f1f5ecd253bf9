"""Decodes the JSON of a response without losing a digit, into nothing that a database could not hold."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import msgspec

_BOM: Final = b"\xef\xbb\xbf"
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000|\0")  # as an escape, or as it is
_DIGITS: Final = 400  # of a number: more than those of a double, and far fewer than Python, JSONB and memory end at


def number(text: str) -> Decimal | str:
    """A JSON number with a fraction or an exponent; one of absurd length is kept as the text that it was written as."""
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent out of Decimal's range
        return text
    return value if len(text) <= _DIGITS and abs(value.adjusted()) <= _DIGITS else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else text


def storable(body: bytes) -> bytes:
    """The body with U+2400 (␀) for each NUL in a text or a name: PostgreSQL holds none, neither in text nor in JSON."""
    if b"\\u0000" not in body and b"\0" not in body:
        return body
    return _NUL.sub(rb"\1\\u2400", body)


_decoder: Final = msgspec.json.Decoder(float_hook=number)


def decode_json(body: bytes) -> Any:
    """The decoded body: integers are exact whatever their size, other numbers are Decimal, never float.

    Broken characters inside a text (bytes that aren't UTF-8, halves of a surrogate pair) become U+FFFD: one
    odd comment of a shopper must not stop a run. A NUL becomes U+2400.

    Raises ValueError if the body isn't JSON, is cut off, or is nested too deeply to be data.
    """
    body = storable(body.removeprefix(_BOM))
    try:
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = body.decode(errors="replace")
            return _mend(json.loads(text, strict=False, parse_float=number, parse_int=_integer, parse_constant=_refuse))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mend(each) for each in value]
    if isinstance(value, dict):
        return {_mend(name): _mend(each) for name, each in value.items()}
    return value
