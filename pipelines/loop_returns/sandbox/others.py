"""The smaller endpoints: return details, notes, destinations, allowlists, blocklists, label requests.

Sources: docs.loopreturns.com/api-reference/latest/{return-data/get-return-details, allowlist, blocklist,
label-requests}/… and …/openapi/destinations-api.yaml; notes as another client has seen them (w6w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.answers import Answer, RefusedError, json_answer, not_found
from loop_returns.sandbox.catalogue import DESTINATIONS
from loop_returns.sandbox.listing import moment
from loop_returns.sandbox.times import DAY, iso, parse

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop import Shop

_PER_PAGE: Final = 15
_LABEL_PAGE: Final = 50
_LABEL_PAGE_MAX: Final = 250


def allowlist() -> list[dict[str, Any]]:
    """Entries of the allowlist: more than one page."""
    rows = [("order", f"#{7_382_000 + place}", None) for place in range(18)]
    return _numbered([*rows, ("email", "vip@example.com", None)])


def blocklist() -> list[dict[str, Any]]:
    """Entries of the blocklist, of every type."""
    rows: list[tuple[str, str, str | None]] = [("email", f"blocked.{place}@example.com", None) for place in range(13)]
    rows += [("order", "#7382999", "example.2@example.com"), ("product_tag", "final-sale", None)]
    return _numbered([*rows, ("product", "29871298311111", None)])


def _numbered(rows: list[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    return [
        {"id": place, "type": kind, "value": value, "secondary_value": second}
        for place, (kind, value, second) in enumerate(rows, start=1)
    ]


def label_requests(rng: random.Random, ids: list[str], *, end: int) -> list[dict[str, Any]]:
    """Label requests for a tenth of the returns, oldest first, in the last 90 days before `end` (seconds)."""
    chosen = rng.sample(ids, len(ids) // 10)
    seconds = sorted(end - rng.randrange(90 * DAY) for _ in chosen)
    return [
        _label_request(rng, number, 67_329_889_100_573 + place, at)
        for place, (number, at) in enumerate(zip(chosen, seconds, strict=True))
    ]


def _label_request(rng: random.Random, number: str, key: int, at: int) -> dict[str, Any]:
    origin = {
        "name": "Example Shopper",
        "company": None,
        "address1": "9 Other Rd",
        "address2": None,
        "city": "Leeds",
    }
    origin |= {"region": None, "postal_code": "LS1 1AA", "country": None, "country_code": "GB"}
    place = DESTINATIONS[0]["address"]
    target = {name: place[name] for name in ("name", "company", "address1", "address2", "city")}
    target |= {
        "region": place["state"],
        "postal_code": place["zip"],
        "country": place["country"],
        "country_code": "US",
    }
    status = rng.choice(("issued", "fulfilled", "cancelled"))
    trouble = {
        "reason": "INVALID_ADDRESS",
        "message": "Failed to generate a label, the origin address is invalid",
    }
    when = iso(at)[:19] + "+00:00"
    return {
        "id": str(key),
        "addresses": {"origin": origin, "destination": target},
        "parcel": {"height": 5, "length": 20.2, "width": 10.9, "weight": rng.randint(200, 4000)},
        "products": [
            {
                "name": "Black Striped Shirt",
                "price": [{"amount": 7800, "currency": "USD"}, {"amount": 10600, "currency": "CAD"}],
                "country_of_origin": "USA",
                "hs_code": "61051000",
                "sku": "SHIRT-BS-M",
            }
        ],
        "errors": [trouble | {"created_at": when}] if status == "cancelled" else [],
        "return_id": int(number),
        "shop_id": 50,
        "status": status,
        "created_at": when,
    }


def laravel_page(rows: list[dict[str, Any]], params: Mapping[str, str], *, url: str) -> Answer:
    """A page of 15 in Laravel's envelope; `page` counts from 1."""
    page = int(params["page"]) if params.get("page", "").isdigit() else 1
    last = max(1, -(-len(rows) // _PER_PAGE))
    start = (page - 1) * _PER_PAGE
    part = rows[start : start + _PER_PAGE]

    def link(number: int) -> str | None:
        return f"{url}?page={number}" if 1 <= number <= last else None

    links: list[dict[str, Any]] = [{"url": link(page - 1), "label": "&laquo; Previous", "active": False}]
    links += [{"url": link(number), "label": number, "active": number == page} for number in range(1, last + 1)]
    links.append({"url": link(page + 1), "label": "Next &raquo;", "active": False})
    return json_answer(
        {
            "data": part,
            "links": links,
            "next_page_url": link(page + 1),
            "current_page": page,
            "from": start + 1 if part else None,
            "first_page_url": link(1),
            "last_page": last,
            "last_page_url": link(last),
            "path": url,
            "per_page": _PER_PAGE,
            "prev_page_url": link(page - 1),
            "to": start + len(part) if part else None,
            "total": len(rows),
        }
    )


def label_request_page(shop: Shop, params: Mapping[str, str]) -> Answer:
    """Label requests by `from` (included), `to` (excluded), `return_id`, `status`, `limit` and `offset`."""
    low, high = moment(params, "from"), moment(params, "to")
    size, skip = (params.get(name, default) for name, default in (("limit", str(_LABEL_PAGE)), ("offset", "0")))
    if not (size.isdigit() and 1 <= int(size) <= _LABEL_PAGE_MAX):
        raise RefusedError("limit", f"The limit must be between 1 and {_LABEL_PAGE_MAX}.")
    if not skip.isdigit():
        raise RefusedError("offset", "The offset must be an integer.")
    found = [
        row
        for row in shop.label_requests
        if (low is None or parse(row["created_at"]) >= low)
        and (high is None or parse(row["created_at"]) < high)
        and params.get("return_id", str(row["return_id"])) == str(row["return_id"])
        and params.get("status", row["status"]) == row["status"]
    ]
    return json_answer({"data": found[int(skip) : int(skip) + int(size)]})


def destination_list(shop: Shop, quirks: Quirks) -> Answer:
    """The destinations, or the permanent 500 of a shop with one that has no address."""
    if quirks.destination_without_address:
        return json_answer({"message": "One or more destinations do not have an address."}, status=500)
    return json_answer({"destinations": shop.destinations})


def notes(shop: Shop, number: str, quirks: Quirks) -> Answer:
    """Notes of a return; 422 with a bare `false` when it has none."""
    with shop.lock:
        found = list(shop.shelf.facts(number).notes) if number in shop.shelf else []
    if not found:
        return json_answer(False, status=422)  # the whole body is that word
    return json_answer(found if quirks.notes_shape == "array" else {"notes": found})


def one_of(rows: list[dict[str, Any]], key: str, what: str) -> Answer:
    """The row with this id, or 404."""
    found = next((row for row in rows if str(row["id"]) == key), None)
    return not_found(what) if found is None else json_answer(found)
