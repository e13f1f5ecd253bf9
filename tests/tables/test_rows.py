"""Rows read into structs land exactly like rows read as dictionaries; what has no place in a struct is never lost by it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_returns.api.decode import decode_json
from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.pages import page_of
from loop_returns.api.response import RawResponse
from loop_returns.extract.page import ShapedPage, shape_response
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import ARRAYS, TABLES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.rows import Undeclared, decode_returns
from loop_returns.tables.shape import Shaper
from tests.support.driving import NOW

if TYPE_CHECKING:
    import pyarrow as pa

BODIES = Shop.generate(seed=11, returns=60, days=60, now=NOW).returns_snapshot()
SHAPER = Shaper("default")
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
encode = msgspec.json.Encoder(decimal_format="number").encode


def shaped(body: bytes) -> ShapedPage:
    return shape_response(RawResponse(RETURNS_PATH, 200, body), SHAPER, first_copy=7)


def landed(tables: dict[str, pa.Table]) -> dict[str, object]:
    assert tables
    return {name: (table.schema, table.to_pylist()) for name, table in tables.items()}


def both(body: bytes) -> tuple[object, object]:
    """The tables as the quick way and the tolerant way make them."""
    quick = shaped(body)
    rows, cursor = page_of(decode_json(body))
    assert quick.cursor == cursor
    return landed(quick.tables), landed(SHAPER.returns(rows, first_copy=7))


def test_the_quick_way_is_taken():
    """The sandbox's returns, which have every documented field, have a place in the structs."""
    rows, link = decode_returns(encode({"returns": BODIES, "nextPageUrl": "?cursor=a"}))
    assert (len(rows), link) == (60, "?cursor=a")
    assert len(decode_returns(encode(BODIES))[0]) == 60


def test_the_same_rows():
    """Every value of every table, and every fingerprint, is the same either way."""
    quick, slow = both(encode({"returns": BODIES, "nextPageUrl": None}))
    assert quick == slow


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), values=st.lists(VALUES, min_size=12, max_size=12))
def test_the_same_rows_whatever_is_in_them(seed: int, values: list[Any]):
    """Any value in any field, of a return or of a child, missing fields and any order of fields land the same either way."""
    chance = random.Random(seed)
    rows = msgspec.json.decode(encode(chance.sample(BODIES, 6)))
    for value in values:
        row = chance.choice(rows)
        name = chance.choice([name for name in row if name != "id"])
        children = row.get(name)
        if name in ARRAYS and isinstance(children, list) and children and chance.random() < 0.8:
            child = chance.choice(children)
            if isinstance(child, dict) and child:
                child[chance.choice(list(child))] = value
        else:
            row[name] = value
    for row in rows:
        if chance.random() < 0.3:
            row.pop(chance.choice([name for name in row if name not in {"id", "state"}]))
        items = list(row.items())
        chance.shuffle(items)
        row.clear()
        row.update(items)
    quick, slow = both(encode(rows))
    assert quick == slow


@pytest.mark.parametrize("table", [*ARRAYS, "returns"])
def test_an_undeclared_field_goes_the_tolerant_way(table: str):
    """A field that nobody declared, in a return or in a child, is refused by the structs and lands as a column."""
    rows = msgspec.json.decode(encode(BODIES))
    where = rows if table == "returns" else next(row[table] for row in rows if row.get(table))
    (where[0] if isinstance(where, list) else where)["quite_new"] = "value"
    body = encode({"returns": rows})
    with pytest.raises(Undeclared):
        decode_returns(body)
    name = "returns" if table == "returns" else ARRAYS[table].name
    assert "value" in shaped(body).tables[name].column("quite_new").to_pylist()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"returns": null}',
        b'{"returns": [{"id": null}]}',
        b'{"returns": [], "error": {"message": "x"}}',
        b"[[]]",
    ],
)
def test_what_is_no_page(body: bytes):
    """Bodies without rows, rows without an id and errors are left to the parse_response."""
    with pytest.raises(Undeclared):
        decode_returns(body)


def test_absent_is_null():
    """A field that is null and a field that is absent have the same fingerprint."""
    row = {"id": "1", "state": "open", "line_items": [{"line_item_id": "5", "sku": None}], "carrier": None}
    bare = {"id": "1", "state": "open", "line_items": [{"line_item_id": "5"}]}
    assert SHAPER.privacy.fingerprint(row, RETURNS) == SHAPER.privacy.fingerprint(bare, RETURNS)
    assert SHAPER.privacy.fingerprint(row, RETURNS) != SHAPER.privacy.fingerprint(bare | {"state": "closed"}, RETURNS)
    assert TABLES["returns"].column("carrier")


@pytest.mark.parametrize(
    "links", [{"next_page_url": ""}, {"nextPageUrl": "", "next_page_url": False}, {"nextPageUrl": None}]
)
def test_last_page(links: dict[str, object]):
    """A link that is empty in any way means that there is no next page."""
    assert decode_returns(encode({"returns": BODIES, **links}))[1] is None
