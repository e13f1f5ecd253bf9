"""A page gives its rows and the cursor of the next, in every shape the API has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.pages import page_of
from loop_returns.errors import InvalidResponseError
from tests.support import SAMPLES
from tests.support.loopback import Loopback, Scripted, client_of

ROWS = [{"id": "1"}, {"id": 2}]


def page(body: Any) -> tuple[list[dict[str, Any]], str | None]:
    return page_of(body)


@pytest.mark.parametrize("expect", ["list", "any"])
@pytest.mark.parametrize("name", ["returns_list_page", "returns_list_array", "asn", "allowlist", "destinations"])
def test_the_documented_bodies(name: str, expect: Any) -> None:
    """All rows of every sample arrive over the wire, whatever envelope they are in."""
    raw = json.loads((SAMPLES / f"{name}.json").read_text())
    rows = raw if isinstance(raw, list) else next(value for value in raw.values() if isinstance(value, list))
    with Loopback(Scripted(raw)) as server, client_of(server) as client:
        got, cursor = page_of(client.get(RETURNS_PATH, expect=expect).body)
    assert [row["id"] for row in got] == [row["id"] for row in rows]
    assert bool(cursor) == (name == "returns_list_page")


@pytest.mark.parametrize("field", ["nextPageUrl", "next_page_url"])
@pytest.mark.parametrize(
    "link",
    [
        "https://api.loopreturns.com/api/v1/warehouse/return/list?to=x&filter=created_at&cursor=ab%2B%3D&pageSize=5",
        "https://elsewhere.example.com/?cursor=ab%2B%3D",
        "/warehouse/return/list?cursor=ab%2B%3D",
        "?cursor=ab%2B%3D",
    ],
)
def test_only_the_cursor_is_taken(field: str, link: str) -> None:
    """From a link to any host, or none, only the decoded cursor comes back."""
    assert page({"returns": ROWS, field: link}) == (ROWS, "ab+=")


@pytest.mark.parametrize("body", [ROWS, {"returns": ROWS}, {"data": ROWS}, {"returns": ROWS, "nextPageUrl": None}])
def test_the_last_page_has_no_cursor(body: Any) -> None:
    """A bare array, or an envelope without a link, is the end."""
    assert page(body) == (ROWS, None)


def test_rows_are_found_beside_other_lists() -> None:
    """Of several lists in an envelope the rows are taken; a page may be empty."""
    assert page({"warnings": [1], "returns": ROWS, "errors": []}) == (ROWS, None)
    assert page({"returns": []}) == ([], None)
    assert page({"allowlists": ROWS, "links": [{"id": 9}]}) == (ROWS, None)


@pytest.mark.parametrize(
    "body",
    [
        {}, None, True, "rows", {"returns": None}, {"returns": {"id": 1}}, {"a": [], "b": []}, [1], [[]], [None],
        [{"id": None}], [{"id": ""}], [{}], {"returns": [{"id": "1"}, {"total": "5"}]},
        {"returns": ROWS, "nextPageUrl": "https://example.com/"}, {"returns": ROWS, "nextPageUrl": "?cursor="},
        {"returns": ROWS, "nextPageUrl": 5}, {"returns": ROWS, "nextPageUrl": {"href": "?cursor=a"}},
        {"returns": ROWS, "nextPageUrl": "http://[broken?cursor=a"},
    ],
)  # fmt: skip # a list
def test_what_is_no_page_is_refused(body: Any) -> None:
    """A body without rows, a row without an id, or a next page without a cursor is never taken for the end."""
    with pytest.raises(InvalidResponseError, match="Run again"):
        page(body)


@pytest.mark.parametrize(
    ("date", "seen"),
    [("Sat, 21 Nov 2026 10:00:00 GMT", "2026-11-21T10:00:00+00:00"), ("soon", "None"), ("", "None")],
)
def test_the_servers_clock_is_told(date: str, seen: str) -> None:
    """The answer carries the server's own time, UTC, or None if it didn't say."""
    with Loopback(Scripted(ROWS, headers={"Date": date})) as server, client_of(server) as client:
        moment = client.get(RETURNS_PATH).server_time
    assert str(moment and moment.isoformat()) == seen
