"""A cursor tells whether rows can be lost at the edge of a page, and is never trusted further than it can be read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.api.pages import PageEdge, edge_of, page_of
from tests.support import SAMPLES

SECOND = datetime(2022, 6, 27, 16, 25, 1, tzinfo=UTC)
UNKNOWN = PageEdge(None, None, unique=False)
DOCUMENTED = {"created_at": "2022-06-27 16:25:01", "_pointsToNextItems": True}


def encoded(content: Any, *, url_safe: bool = False) -> str:
    raw = (content if isinstance(content, str) else json.dumps(content)).encode()
    return (base64.urlsafe_b64encode if url_safe else base64.b64encode)(raw).decode()


@pytest.mark.parametrize(
    ("content", "edge"),
    [
        (DOCUMENTED, PageEdge("created_at", SECOND, unique=False)),
        ({"updated_at": "2022-06-27T16:25:01.000Z"}, PageEdge("updated_at", SECOND, unique=False)),
        ({"updated_at": "2022-06-27T18:25:01.987+02:00"}, PageEdge("updated_at", SECOND, unique=False)),
        ({"returns.created_at": "2022-06-27 16:25:01"}, PageEdge("created_at", SECOND, unique=False)),
        ({"id": 5, **DOCUMENTED}, PageEdge("created_at", SECOND, unique=True)),
        ({**DOCUMENTED, "returns.id": "5"}, PageEdge("created_at", SECOND, unique=True)),
        ({**DOCUMENTED, "return_id": 5}, PageEdge("created_at", SECOND, unique=True)),
        ({**DOCUMENTED, "uuid": "a"}, PageEdge("created_at", SECOND, unique=True)),
        ({**DOCUMENTED, "id": None}, PageEdge("created_at", SECOND, unique=False)),
        ({**DOCUMENTED, "order_id": 5}, PageEdge("created_at", SECOND, unique=False)),
        ({**DOCUMENTED, "shop_id": 5}, PageEdge("created_at", SECOND, unique=False)),
        ({"id": 5, "_pointsToNextItems": True}, PageEdge(None, None, unique=True)),
        ({"id": "2022-06-27 16:25:01"}, PageEdge(None, None, unique=True)),
        ({"created_at": "yesterday"}, UNKNOWN),
        ({"created_at": None}, UNKNOWN),
        ({"_created_at": "2022-06-27 16:25:01"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_what_a_cursor_says(content: dict[str, Any], edge: PageEdge) -> None:
    """Column and second are read in any notation, and only a column that is unique among returns counts as such."""
    assert edge_of(encoded(content)) == edge


@pytest.mark.parametrize("url_safe", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("quoted", [True, False])
def test_any_encoding_is_read(url_safe: bool, padded: bool, quoted: bool) -> None:
    """Either alphabet, with or without padding, quoted for an address or not, says the same."""
    for filler in ("", "x", "??", ">>>", "ÿÿÿ"):  # shifts the letters so that those of the alphabets differ
        content = json.dumps({"x": filler, **DOCUMENTED}, ensure_ascii=False)
        cursor = encoded(content, url_safe=url_safe)
        cursor = cursor if padded else cursor.rstrip("=")
        assert edge_of(quote(cursor, safe="") if quoted else cursor) == PageEdge("created_at", SECOND, unique=False)


@pytest.mark.parametrize(
    "cursor",
    ["", "=", "a", "not base64!", "gAAAAABl", encoded("[1]"), encoded("null"), encoded("5"), encoded('{"a":'),
     encoded("[" * 100_000), encoded('{"created_at": ' + "9" * 5000 + "}"), "%", "é", "\x00"],
)  # fmt: skip # a list
def test_what_cannot_be_read(cursor: str) -> None:
    """A cursor that is opaque, cut off or no object says nothing, so it promises nothing."""
    assert edge_of(cursor) == UNKNOWN


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_no_text_is_an_error(cursor: str) -> None:
    """Whatever comes, there is an answer, and a cursor that can't be read is never called unique."""
    edge = edge_of(cursor)
    assert (edge.column is None) == (edge.second is None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["created_at", "returns.updated_at", "id", "returns.id", "_pointsToNextItems", "x"]) | st.text()


@given(st.dictionaries(NAMES, JSON | st.datetimes().map(str), max_size=5))
def test_no_content_is_an_error(content: dict[str, Any]) -> None:
    """Whatever JSON a cursor holds, the result is consistent: a second in UTC without a fraction, or none."""
    edge = edge_of(encoded(content))
    assert (edge.column is None) == (edge.second is None)
    if edge.second:
        assert edge.second.tzinfo is UTC
        assert not edge.second.microsecond
    if edge.unique:
        assert any(name.rpartition(".")[2] in {"id", "return_id", "uuid"} for name in content)


def test_the_documented_link() -> None:
    """The cursor in the sample page's link names one column with whole seconds and nothing unique: rows can be lost."""
    sample = json.loads((SAMPLES / "returns_list_page.json").read_text())
    _, cursor = page_of(sample)
    assert cursor is not None
    edge = edge_of(cursor)
    assert edge.column == "created_at"
    assert edge.second is not None
    assert not edge.unique
