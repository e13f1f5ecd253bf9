"""What the shop holds besides returns: allowlist, blocklist and label requests. All invented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loop_returns.sandbox.catalogue import DESTINATIONS
from loop_returns.sandbox.times import DAY, iso

if TYPE_CHECKING:
    import random


def allowlist() -> list[dict[str, Any]]:
    """Entries of the allowlist: more than one page."""
    rows = [("order", f"#{7_382_000 + index}", None) for index in range(18)]
    return _numbered([*rows, ("email", "vip@example.com", None)])


def blocklist() -> list[dict[str, Any]]:
    """Entries of the blocklist, of every type."""
    rows: list[tuple[str, str, str | None]] = [("email", f"blocked.{index}@example.com", None) for index in range(13)]
    rows += [("order", "#7382999", "example.2@example.com"), ("product_tag", "final-sale", None)]
    return _numbered([*rows, ("product", "29871298311111", None)])


def _numbered(rows: list[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    return [
        {"id": number, "type": kind, "value": value, "secondary_value": second}
        for number, (kind, value, second) in enumerate(rows, start=1)
    ]


def label_requests(rng: random.Random, ids: list[str], *, end: int) -> list[dict[str, Any]]:
    """Label requests for a tenth of the returns, oldest first, in the last 90 days before `end` (seconds)."""
    chosen = rng.sample(ids, len(ids) // 10)
    seconds = sorted(end - rng.randrange(90 * DAY) for _ in chosen)
    return [
        _label_request(rng, number, 67_329_889_100_573 + index, at)
        for index, (number, at) in enumerate(zip(chosen, seconds, strict=True))
    ]


def _label_addresses() -> dict[str, Any]:
    origin = {
        "name": "Example Shopper",
        "company": None,
        "address1": "9 Other Rd",
        "address2": None,
        "city": "Leeds",
    }
    origin |= {"region": None, "postal_code": "LS1 1AA", "country": None, "country_code": "GB"}
    warehouse = DESTINATIONS[0]["address"]
    target = {name: warehouse[name] for name in ("name", "company", "address1", "address2", "city")}
    target |= {
        "region": warehouse["state"],
        "postal_code": warehouse["zip"],
        "country": warehouse["country"],
        "country_code": "US",
    }
    return {"origin": origin, "destination": target}


def _label_request(rng: random.Random, number: str, key: int, at: int) -> dict[str, Any]:
    status = rng.choice(("issued", "fulfilled", "cancelled"))
    error = {
        "reason": "INVALID_ADDRESS",
        "message": "Failed to generate a label, the origin address is invalid",
    }
    when = iso(at)[:19] + "+00:00"
    return {
        "id": str(key),
        "addresses": _label_addresses(),
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
        "errors": [error | {"created_at": when}] if status == "cancelled" else [],
        "return_id": int(number),
        "shop_id": 50,
        "status": status,
        "created_at": when,
    }
