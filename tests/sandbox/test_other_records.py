"""What a shop holds besides returns and notices, with the traps that the documentation of these endpoints names."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from loop_returns.sandbox import SCOPES, Quirks, Sandbox, Shop
from loop_returns.sandbox.times import parse
from tests.support import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
NEEDS = {
    "/warehouse/return/list": "returns",
    "/warehouse/return/details": "returns",
    "/destinations": "destinations:read",
    "/allowlists": "orders",
    "/blocklists": "orders",
    "/label-requests": "label_requests:read",
    "/happy-returns/shipments": "happy_returns_shipments:read",
    "/webhooks": "developer_tools",
}


@pytest.fixture(scope="module")
def generated() -> Shop:
    """A shop that no test changes."""
    return Shop.generate(seed=5, returns=300, now=NOW)


@pytest.fixture
def shop() -> Shop:
    """A small shop that may be changed."""
    return Shop.generate(seed=4, returns=40, now=NOW)


@pytest.fixture
def get() -> Iterator[Callable[..., httpx.Response]]:
    """GET from a sandbox."""
    with httpx.Client(verify=False) as http:  # no TLS on loopback

        def request(sandbox: Sandbox, path: str, **params: object) -> httpx.Response:
            given = {name.rstrip("_"): str(value) for name, value in params.items()}
            return http.get(sandbox.url + path, params=given, headers={"X-Authorization": sandbox.api_key})

        yield request


def _pages(get: Any, sandbox: Sandbox, path: str) -> tuple[list[int], list[int]]:
    """Ids from first to last page, and what each page says is the total."""
    ids, totals, number, more = [], [], 1, True
    while more:
        page = get(sandbox, path, page=number).json()
        ids += [row["id"] for row in page["data"]]
        totals.append(page["total"])
        number, more = number + 1, page["next_page_url"] is not None
    return ids, totals


def test_a_key_may_lack_any_one_scope(generated: Shop, get: Any) -> None:
    """Without a scope its endpoints, and no others, are a 401; a key with one scope opens that scope's alone."""
    with Sandbox(generated) as sandbox:

        def closed() -> set[str]:
            return {path for path in NEEDS if get(sandbox, path).status_code == 401}

        assert closed() == set()
        for scope in SCOPES:
            sandbox.quirks = Quirks(scopes=SCOPES - {scope})
            assert closed() == {path for path, needed in NEEDS.items() if needed == scope} != set()
        sandbox.quirks = Quirks(scopes=frozenset({"returns"}))
        assert closed() == {path for path, needed in NEEDS.items() if needed != "returns"}
        assert get(sandbox, "/webhooks").json()["error"]["http_code"] == "GEN-UNAUTHORIZED"
        sandbox.quirks = Quirks(scopes=frozenset(), missing_scope=403)
        assert get(sandbox, "/webhooks").status_code == 403


def test_lists_come_in_laravels_pages(generated: Shop, get: Any) -> None:
    """15 a page; links carry the page and nothing else; one behind the last is empty; only a single entry has a date."""
    sample = json.loads((SAMPLES / "blocklist.json").read_text())
    with Sandbox(generated) as sandbox:
        first, second, third = (get(sandbox, "/blocklists", page=number, anything="else").json() for number in (1, 2, 3))
        assert [list(page) for page in (first, second, third)] == [list(sample)] * 3
        assert [len(page["data"]) for page in (first, second, third)] == [15, 1, 0]
        assert first["next_page_url"] == "https://api.loopreturns.com/api/v1/blocklists?page=2"
        assert [link["label"] for link in first["links"]] == ["&laquo; Previous", 1, 2, "Next &raquo;"]
        assert (second["next_page_url"], second["total"], second["from"], second["to"]) == (None, 16, 16, 16)
        assert (third["from"], third["to"], third["next_page_url"]) == (None, None, None)
        rows = first["data"] + second["data"]
        assert {row["type"] for row in rows} == {"order", "product", "email", "product_tag"}
        assert {tuple(row) for row in rows} == {tuple(sample["data"][0])}
        alone = get(sandbox, f"/blocklists/{rows[0]['id']}").json()
        assert alone == rows[0] | {"created_at": alone["created_at"]}
        assert get(sandbox, "/allowlists/4711").status_code == 404


def test_a_list_shifts_and_shrinks_while_it_is_read(shop: Shop, get: Any) -> None:
    """Between two pages an entry goes and another slips over the edge, or one comes and another is seen twice.

    With both at once `total` does not tell, and what was read is as many as it says.
    """
    with Sandbox(shop) as sandbox:
        sandbox.quirks = Quirks(page_shift="remove")
        ids, totals = _pages(get, sandbox, "/allowlists")
        there = {row["id"] for row in shop.allowlist}
        assert (totals, len(there - set(ids)), len(set(ids) - there)) == ([19, 18], 1, 1)
        sandbox.quirks = Quirks(page_shift="insert")
        ids, totals = _pages(get, sandbox, "/allowlists")
        assert (totals, len(ids), len(set(ids))) == ([18, 19], 19, 18)
        sandbox.quirks = Quirks(page_shift="swap")
        ids, totals = _pages(get, sandbox, "/allowlists")
        there = {row["id"] for row in shop.allowlist}
        assert (totals, len(set(ids)), len(there - set(ids))) == ([19, 19], 19, 1)
        sandbox.quirks = Quirks()
        assert set(_pages(get, sandbox, "/allowlists")[0]) == there
    assert shop.add_entry("allowlist") not in there, "no id is given twice"


def test_label_requests_are_found_by_time_and_status(generated: Shop, get: Any) -> None:
    """`from` is included and `to` is not, across offsets; the rest is limit and offset, with no total."""
    rows = sorted(generated.label_requests, key=lambda row: parse(row["created_at"]), reverse=True)
    assert {row["status"] for row in rows} == {"issued", "fulfilled", "cancelled"}
    assert len({row["created_at"][19:] for row in rows}) > 1, "the same offset everywhere"
    with Sandbox(generated) as sandbox:

        def ids(**params: object) -> list[str]:
            body = get(sandbox, "/label-requests", **params).json()
            assert list(body) == ["data"]
            return [row["id"] for row in body["data"]]

        newer, older = rows[3], rows[9]
        assert ids() == [row["id"] for row in rows]
        assert ids(from_=older["created_at"], to=newer["created_at"]) == [row["id"] for row in rows[4:10]]
        assert ids(limit=4, offset=len(rows) - 2) == [row["id"] for row in rows[-2:]]
        assert ids(status="issued") == [row["id"] for row in rows if row["status"] == "issued"]
        assert ids(return_id=newer["return_id"]) == [newer["id"]]
        assert get(sandbox, f"/label-requests/{newer['id']}").json() == newer
        assert get(sandbox, "/label-requests", limit=251).status_code == 422


def test_a_label_request_leaves_the_list_of_issued_ones_while_it_is_read(shop: Shop, get: Any) -> None:
    """One is fulfilled between two pages of `status=issued`, so another slips over the edge; nothing shows when it was."""
    shop.add_label_requests(6)
    with Sandbox(shop, quirks=Quirks(page_shift="remove", order="asc")) as sandbox:
        issued = {row["id"] for row in shop.label_requests if row["status"] == "issued"}
        pages = [get(sandbox, "/label-requests", status="issued", limit=3, offset=3 * skip).json() for skip in range(4)]
        seen = {row["id"] for page in pages for row in page["data"]}
        unseen = issued - seen
        assert unseen & {row["id"] for row in shop.label_requests if row["status"] == "issued"}
        assert "updated_at" not in {key for page in pages for row in page["data"] for key in row}


def test_prices_of_label_requests_are_in_the_smallest_unit(generated: Shop, get: Any) -> None:
    """A yen has no cents and a dinar has a thousand; older forms are an object and `currency_code`, ids are numbers."""
    prices = [each["price"] for row in generated.label_requests for each in row["products"]]
    amounts: dict[str, list[int]] = {}
    for price in prices:
        for money in price:
            amounts.setdefault(money["currency"], []).append(money["amount"])
    assert {"USD", "JPY", "KWD"} <= set(amounts)
    assert 1_600 <= min(amounts["USD"]) < max(amounts["USD"]) <= 32_900
    assert min(amounts["JPY"]) >= 16 * 151
    assert max(amounts["JPY"]) <= 329 * 151
    assert min(amounts["KWD"]) >= 16_000 * 0.3
    with Sandbox(generated, quirks=Quirks(type_variants=0.5)) as sandbox:
        rows = get(sandbox, "/label-requests", limit=250).json()["data"]
    shown = [each["price"] for row in rows for each in row["products"]]
    assert {type(price) for price in shown} == {list, dict}
    keys = {key for price in shown for each in (price if isinstance(price, list) else [price]) for key in each}
    assert keys == {"amount", "currency", "currency_code"}
    assert {type(row["id"]) for row in rows} == {str, int}


def test_shipments_hold_the_units_left_at_return_bars(generated: Shop, get: Any) -> None:
    """Counts fit the items; one shipment is asked for by Happy Returns' id, its items by Loop's; links name no endpoint."""
    with Sandbox(generated, quirks=Quirks(shipment_page=3)) as sandbox:
        first = get(sandbox, "/happy-returns/shipments").json()
        assert first["next_page_url"] == "https://api.loopreturns.com/api/v1/happy-returns/shipments/list?page=2"
        assert get(sandbox, "/happy-returns/shipments/list", page=2).status_code == 404
        assert first["total"] == len(generated.shipments) > 3
        sandbox.quirks = Quirks()
        rows = get(sandbox, "/happy-returns/shipments").json()["data"]
        assert all(row["updated_at"] > row["created_at"] for row in rows), "the items are scanned later"
        for row in rows:
            own, theirs = row["loop_shipment_id"], row["happy_returns_shipment_id"]
            items = get(sandbox, f"/happy-returns/shipments/{own}/items").json()["data"]
            assert {(item["shipment_id"], item["happy_returns_shipment_id"]) for item in items} == {(own, theirs)}
            assert row["line_item_count"] == len(items)
            assert row["return_count"] == len({item["return_id"] for item in items})
            for item in items:
                assert generated.body(str(item["return_id"]))["return_method"]["rma_id"] == item["happy_returns_rma_id"]
            assert get(sandbox, f"/happy-returns/shipments/{theirs}").json() == row
        assert get(sandbox, f"/happy-returns/shipments/{rows[0]['loop_shipment_id']}").status_code == 404
        assert get(sandbox, f"/happy-returns/shipments/{rows[0]['happy_returns_shipment_id']}/items").status_code == 404


def test_what_the_range_of_shipments_means_can_be_turned(shop: Shop, get: Any) -> None:
    """A shipment that got items later is found by the time of that, or only by that of its making; twins may be in it."""
    with Sandbox(shop) as sandbox:
        before = shop.shipments[0].row()
        assert shop.add_shipment_items(40, before["loop_shipment_id"]) == before["loop_shipment_id"]
        after = shop.shipments[0].row()
        assert after["updated_at"] > before["updated_at"]
        assert after["line_item_count"] == before["line_item_count"] + 40

        def found() -> list[Any]:
            answer = get(sandbox, "/happy-returns/shipments", from_=after["updated_at"], to="2026-10-11T00:00:00Z")
            return answer.json()["data"]

        assert found() == []
        sandbox.quirks = Quirks(shipment_filter="updated_at")
        assert found() == [after]
        items = shop.shipments[0].items
        assert max(Counter(json.dumps(item) for item in items).values()) > 1
        shop.add_shipment_items(1, silent=True)
        assert shop.shipments[-1].row()["updated_at"] <= after["updated_at"]
        assert get(sandbox, "/happy-returns/shipments", from_="yesterday").status_code == 422


def test_notes_have_three_shapes_and_come_later(shop: Shop, get: Any) -> None:
    """An array, an object around it, or one bare note; 422 and `false` without any; `updated_at` stays; two time formats."""
    number = shop.ids()[0]
    shop.remove_notes(number)
    before = shop.body(number)
    with Sandbox(shop) as sandbox:

        def notes(shape: Any) -> Any:
            sandbox.quirks = Quirks(notes_shape=shape)
            answer = get(sandbox, f"/warehouse/return/{number}/notes")
            return answer.status_code, answer.json()

        assert notes("array") == notes("object") == notes("single") == (422, False)
        one = shop.add_note(number, "first")
        alone = notes("single")[1]
        assert (alone["id"], alone["content"]) == (one, "first")
        assert notes("array") == (200, [alone])
        assert notes("object") == (200, {"notes": [alone]})
        shop.add_note(number)
        _, both = notes("single")
        assert {len(note["created_at"]) for note in both} == {len("2026-10-10 12:00:00"), len("2026-10-10T12:00:00.000Z")}
    assert shop.body(number) == before


def test_details_give_refunds_their_amounts_in_either_currency(generated: Shop, get: Any) -> None:
    """Refunds sum to what is paid out; in the shopper's currency every amount is converted, header, lines and refunds."""
    bodies = [body for body in generated.returns_snapshot() if body["shopify_refund_object"] and body["multi_currency"]]
    assert bodies
    with Sandbox(generated) as sandbox:
        for body in bodies[:5]:
            shops = get(sandbox, "/warehouse/return/details", return_id=body["id"]).json()
            theirs = get(sandbox, "/warehouse/return/details", return_id=body["id"], currency_type="presentment").json()
            assert sum(Decimal(each["amount"]) for each in shops["refunds"]) == Decimal(body["total"])
            assert {each["currency"] for each in shops["refunds"]} == {shops["currency"]} == {body["currency"]}
            assert (
                {each["currency"] for each in theirs["refunds"]} == {theirs["currency"]} == {body["presentment"]["currency"]}
            )
            assert (theirs["refund"], theirs["total"]) == (body["presentment"]["refund"], body["presentment"]["total"])
            rate = Decimal(theirs["refund"]) / Decimal(shops["refund"])
            for ours, converted in zip([shops, *shops["line_items"]], [theirs, *theirs["line_items"]], strict=True):
                for name in ("return_total", "handling_fee", "price", "discount", "refund", "refund_tax"):
                    if name in ours:
                        assert abs(Decimal(ours[name]) * rate - Decimal(converted[name])) <= Decimal("0.05"), name
            lines = sum(Decimal(line["refund"]) for line in theirs["line_items"])
            assert abs(lines - Decimal(theirs["refund"])) <= Decimal("0.01") * len(theirs["line_items"])


def test_a_second_refund_does_not_change_the_first(generated: Shop, get: Any) -> None:
    """What Shopify booked stays; a further refund is what was not yet paid, or something on top."""
    shop = Shop.generate(seed=4, returns=40, now=NOW)
    paid = {number: shop.store.unlisted(number).refunded for number in shop.ids()}
    for _ in range(20):
        shop.change(10)
    now = {number: shop.store.unlisted(number).refunded for number in paid}
    assert all(now[number][: len(paid[number])] == paid[number] for number in paid)
    assert any(len(now[number]) > len(paid[number]) > 0 for number in paid)
    assert all(amount > 0 for amounts in now.values() for amount in amounts)
    assert any(amounts[1:] == (500,) for amounts in now.values()), "the whole once more, or nothing"


def test_destinations_come_go_and_lose_their_address(shop: Shop, get: Any) -> None:
    """They are added, renamed, disabled, removed; one without an address makes the list, and itself, a lasting 500."""
    with Sandbox(shop) as sandbox:

        def listed() -> Any:
            answer = get(sandbox, "/destinations")
            return {row["id"]: row for row in answer.json()["destinations"]} if answer.status_code == 200 else answer.json()

        before = listed()
        assert {(row["type"], row["provider_location_id"] is None) for row in before.values()} >= {("donate", True)}
        first, second, *_ = before
        added = shop.add_destination("Example North")
        shop.change_destination(first, name="Example Dock", enabled=False)
        shop.remove_destination(second)
        assert set(listed()) == set(before) - {second} | {added}
        assert listed()[first] == before[first] | {"name": "Example Dock", "enabled": False}
        assert get(sandbox, f"/destinations/{second}").json()["code"] == "NOT_FOUND"
        shop.change_destination(added, address=None)
        assert listed() == {"message": "One or more destinations do not have an address."}
        assert [get(sandbox, f"/destinations/{number}").status_code for number in (first, added)] == [200, 500]


def test_an_answer_without_a_row_has_the_shape_of_a_good_one(generated: Shop, get: Any) -> None:
    """A hiccup may show an empty shop under HTTP 200, which nothing but its emptiness tells from a good answer."""
    paths = set(NEEDS) - {"/warehouse/return/list", "/warehouse/return/details"}
    with Sandbox(generated) as sandbox:
        good = {path: get(sandbox, path).json() for path in paths}
        sandbox.quirks = Quirks(blank=frozenset(paths))
        for path in paths:
            empty = get(sandbox, path).json()
            assert set(empty) == set(good[path])
            assert [] in empty.values()
            assert empty.get("total", 0) == 0


def test_webhook_subscriptions_have_secret_addresses(shop: Shop, get: Any) -> None:
    """Active and inactive ones, with what the documentation lists of each; they are made, changed and deleted."""
    with Sandbox(shop) as sandbox:
        rows = get(sandbox, "/webhooks").json()["webhooks"]
        assert {tuple(row) for row in rows} == {("id", "shop_id", "topic", "trigger", "url", "status")}
        assert {row["status"] for row in rows} == {"active", "inactive"}
        added = shop.add_webhook("giftcard", "giftcard.requested", status="inactive")
        shop.change_webhook(rows[0]["id"], status="inactive")
        shop.remove_webhook(rows[1]["id"])
        after = {row["id"]: row["status"] for row in get(sandbox, "/webhooks").json()["webhooks"]}
        assert after == {rows[0]["id"]: "inactive", rows[2]["id"]: rows[2]["status"], added: "inactive"}


def test_time_changes_the_other_records_and_leaves_returns_alone() -> None:
    """A day in the shop changes each kind of record, the same way for a seed; returns are what they are without that."""

    def records(shop: Shop) -> list[str]:
        rows = [each.row() for each in shop.shipments]
        kinds = (shop.destinations, shop.allowlist, shop.blocklist, shop.label_requests, rows, shop.webhooks)
        return [json.dumps(kind) for kind in kinds]

    one, other = (Shop.generate(seed=9, returns=60, now=NOW) for _ in range(2))
    before = records(one)
    for _ in range(3):
        one.live()
        other.live()
    assert records(one) == records(other)
    assert all(now != then for now, then in zip(records(one), before, strict=True))
    one.live_elsewhere(5)
    one.change(5)
    other.change(5)
    assert one.returns_snapshot() == other.returns_snapshot()
