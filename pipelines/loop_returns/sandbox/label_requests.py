"""Label requests: what Loop asks a merchant's own label printer for. All invented.

Fields: docs.loopreturns.com/api-reference/latest/label-requests. Amounts are in the currency's smallest unit, so a yen
has no cents and a dinar has a thousand. Nothing tells when a request was fulfilled or cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.catalogue import DESTINATIONS, EXPONENTS, RATES
from loop_returns.sandbox.money import cents
from loop_returns.sandbox.other_records import SHOP_ID
from loop_returns.sandbox.times import DAY, second_of, with_offset

if TYPE_CHECKING:
    import random

_FIRST: Final = 67_329_889_100_573
_OFFSETS: Final = (0, -300, 120, 330)  # minutes from UTC
_VALUES: Final = RATES | {"JPY": 151.0, "KWD": 0.307}
_ALSO_PRICED_IN: Final = (None, None, "CAD", "JPY", "KWD")
_FULFILLED: Final = 0.8  # of the requests that are settled


def past_requests(
    rng: random.Random, more: random.Random, bodies: dict[str, dict[str, Any]], *, end: int
) -> list[dict[str, Any]]:
    """Requests for a tenth of the returns, oldest first, each made minutes after its return was submitted.

    What `rng` gives is drawn as it always was, so that a seed's shop lives on as before; the rest comes from `more`.
    """
    chosen = rng.sample(list(bodies), len(bodies) // 10)
    for _ in chosen:
        rng.randrange(90 * DAY)
    rows: list[dict[str, Any]] = []
    for number in sorted(chosen, key=lambda each: (second_of(bodies[each]["created_at"]) or 0, int(each))):
        at = min(end, (second_of(bodies[number]["created_at"]) or end) + more.randint(20, 900))
        row = request(more, _FIRST + len(rows), bodies[number], at=at)
        status, row["parcel"]["weight"] = rng.choice(("issued", "fulfilled", "cancelled")), rng.randint(200, 4000)
        if status != "issued":
            settle(row, status, at=min(end, at + 600))
        rows.append(row)
    return rows


def request(more: random.Random, key: int, body: dict[str, Any], *, at: int) -> dict[str, Any]:
    """A new request for a return."""
    return {
        "id": str(key),
        "addresses": {"origin": _origin(more), "destination": _target()},
        "parcel": {"height": 5, "length": 20.2, "width": 10.9, "weight": more.choice((400, 65.9, 1200))},
        "products": [_product(more, row, body["currency"]) for row in body["line_items"]],
        "errors": [],
        "return_id": int(body["id"]),
        "shop_id": SHOP_ID,
        "status": "issued",
        "created_at": with_offset(at, more.choice(_OFFSETS)),
    }


def next_key(rows: list[dict[str, Any]]) -> int:
    """The id of the next request."""
    return max((int(row["id"]) for row in rows), default=_FIRST - 1) + 1


def settle(row: dict[str, Any], status: str, *, at: int) -> None:
    """Fulfil or cancel a request; no field tells when, except that of the error."""
    row["status"] = status
    if status == "cancelled":
        text = "Failed to generate a label, the origin address is invalid"
        row["errors"] = [{"reason": "INVALID_ADDRESS", "message": text, "created_at": with_offset(at, 0)}]


def any_settled_status(more: random.Random) -> str:
    """How a request ends: mostly it is fulfilled."""
    return "fulfilled" if more.random() < _FULFILLED else "cancelled"


def _product(more: random.Random, row: dict[str, Any], currency: str) -> dict[str, Any]:
    also = more.choice(_ALSO_PRICED_IN)
    currencies = [currency] if also in (None, currency) else [currency, also]
    if also == "JPY" and more.random() < 0.3:  # noqa: PLR2004  # some are priced in nothing else
        currencies = ["JPY"]
    value = cents(row["price"]) / 100 / _VALUES.get(currency, 1.0)
    return {
        "name": row["title"],
        "price": [{"amount": _smallest_unit(value, each), "currency": each} for each in currencies],
        "country_of_origin": more.choice(("USA", "PRT", None)),
        "hs_code": more.choice(("61051000", "64039100", None)),
        "sku": row["sku"],
    }


def _smallest_unit(dollars: float, currency: str) -> int:
    return round(dollars * _VALUES.get(currency, 1.0) * 10.0 ** EXPONENTS.get(currency, 2))


def _origin(more: random.Random) -> dict[str, Any]:
    if more.random() < 0.5:  # noqa: PLR2004  # half know nothing but the address
        rest = {"region": None, "postal_code": "LS1 1AA", "country": None, "country_code": "GB"}
        return {"name": None, "company": None, "address1": "9 Other Rd", "address2": None, "city": "Leeds", **rest}
    rest = {"region": "OH", "postal_code": "01234", "country": "United States of America", "country_code": "US"}
    street = {"address1": f"{more.randint(1, 999)} Example St", "address2": "Box 123", "city": "Columbus"}
    return {"name": "Example Shopper", "company": "Acme, Co", **street, **rest}


def _target() -> dict[str, Any]:
    warehouse = DESTINATIONS[0]["address"]
    return {name: warehouse[name] for name in ("name", "company", "address1", "address2", "city")} | {
        "region": warehouse["state"],
        "postal_code": warehouse["zip"],
        "country": warehouse["country"],
        "country_code": warehouse["country_code"],
    }
