"""The sandbox's ASN report has the real one's traps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from loop_returns.sandbox import Quirks, Sandbox, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
# no TLS on loopback; loading the certificates would take most of a request's time
_http_get = partial(httpx.get, verify=False)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shop.generate(seed=4, returns=120, days=200, now=NOW)) as running:
        yield running


def _get(sandbox: Sandbox, version: str = "2026-10", **params: Any) -> httpx.Response:
    url = f"{sandbox.host}/api/{version}/warehouse/reporting/asn"
    return _http_get(url, params=params, headers={"X-Authorization": sandbox.api_key})


def _keys(rows: list[dict[str, Any]]) -> set[str]:
    return {row["return_line_item_id"] for row in rows}


@pytest.mark.parametrize("column", ["created_at", "updated_at", "label_updated_at"])
def test_the_range_filters_on_the_chosen_timestamp(sandbox: Sandbox, column: Any) -> None:
    """Rows of every state in the days asked for, the last included, by the timestamp the quirk names."""
    sandbox.quirks = Quirks(asn_filter=column)
    rows = _get(sandbox, **{"from": "2026-08-01", "to": "2026-08-31"}).json()
    wanted = [row for row in sandbox.shop.asn_snapshot() if (row[column] or "")[:7] == "2026-08"]
    assert _keys(rows) == _keys(wanted) != set()
    sandbox.quirks = Quirks(asn_filter=column, asn_to_end_of_day=False)
    fewer = _get(sandbox, **{"from": "2026-08-01", "to": "2026-08-31"}).json()
    assert _keys(fewer) == _keys([row for row in wanted if row[column] < "2026-08-31T00:00:01Z"])


def test_an_unreadable_date_becomes_1970(sandbox: Sandbox) -> None:
    """Without an error it asks for all history, where no cap stops it; an unreadable `to` gives nothing."""
    everything = _keys(sandbox.shop.asn_snapshot())
    assert _keys(_get(sandbox, "2026-07", **{"from": "last week", "to": "2026-10-10"}).json()) == everything
    assert _get(sandbox, "2026-10", **{"from": "last week", "to": "2026-10-10"}).status_code == 422
    assert _get(sandbox, **{"from": "2026-10-01", "to": "soon"}).json() == []


@pytest.mark.parametrize(
    ("version", "status"),
    [("v1", 200), ("2026-07", 200), ("2026-10", 422), ("2027-01", 422), ("unstable", 422)],
)
def test_the_cap_holds_from_2026_10_on(sandbox: Sandbox, version: str, status: int) -> None:
    """Exactly 120 days are refused by newer versions, not by older; one day less is fine everywhere."""
    assert _get(sandbox, version, **{"from": "2026-06-01", "to": "2026-09-29"}).status_code == status
    assert _get(sandbox, version, **{"from": "2026-06-02", "to": "2026-09-29"}).status_code == 200


def test_latest_gets_the_cap_on_29_october_2026(sandbox: Sandbox) -> None:
    """The moving alias is 2026-07 before that day and 2026-10 from it on."""
    params = {"from": "2026-06-01", "to": "2026-09-29"}
    assert _get(sandbox, "latest", **params).status_code == 200
    sandbox.shop.tick(timedelta(days=20).total_seconds())
    assert _get(sandbox, "latest", **params).status_code == 422


def test_the_default_is_the_last_week(sandbox: Sandbox) -> None:
    """Without dates: from a week ago until the end of today."""
    wanted = [row for row in sandbox.shop.asn_snapshot() if row["created_at"] >= "2026-10-03"]
    assert _keys(_get(sandbox).json()) == _keys(wanted) != set()


def test_rows_from_outside_can_come_along(sandbox: Sandbox) -> None:
    """With that quirk so many rows of other days are in the answer."""
    window = {"from": "2026-10-01", "to": "2026-10-10"}
    inside = _keys(_get(sandbox, **window).json())
    sandbox.quirks = Quirks(asn_outside_rows=5)
    rows = _get(sandbox, **window).json()
    assert inside < _keys(rows)
    assert len(rows) == len(inside) + 5
