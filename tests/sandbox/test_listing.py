"""The sandbox's returns list treats ranges, states, pages and cursors as the real one is known to."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from loop_returns.sandbox import Quirks, Sandbox, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
PATH = "/warehouse/return/list"
WHOLE = {"from": "2026-07-01", "to": "2026-10-11"}
# no TLS on loopback; loading the certificates would take most of a request's time
_http_get = partial(httpx.get, verify=False)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shop.generate(seed=3, returns=60, days=90, now=NOW)) as running:
        yield running


def _get(sandbox: Sandbox, **params: Any) -> httpx.Response:
    return _http_get(sandbox.url + PATH, params=params, headers={"X-Authorization": sandbox.api_key})


def _ids(sandbox: Sandbox, **params: Any) -> list[str]:
    return [body["id"] for body in _get(sandbox, **params).json()]


def _walk(sandbox: Sandbox, **params: Any) -> list[str]:
    """All ids that paging by cursor gives."""
    ids: list[str] = []
    cursor = None
    while True:
        page = _get(sandbox, paginate="true", **params, **({"cursor": cursor} if cursor else {})).json()
        ids += [body["id"] for body in page["returns"]]
        if page["nextPageUrl"] is None:
            return ids
        cursor = parse_qs(urlsplit(page["nextPageUrl"]).query)["cursor"][0]


def _expected(sandbox: Sandbox, *states: str) -> list[str]:
    bodies = [body for body in sandbox.shop.returns_snapshot() if body["state"] in states]
    return [body["id"] for body in sorted(bodies, key=lambda body: (body["created_at"], int(body["id"])), reverse=True)]


def test_without_state_cancelled_and_review_do_not_exist(sandbox: Sandbox) -> None:
    """The default is open, closed and expired; one state can be asked for; anything else is refused."""
    assert _ids(sandbox, **WHOLE) == _expected(sandbox, "open", "closed", "expired")
    for state in ("open", "closed", "expired", "cancelled", "review"):
        assert _ids(sandbox, state=state, **WHOLE) == _expected(sandbox, state) != []
    assert _get(sandbox, state="open,closed", **WHOLE).json()["errors"]["state"]


def test_ranges_default_to_24_hours(sandbox: Sandbox) -> None:
    """Nothing sent: the last day; `from` alone: the day after it; `to` alone is ignored."""
    added = sandbox.shop.add_returns(3)
    sandbox.shop.tick(86_400 - 3)
    assert set(_ids(sandbox)) == set(added)
    assert set(_ids(sandbox, to="2026-08-01")) == set(added)
    assert set(_ids(sandbox, **{"from": "2026-10-10T12:00:00.000Z"})) == set(added)
    sandbox.shop.tick(4)
    assert _ids(sandbox) == []


def test_a_range_of_exactly_the_cap_is_refused(sandbox: Sandbox) -> None:
    """120 days are refused in Laravel's shape, a second less is not; `to` must not precede `from`."""
    refused = _get(sandbox, **{"from": "2026-06-01", "to": "2026-09-29"})
    assert refused.status_code == 422
    assert refused.json()["errors"]["from"]
    assert _get(sandbox, **{"from": "2026-06-01", "to": "2026-09-28 23:59:59"}).status_code == 200
    sandbox.quirks = Quirks(max_range_days=30)
    assert _get(sandbox, **{"from": "2026-06-01", "to": "2026-07-01"}).status_code == 422
    assert _get(sandbox, **{"from": "2026-06-02", "to": "2026-06-01"}).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [{"from": "soon", "to": "2026-01-01"}, {"filter": "closed_at"}, {"pageSize": "751"}, {"pageSize": "0"}],
)
def test_unusable_parameters_are_refused(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    """A bad value is a 422 with the field and a message."""
    answer = _get(sandbox, **wrong)
    assert answer.status_code == 422
    assert set(answer.json()) == {"message", "errors"}
    assert set(answer.json()["errors"]) <= set(wrong)


@pytest.mark.parametrize(("at_start", "at_end"), [(True, True), (True, False), (False, True), (False, False)])
def test_borders_are_as_the_quirk_says(sandbox: Sandbox, *, at_start: bool, at_end: bool) -> None:
    """Rows on the first and last second are in or out, by the switches."""
    (first,) = sandbox.shop.add_returns(1)
    sandbox.shop.tick(9)
    (last,) = sandbox.shop.add_returns(1)
    sandbox.quirks = Quirks(from_inclusive=at_start, to_inclusive=at_end)
    found = _ids(sandbox, **{"from": "2026-10-10T12:00:01Z", "to": "2026-10-10T12:00:11Z"})
    assert (first in found, last in found) == (at_start, at_end)


def test_the_filter_decides_which_timestamp_counts(sandbox: Sandbox) -> None:
    """`filter=updated_at` finds changed returns however old, `created_at` does not."""
    changed = sandbox.shop.change(20)
    wanted = {number for number in changed if sandbox.shop.body(number)["state"] in ("open", "closed", "expired")}
    window = {"from": "2026-10-10T12:00:01Z", "to": "2026-10-10T13:00:00Z"}
    assert set(_ids(sandbox, filter="updated_at", **window)) == wanted != set()
    assert _ids(sandbox, filter="created_at", **window) == []


def test_pages_cover_everything_and_links_drop_parameters(sandbox: Sandbox) -> None:
    """The link has the legacy path and host; it drops `from`, `state` and `paginate`."""
    params = {**WHOLE, "state": "closed", "pageSize": "7"}
    page = _get(sandbox, paginate="true", **params).json()
    link = urlsplit(page["nextPageUrl"])
    assert (link.netloc, link.path) == ("api.loopreturns.com", "/api/v1/warehouse/return/list")
    assert set(parse_qs(link.query)) == {"to", "pageSize", "cursor"}
    assert page["previousPageUrl"] is None
    cursor = parse_qs(link.query)["cursor"][0]
    edge = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    created = page["returns"][-1]["created_at"]
    assert edge == {"created_at": created[:19].replace("T", " "), "_pointsToNextItems": True}
    second = _get(sandbox, paginate="true", cursor=cursor, **params).json()
    back = parse_qs(urlsplit(second["previousPageUrl"]).query)["cursor"][0]
    assert _get(sandbox, paginate="true", cursor=back, **params).json()["returns"] == page["returns"]
    sandbox.quirks = Quirks(link_host="sandbox")
    assert _get(sandbox, paginate="true", **params).json()["nextPageUrl"].startswith(sandbox.host)


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("column", ["created_at", "filter"])
def test_cursors_without_tiebreaker_lose_the_rest_of_a_second(sandbox: Sandbox, order: Any, column: Any) -> None:
    """Of rows sharing the page edge's second only those before the edge come; with a tiebreaker all come."""
    sandbox.shop.add_returns(10, same_second=True)
    sandbox.shop.bulk_change(60)
    params = {**WHOLE, "filter": "updated_at", "pageSize": "4", "state": "open"}
    whole = set(_ids(sandbox, **params))
    for cursor in ("timestamp", "opaque"):
        sandbox.quirks = Quirks(cursor=cursor, order=order, cursor_column=column)  # type: ignore[arg-type]
        found = _walk(sandbox, **params)
        assert set(found) < whole
        assert len(found) == len(set(found))
    sandbox.quirks = Quirks(cursor="tiebreaker", order=order, cursor_column=column)
    assert sorted(_walk(sandbox, **params)) == sorted(whole)


def test_an_opaque_cursor_shows_no_timestamp(sandbox: Sandbox) -> None:
    """It is base64 like the others, but neither column nor second can be read from it."""
    sandbox.quirks = Quirks(cursor="opaque")
    page = _get(sandbox, paginate="true", pageSize=2, **WHOLE).json()
    plain = base64.urlsafe_b64decode(parse_qs(urlsplit(page["nextPageUrl"]).query)["cursor"][0] + "==")
    assert set(json.loads(plain)) == {"iv", "value", "mac"}
    assert b"created_at" not in plain
    assert b"2026" not in plain


def test_a_stuck_cursor_repeats(sandbox: Sandbox) -> None:
    """With that quirk the second page's link leads to the second page again."""
    sandbox.quirks = Quirks(stuck_cursor=True)
    first = _get(sandbox, paginate="true", pageSize=2, **WHOLE).json()
    cursor = parse_qs(urlsplit(first["nextPageUrl"]).query)["cursor"][0]
    second = _get(sandbox, paginate="true", pageSize=2, cursor=cursor, **WHOLE).json()
    assert parse_qs(urlsplit(second["nextPageUrl"]).query)["cursor"] == [cursor]


def test_every_version_and_only_get_is_served(sandbox: Sandbox) -> None:
    """Version segments v1, latest, unstable, dated and none answer alike; writes are refused with 405."""
    key = {"X-Authorization": sandbox.api_key}
    for version in ("/v1", "/latest", "/unstable", "/2026-07", "/2026-10", ""):
        assert _http_get(f"{sandbox.host}/api{version}{PATH}", headers=key).status_code == 200
    assert _http_get(f"{sandbox.host}/api/newest{PATH}", headers=key).status_code == 404
    assert httpx.post(sandbox.url + PATH, headers=key, json={}).status_code == 405
    assert httpx.delete(sandbox.url + PATH, headers=key).status_code == 405
