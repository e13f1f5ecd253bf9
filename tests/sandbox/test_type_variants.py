"""A body with type variants means the same as the canonical one, in other types from request to request."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.sandbox import Quirks, Sandbox, Shop
from loop_returns.sandbox.times import iso
from loop_returns.sandbox.type_variants import vary_types

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
OTHERS = ("/destinations", "/allowlists", "/happy-returns/shipments", "/webhooks", "/warehouse/return/details")
WINDOW = {"from": "2026-08-01", "to": "2026-10-11"}
# no TLS on loopback; loading the certificates would take most of a request's time
_http_get = partial(httpx.get, verify=False)


def _moment(value: Any) -> datetime | None:
    """A timestamp of any form."""
    if isinstance(value, dict) and set(value) == {"date", "timezone_type", "timezone"}:
        naive = datetime.fromisoformat(value["date"])
        if value["timezone_type"] == 1:
            return datetime.fromisoformat(value["date"] + value["timezone"])
        return naive.replace(tzinfo=ZoneInfo(value["timezone"])).astimezone(UTC)
    if isinstance(value, str) and len(value) > 18 and value[4] == value[7] == "-":
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _plain(value: Any) -> Any:
    """One form for everything that means the same."""
    moment = _moment(value)
    if moment is not None:
        return moment.astimezone(UTC)
    if isinstance(value, dict):
        return {key: _refunds(each) if key == "shopify_refund_object" else _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    try:
        return Decimal(value)
    except ArithmeticError:
        return value


def _refunds(value: Any) -> Any:
    return _plain(value if isinstance(value, list) else [value])


def _shapes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shapes(each) for key, each in value.items()}
    return [_shapes(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_answers_with_type_variants_mean_the_same_and_vary() -> None:
    """Over HTTP: equal meaning, other types, and other ones at the next request."""
    with Sandbox(Shop.generate(seed=6, returns=60, days=90, now=NOW)) as sandbox:
        for path in ("/warehouse/return/list", "/warehouse/reporting/asn", *OTHERS):

            def get(path: str = path) -> Any:
                params = {"return_id": "40000009"} if path.endswith("/details") else WINDOW
                answer = _http_get(sandbox.url + path, params=params, headers={"X-Authorization": sandbox.api_key})
                return json.loads(answer.text, parse_float=Decimal)

            sandbox.quirks = Quirks()
            canonical = get()
            sandbox.quirks = Quirks(type_variants=0.5)
            answers = [get() for _ in range(8)]  # of few rows some come as before by chance
            assert all(_plain(each) == _plain(canonical) for each in answers)
            assert len({json.dumps(_shapes(each)) for each in (canonical, *answers)}) >= 3


def test_every_kind_of_drift_occurs() -> None:
    """Ids, money, rates, all three time formats and the single refund object come in their other types."""
    shop = Shop.generate(seed=6, returns=60, days=90, now=NOW)
    raws = [shop.store.raw(number) for number in shop.ids()]
    rng = random.Random(1)
    bodies = [json.loads(vary_types(raw, rng, 0.5)) for raw in raws]
    assert {type(body["id"]) for body in bodies} == {str, int}
    assert {type(body["refund"]) for body in bodies} >= {str, float}
    assert {type(body["destination_id"]) for body in bodies} == {str, int, type(None)}
    assert {type(body["label_rate"]) for body in bodies} >= {str, float}
    assert {type(body["shopify_refund_object"]) for body in bodies} == {list, dict}
    stamps = [body[key] for body in bodies for key in ("created_at", "updated_at")]
    assert any(isinstance(stamp, dict) and stamp["timezone_type"] == 1 for stamp in stamps)
    assert any(isinstance(stamp, dict) and stamp["timezone"] == "America/New_York" for stamp in stamps)
    assert any(isinstance(stamp, str) and " " in stamp for stamp in stamps)


@given(st.integers(min_value=1_500_000_000, max_value=1_900_000_000), st.randoms(use_true_random=False))
def test_no_time_is_shifted(second: int, rng: Any) -> None:
    """Whatever the form, also around changes to and from summer time, the moment stays."""
    row = json.loads(vary_types(json.dumps({"created_at": iso(second)}).encode(), rng, 1.0))
    moment = _moment(row["created_at"])
    assert moment is not None
    assert moment.timestamp() == second


def test_what_is_kept_as_json_and_what_nobody_declared_stay() -> None:
    """Nested free-form objects, label line ids and undeclared fields keep their types."""
    shop = Shop.generate(seed=6, returns=60, days=90, now=NOW)
    shop.add_field("extra", {"id": "1", "price": "2.00"})
    for number in shop.ids():
        canonical = shop.body(number)
        body = json.loads(vary_types(shop.store.raw(number), random.Random(2), 1.0))
        for key in ("extra", "presentment", "gift_card_presentment", "customer", "order_name"):
            assert body[key] == canonical[key]
        assert [x["line_items"] for x in body["labels"]] == [x["line_items"] for x in canonical["labels"]]
