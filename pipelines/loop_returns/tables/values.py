"""Turns one column of decoded JSON values into one typed Arrow array, whatever types the values came in.

The quick way takes a whole column at once and works for nearly every page; a column with mixed types goes value by value.
What cannot be read as the column's type becomes null here and is reported by its row, so that nothing is lost.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, DecimalException
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.dates import EARLIEST, EMPTY, LATEST, is_finer, parse_timestamp
from loop_returns.tables.catalog import ARROW
from loop_returns.tables.schema import PRECISION, SCALE, Type

Values = Sequence[Any]
Unread = dict[int, Any]  # row number -> the value as the API sent it

_SMALLEST: Final = Decimal(1).scaleb(-SCALE)
_LARGEST: Final = Decimal(10) ** (PRECISION - SCALE)
_BOOLS: Final = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}
_LONGEST: Final = 40  # characters of an amount that Arrow is trusted with: of far more digits, or a far exponent, it makes 0
_ZONE: Final = r"(Z|[+-]\d\d:?\d\d)$"
_BOUNDS: Final = tuple(pa.scalar(moment, ARROW[Type.TIMESTAMP]) for moment in (EARLIEST, LATEST))
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_canonical: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def to_json(value: object) -> str:
    """The value as JSON text; numbers keep every digit they came with."""
    return _encoder.encode(value).decode()


def canonical_json(value: object) -> bytes:
    """The value as JSON with sorted keys, so that equal values give equal bytes."""
    return _canonical.encode(value)


def to_text(value: object) -> str | None:
    """The value as text: numbers digit by digit, true and false in lower case, objects and arrays as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    return to_json(value)


def array(kind: Type, values: Values) -> tuple[pa.Array, Unread]:
    """The values as an Arrow array of that kind, and the values that could not be read, by row number."""
    if kind is Type.TEXT:
        return _texts(values), {}
    if kind is Type.JSON:
        return pa.array([None if value is None else _encoder.encode(value) for value in values], pa.string()), {}
    whole, single = _READERS[kind]
    try:
        return whole(values), {}
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return _one_by_one(values, kind, single)


def _texts(values: Values) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # a number or an object among them
        return pa.array([to_text(value) for value in values], pa.string())


def _decimals(values: Values) -> pa.Array:
    texts = _texts(values)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > _LONGEST or pc.any(pc.match_substring_regex(texts, "[eE]")).as_py():
        raise pa.ArrowInvalid("many digits")
    return texts.cast(ARROW[Type.DECIMAL])


def _timestamps(values: Values) -> pa.Array:
    if dict in set(map(type, values)):
        values = list(map(_text_in_utc, values))
    texts = pa.array(values, pa.string())
    zoned = pc.ends_with(texts, pattern="Z")
    if not pc.all(zoned).as_py():  # usually all are in UTC; a regular expression takes many times as long
        zoned = pc.match_substring_regex(texts, pattern=_ZONE)
        texts = pc.if_else(zoned, texts, pc.binary_join_element_wise(texts, "Z", ""))
    moments = texts.cast(ARROW[Type.TIMESTAMP])
    if not pc.all(pc.and_(pc.greater_equal(moments, _BOUNDS[0]), pc.less_equal(moments, _BOUNDS[1]))).as_py():
        raise pa.ArrowInvalid("out of bounds")
    return moments


def _text_in_utc(value: object) -> object:
    """The text of a PHP date object in UTC, as nearly all of them are; everything else as it is."""
    if isinstance(value, dict) and value.get("timezone") == "UTC" and isinstance(value.get("date"), str):
        return value["date"]
    return value


def _one_by_one(values: Values, kind: Type, read: Callable[[Any], object]) -> tuple[pa.Array, Unread]:
    unread: Unread = {}
    results: list[object] = []
    for row, value in enumerate(values):
        result = None
        if value is not None and not (isinstance(value, str) and value.strip() in EMPTY):
            try:
                result = read(value)
            except (ValueError, TypeError, KeyError, OverflowError):
                unread[row] = value
            else:
                if result != Decimal(str(value)) if isinstance(result, Decimal) else is_finer(value):
                    unread[row] = value  # rounded or cut: the digits that did not fit are kept there
        results.append(result)
    return pa.array(results, ARROW[kind]), unread


def _read_decimal(value: object) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("true and false are no amounts")
    try:
        number = Decimal(to_text(value) or "")
        rounded = number.quantize(_SMALLEST) if abs(number) < _LARGEST else number
    except DecimalException as error:  # no number, or one beyond all bounds
        raise ValueError("not a number") from error
    if not abs(rounded) < _LARGEST:
        raise ValueError(f"out of range: {value!r:.80}")
    return rounded


def _read_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("no number")
    number = int(value)
    if number != Decimal(value) or abs(number) >= 2**63:
        raise ValueError("not whole, or out of range")
    return number


def _read_bool(value: object) -> bool:
    if not isinstance(value, str | int):
        raise ValueError("neither true nor false")
    return _BOOLS[value.strip().lower() if isinstance(value, str) else value]


_READERS: Final[dict[Type, tuple[Callable[[Values], pa.Array], Callable[[Any], object]]]] = {  # of a column, of one value
    Type.DECIMAL: (_decimals, _read_decimal),
    Type.TIMESTAMP: (_timestamps, parse_timestamp),
    Type.BOOL: (lambda values: pa.array(values, ARROW[Type.BOOL]), _read_bool),
    Type.INTEGER: (lambda values: pa.array(values, ARROW[Type.INTEGER]), _read_integer),
}
