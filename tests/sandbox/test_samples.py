"""The sandbox can serve given bodies instead of synthetic ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from loop_returns.sandbox import Sandbox, Shop
from tests.support import SAMPLES

# no TLS on loopback; loading the certificates would take most of a request's time
_http_get = partial(httpx.get, verify=False)


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


@pytest.mark.parametrize("name", ["returns_list_page.json", "returns_list_array.json"])
def test_samples_come_back_as_they_are(name: str) -> None:
    """Returns are found by their own state and creation, newest first, byte for byte the same content."""
    whole = _sample(name)
    bodies = whole["returns"] if isinstance(whole, dict) else whole
    asn = _sample("asn.json")
    shop = Shop.from_samples(returns=bodies, asn=asn, now=datetime(2023, 9, 1, tzinfo=UTC))
    with Sandbox(shop) as sandbox:

        def get(path: str, **params: str) -> Any:
            return _http_get(sandbox.url + path, params=params, headers={"X-Authorization": sandbox.api_key}).json()

        found = []
        for state in ("open", "closed", "expired", "cancelled", "review"):
            found += get("/warehouse/return/list", state=state, **{"from": "2023-01-01", "to": "2023-02-01"})
        assert sorted(found, key=lambda body: body["id"]) == sorted(bodies, key=lambda body: body["id"])
        assert get("/warehouse/reporting/asn", **{"from": "2023-08-21", "to": "2023-08-21"}) == asn
        assert get("/warehouse/reporting/asn", **{"from": "2023-08-22", "to": "2023-08-23"}) == []
    assert shop.asn_snapshot() == asn


def test_samples_can_change() -> None:
    """Life also happens to given bodies, also to those with documented fields only."""
    for name in ("returns_list_page.json", "returns_list_array.json"):
        whole = _sample(name)
        bodies = whole["returns"] if isinstance(whole, dict) else whole
        shop = Shop.from_samples(returns=bodies, now=datetime(2023, 9, 1, tzinfo=UTC))
        for _ in range(40):
            shop.change(2)
        assert {body["updated_at"][:10] for body in shop.returns_snapshot()} == {"2023-09-01"}
        assert shop.remove_line_items(1, all_of_it=True)
