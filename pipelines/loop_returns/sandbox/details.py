"""`GET /warehouse/return/details`: one return, told differently from the list.

Source: docs.loopreturns.com/api-reference/latest/return-data/get-return-details; ids are numbers, times have
no zone, and a return that does not exist is HTTP 200 with an error object (w6w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.answers import Answer, RefusedError, json_answer
from loop_returns.sandbox.money import cents, money
from loop_returns.sandbox.times import bare, second_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loop_returns.sandbox.shop import Shop

_BY: Final = ("return_id", "order_id", "order_name")
_TIMES: Final = ("created_at", "updated_at", "edited_at", "label_updated_at")
_NUMBERS: Final = (
    "id",
    "order_id",
    "provider_order_id",
    "order_number",
    "provider_order_number",
    "line_item_id",
    "provider_line_item_id",
    "product_id",
    "variant_id",
    "destination_id",
    "exchange_order_id",
)
_LISTED_ONLY: Final = ("exchanges", "shopify_refund_object", "presentment", "gift_card_presentment")


def details(shop: Shop, params: Mapping[str, str]) -> Answer:
    """Answer a request for one return by `return_id`, `order_id` (Shopify's) or `order_name`.

    Raises:
        RefusedError: not exactly one of them was sent, or `currency_type` is unknown.
    """
    asked = [name for name in _BY if params.get(name)]
    if len(asked) != 1:
        raise RefusedError("return_id", "Exactly one of return_id, order_id and order_name is required.")
    if params.get("currency_type", "shop") not in ("shop", "presentment"):
        raise RefusedError("currency_type", "The selected currency type is invalid.")
    with shop.lock:
        number = next(_find(shop, asked[0], params[asked[0]]), None)
        if number is None:
            return json_answer({"error": {"message": "No return found with this ID."}})
        body = shop.body(number)
        rate = shop.shelf.facts(number).rate
    if params.get("currency_type") == "presentment" and rate is not None:
        _convert(body, rate)
    return json_answer(_retell(body))


def _find(shop: Shop, name: str, value: str) -> Iterator[str]:
    if name == "return_id":
        yield from [value] if value in shop.shelf else []
        return
    field = "provider_order_id" if name == "order_id" else "order_name"
    for number in shop.ids():
        if str(shop.body(number).get(field)).lstrip("#") == value.lstrip("#"):
            yield number


def _convert(body: dict[str, Any], rate: float) -> None:
    """Turn all money of the return into the currency the shopper saw."""
    for row in (body, *body["line_items"]):
        for name, value in row.items():
            if isinstance(value, str) and value.count(".") == 1 and value.replace(".", "").isdigit() and name != "sku":
                row[name] = money(round(cents(value) * rate))
    body["currency"] = body["presentment"]["currency"]


def _retell(body: dict[str, Any]) -> dict[str, Any]:
    swaps = body.get("exchanges") or [{}]
    told = {name: value for name, value in _numbered(body).items() if name not in _LISTED_ONLY}
    given, _, rest = str(body["customer"] or "").partition("@")[0].partition(".")
    told |= {name: _zone_less(body[name]) for name in _TIMES}
    told |= {
        "customer": f"{given} {rest}".title(),
        "customer_email": body["customer"],
        "customer_first_name": given.title(),
        "customer_last_name": rest.title(),
        "exchange": swaps[0].get("exchange_order_name"),
        "exchange_order_name": swaps[0].get("exchange_order_name"),
        "exchange_order_id": _number(swaps[0].get("exchange_order_id")),
        "refunds": [
            {
                "gateway": "Stripe",
                "amount": body["refund"],
                "currency": body["currency"],
                "provider_refund_id": str(refund["provider_refund_id"]),
            }
            for refund in body.get("shopify_refund_object", [])
        ],
        "line_items": [_line(row) for row in body["line_items"]],
        "labels": [row | {"updated_at": _zone_less(row["updated_at"])} for row in body["labels"]],
    }
    return told


def _line(row: dict[str, Any]) -> dict[str, Any]:
    told = _numbered(row)
    title, _, variant = str(told["title"]).partition(" - ")
    told["reason"], told["parent_reason"] = told.pop("return_reason"), told.pop("parent_return_reason")
    image = f"https://cdn.example.com/products/{title.replace(' ', '_')}.jpg"
    return told | {"line_item_title": title, "variant_title": variant or None, "image": image}


def _numbered(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) if name in _NUMBERS else value for name, value in row.items()}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _zone_less(value: object) -> str | None:
    second = second_of(value)
    return None if second is None else bare(second)
