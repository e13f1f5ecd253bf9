"""Makes a table small enough to travel in a page: `unpacked` in `web/page.js` is the way back."""

from math import gcd
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.report.data import plain


def packed(table: pa.Table) -> dict[str, Any]:
    """Each column as JSON: numbers with what all of them can be divided by, anything else as words and where they stand."""
    return {name: _packed(table[name].combine_chunks()) for name in table.column_names}


def _packed(column: pa.Array) -> dict[str, Any]:
    if pa.types.is_integer(column.type) and not column.null_count:
        numbers = column.to_pylist()
        unit = gcd(*numbers) or 1
        return {"unit": unit, "numbers": [number // unit for number in numbers] if unit > 1 else numbers}
    if not len(column):
        return {"words": [], "runs": []}
    found = column.dictionary_encode(null_encoding="encode")
    words = [plain(value) for value in found.dictionary.to_pylist()]
    order = sorted(range(len(words)), key=lambda place: (words[place] is not None, words[place]))
    places = pa.array(sorted(range(len(words)), key=order.__getitem__), pa.int64()).take(found.indices)
    return {"words": [words[place] for place in order], "runs": _runs(places)}


def _runs(places: pa.Array) -> list[int]:
    """How far it is from one row to the next, and how often that is so: days follow on one another, all else repeats."""
    steps = pc.run_end_encode(_differences(places))
    pairs = zip(steps.values.to_pylist(), _differences(steps.run_ends).to_pylist(), strict=True)
    return [number for pair in pairs for number in pair]


def _differences(numbers: pa.Array) -> pa.Array:
    return pa.concat_arrays([numbers[:1], pc.pairwise_diff(numbers)[1:]])
