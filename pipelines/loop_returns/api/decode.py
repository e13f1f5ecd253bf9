"""Decodes the JSON of a response without losing a digit."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import msgspec

_BOM: Final = b"\xef\xbb\xbf"


def number(text: str) -> Decimal | str:
    """A JSON number with a fraction or an exponent."""
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent out of Decimal's range: kept as it was written
        return text


_decoder: Final = msgspec.json.Decoder(float_hook=number)


def decode_json(body: bytes) -> Any:
    """The decoded body: integers are exact whatever their size, other numbers are Decimal, never float.

    Broken characters inside a text (bytes that aren't UTF-8, halves of a surrogate pair) become U+FFFD: one
    odd comment of a shopper must not stop a run.

    Raises:
        ValueError: if the body isn't JSON, is cut off, or is nested too deeply to be data.
    """
    body = body.removeprefix(_BOM)
    try:
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = body.decode(errors="replace")
            return _mend(json.loads(text, strict=False, parse_float=number, parse_constant=_refuse))
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
