"""The synthetic shop's bodies have the shape of the sample bodies and make sense."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from loop_returns.sandbox import Sandbox, Shop
from tests.support import SAMPLES

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
# Types that documentation and live data show beside those in the samples.
ALSO = {
    "return_method": {"str"},
    "condition_category": {"dict"},
    "label_rate": {"str", "NoneType"},
    "destination_id": {"str"},
    "rate": {"int"},
    "out_of_stock_resolution": {"str"},
    "exchange_order_id": {"NoneType"},
    "exchange_order_name": {"NoneType"},
    "restock_status": {"NoneType", "str"},
    "gift_card_presentment": {"dict"},
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.generate(seed=5, returns=300, now=NOW)


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def _types(rows: list[dict[str, Any]], under: str = "") -> dict[str, set[str]]:
    """Path -> type names, through nested objects and lists of objects; free-form objects are leaves."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            path = f"{under}{key}"
            seen.setdefault(path, set()).add(type(value).__name__)
            nested = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
            inner = [each for each in nested if isinstance(each, dict)]
            if key not in {"presentment", "gift_card_presentment", "condition_category"}:
                for name, kinds in _types(inner, f"{path}.").items():
                    seen.setdefault(name, set()).update(kinds)
    return seen


def _unlike(ours: dict[str, set[str]], theirs: dict[str, set[str]]) -> dict[str, set[str]]:
    """What of ours is neither in the samples nor a known alternative."""
    odd = {}
    for path, kinds in ours.items():
        leaf = path.rsplit(".", 1)[-1]
        known = theirs.get(path, set()) | ALSO.get(leaf, set())
        if not kinds <= known:
            odd[path] = kinds - known
    return odd


def test_return_bodies_have_exactly_the_sample_fields(shop: Shop) -> None:
    """Every field at every depth is one of the samples', none is missing; types are known ones."""
    samples = _sample("returns_list_page.json")["returns"]
    ours, theirs = _types(shop.returns_snapshot()), _types(samples)
    # nullable in the documentation although the samples have a value
    for path in ("line_items.sku", "line_items.barcode", "line_items.condition.note", "customer"):
        theirs[path] = theirs[path] | {"str", "NoneType"}
    php = {"date", "timezone_type", "timezone"}  # which of these dates are set differs
    assert {path for path in set(ours) ^ set(theirs) if path.rsplit(".", 1)[-1] not in php} == set()
    theirs |= {path: kinds for path, kinds in ours.items() if path.startswith("outcomes_processed_at.")}
    assert _unlike(ours, theirs) == {}
    assert {tuple(body) for body in shop.returns_snapshot()} == {tuple(samples[0])}


def test_asn_rows_have_exactly_the_sample_fields(shop: Shop) -> None:
    """ASN rows have the sample's fields in its order, with its types, and lines of a return share its id."""
    ours, theirs = shop.asn_snapshot(), _sample("asn.json")
    assert {tuple(row) for row in ours} == {tuple(theirs[0])}
    odd = _unlike(_types(ours), _types(theirs))
    assert odd == {}
    assert Counter(str(row["id"]) for row in ours) == Counter(
        {body["id"]: len(body["line_items"]) for body in shop.returns_snapshot() if body["line_items"]}
    )


def test_small_endpoints_have_the_sample_fields(shop: Shop) -> None:
    """Details, notes, destinations, lists and label requests answer in the shape of their sample files."""
    number = next(body["id"] for body in shop.returns_snapshot() if shop.store.unlisted(body["id"]).notes)
    with Sandbox(shop) as sandbox, httpx.Client(headers={"X-Authorization": sandbox.api_key}) as http:

        def get(path: str, **params: str) -> Any:
            return http.get(sandbox.url + path, params=params).json()

        details, sample = get("/warehouse/return/details", return_id=number), _sample("return_details.json")
        assert set(sample) <= set(details)
        assert set(sample["line_items"][0]) <= set(details["line_items"][0])
        assert isinstance(details["id"], int)
        assert len(details["created_at"]) == len("2023-08-22 14:08:31")
        assert set(get(f"/warehouse/return/{number}/notes")[0]) == set(_sample("notes.json")[0])
        assert set(get("/destinations")["destinations"][0]) == set(_sample("destinations.json")["destinations"][0])
        for name in ("allowlist", "blocklist"):
            page = get(f"/{name}s", page="2")
            assert set(page) == set(_sample(f"{name}.json"))
            assert page["next_page_url"] is None
            assert page["data"]
        requests = get("/label-requests")["data"]
        assert set(requests[0]) == set(_sample("label_requests.json")["data"][0])
        assert get("/label-requests", limit="2", offset="1")["data"] == requests[1:3]


def test_details_are_found_by_order_and_missing_ones_are_an_error_object(shop: Shop) -> None:
    """Details answer by Shopify order id and by name, convert currency; a missing return is HTTP 200."""
    body = next(each for each in shop.returns_snapshot() if each["multi_currency"] and float(each["refund"]))
    with Sandbox(shop) as sandbox, httpx.Client(headers={"X-Authorization": sandbox.api_key}) as http:
        url = f"{sandbox.url}/warehouse/return/details"
        by_name = http.get(url, params={"order_name": body["order_name"].lstrip("#")}).json()
        assert by_name["order_name"] == body["order_name"]
        by_order = http.get(url, params={"order_id": body["provider_order_id"], "currency_type": "presentment"}).json()
        assert by_order["currency"] == body["presentment"]["currency"]
        missing = http.get(url, params={"return_id": "1"})
        assert (missing.status_code, missing.json()) == (
            200,
            {"error": {"message": "No return found with this ID."}},
        )
        assert http.get(url).status_code == 422
        no_notes = http.get(f"{sandbox.url}/warehouse/return/1/notes")
        assert (no_notes.status_code, no_notes.json()) == (422, False)


def test_money_adds_up(shop: Shop) -> None:
    """Lines sum to the header; credit, refund and fee are the value; exchange, gift card, upsell follow."""
    fees = Decimal(0)
    for body in shop.returns_snapshot():
        amount = {key: Decimal(value) for key, value in body.items() if key.endswith("_total") and value}
        refund, gift, upsell = (Decimal(body[key]) for key in ("refund", "gift_card", "upsell"))
        assert refund == sum(Decimal(line["refund"]) for line in body["line_items"])
        assert amount["return_total"] == amount["return_credit_total"] + refund + Decimal(body["handling_fee"])
        assert refund == Decimal(body["total"])
        fees += Decimal(body["handling_fee"])
        assert amount["exchange_total"] == sum(Decimal(item["total"]) for item in body["exchanges"])
        assert amount["return_credit_total"] == amount["exchange_credit_total"] + gift
        assert amount["exchange_total"] == amount["exchange_credit_total"] + upsell
        for line in body["line_items"]:
            assert Decimal(line["refund"]) == Decimal(line["refund_item"]) + Decimal(line["refund_tax"])
    assert fees


def test_a_shop_is_varied_and_its_times_are_in_order(shop: Shop) -> None:
    """All states, outcomes, label steps occur, in one currency; nothing happens before submission or after now."""
    bodies = shop.returns_snapshot()
    for key, wanted in (
        ("state", {"open", "closed", "cancelled", "expired", "review"}),
        (
            "outcome",
            {"refund", "credit", "exchange", "exchange+refund", "exchange+credit", "credit+refund", "upsell"},
        ),
        ("currency", {"USD"}),
        ("multi_currency", {True, False}),
        ("was_processed", {True, False}),
    ):
        assert {body[key] for body in bodies} == wanted
    assert {"new", "delivered", "in_transit"} <= {body["label_status"] for body in bodies}
    end = "2026-10-10T12:00:00.000Z"
    for body in bodies:
        assert body["created_at"] <= body["updated_at"] <= end
        assert (body["label_updated_at"] or "") <= body["updated_at"]
    for row in shop.asn_snapshot():
        age = datetime.fromisoformat(row["created_at"]) - datetime.fromisoformat(row["provider_created_at"])
        assert 3 <= age.days <= 45
        assert (row["closed_at"] is not None) == (row["state"] == "closed")
        assert (row["date_delivered"] is not None) == (row["label_status"] == "delivered")
    shoppers = Counter(body["customer"] for body in bodies)
    assert max(count for shopper, count in shoppers.items() if shopper) >= 3
    lines = sum(len(body["line_items"]) for body in bodies) / len(bodies)
    size = sum(len(json.dumps(body, separators=(",", ":"))) for body in bodies) / len(bodies)
    assert 2.2 <= lines <= 2.8
    assert 4000 <= size <= 5000


@pytest.mark.parametrize("seed", range(5))
def test_even_a_small_shop_has_every_state(seed: int) -> None:
    """Five returns are enough for all five states, so that no pass over the states finds nothing."""
    assert len({body["state"] for body in Shop.generate(seed=seed, returns=5, now=NOW).returns_snapshot()}) == 5


def test_a_seed_makes_the_same_shop_again() -> None:
    """Seed, size and time decide every byte, also of what happens later; another seed makes another shop."""

    def lived(seed: int) -> list[Any]:
        shop = Shop.generate(seed=seed, returns=40, now=NOW)
        shop.live()
        shop.delete_returns(2)
        return [shop.returns_snapshot(), shop.asn_snapshot(), shop.label_requests]

    assert lived(7) == lived(7)
    assert lived(7) != lived(8)


def test_exchanges_come_back():
    """Some of what was sent in exchange comes back, by the exchange's own order and shopper, days after it was placed."""
    returns = Shop.generate(seed=1, returns=400, days=200, now=NOW).returns_snapshot()
    sent = {item["exchange_order_id"]: body for body in returns for item in body["exchanges"] if item["exchange_order_id"]}
    pairs = [(body, sent[body["provider_order_id"]]) for body in returns if body["provider_order_id"] in sent]
    assert len(pairs) > 20
    assert all(body["customer"] == before["customer"] for body, before in pairs)
    assert all(body["created_at"] > before["created_at"] for body, before in pairs)
    assert {body["id"] for body, _ in pairs} & {before["id"] for _, before in pairs}, "an exchange of an exchange"
