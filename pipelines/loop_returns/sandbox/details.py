"""`GET /warehouse/return/details`: one return, in another form than in the list.

Source: docs.loopreturns.com/api-reference/latest/return-data/get-return-details; ids are numbers, times have
no zone, and a return that does not exist is HTTP 200 with an error object (w6w). With `currency_type=presentment` each
amount is in the shopper's currency, rounded by itself, so sums can be a cent off; only here does a refund have an amount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from loop_returns.sandbox.money import cents, money
from loop_returns.sandbox.responses import InvalidParameterError, SandboxResponse, json_response
from loop_returns.sandbox.times import bare, second_of
from loop_returns.sandbox.type_variants import MONEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loop_returns.sandbox.shop_contents import ShopContents

_BY: Final = ("return_id", "order_id", "order_name")
_GATEWAYS: Final = ("shopify_payments", "shopify_payments", "paypal", "Stripe", "manual")
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


def details(shop: ShopContents, params: Mapping[str, str], vary: Callable[[bytes], bytes]) -> SandboxResponse:
    """Answer a request for one return by `return_id`, `order_id` (Shopify's) or `order_name`.

    `vary` turns the details into those that are sent.

    Raises:
        InvalidParameterError: not exactly one of them was sent, or `currency_type` is unknown.
    """
    identifiers = [name for name in _BY if params.get(name)]
    if len(identifiers) != 1:
        raise InvalidParameterError("return_id", "Exactly one of return_id, order_id and order_name is required.")
    if params.get("currency_type", "shop") not in ("shop", "presentment"):
        raise InvalidParameterError("currency_type", "The selected currency type is invalid.")
    with shop.lock:
        number = next(_find(shop, identifiers[0], params[identifiers[0]]), None)
        if number is None:
            return json_response({"error": {"message": "No return found with this ID."}})
        body = shop.body(number)
        unlisted = shop.store.unlisted(number)
    form = _details_form(body, unlisted.refunded)
    if params.get("currency_type") == "presentment" and unlisted.rate is not None:
        form = _converted(form, unlisted.rate) | {"currency": body["presentment"]["currency"]}
        for refund in form["refunds"]:
            refund["currency"] = form["currency"]
    return SandboxResponse(200, vary(msgspec.json.encode(form)))


def _find(shop: ShopContents, name: str, value: str) -> Iterator[str]:
    if name == "return_id":
        yield from [value] if value in shop.store else []
        return
    field = "provider_order_id" if name == "order_id" else "order_name"
    for number in shop.ids():
        if str(shop.body(number).get(field)).lstrip("#") == value.lstrip("#"):
            yield number


def _converted(row: dict[str, Any], rate: float) -> dict[str, Any]:
    """The row with all its money in the currency that the shopper saw; also what is below it."""
    return {name: _in_other_currency(name, value, rate) for name, value in row.items()}


def _in_other_currency(name: str, value: Any, rate: float) -> Any:
    if isinstance(value, list):
        return [_converted(each, rate) if isinstance(each, dict) else each for each in value]
    if name not in MONEY or value is None:
        return value
    amount = money(round(cents(value) * rate))
    return amount if isinstance(value, str) else float(amount)


def _details_form(body: dict[str, Any], refunded: tuple[int, ...]) -> dict[str, Any]:
    exchanges = body.get("exchanges") or [{}]
    refunds = body.get("shopify_refund_object", [])
    amounts = [body["total"]] * (len(refunds) - len(refunded)) + [money(amount) for amount in refunded]
    fields = {name: value for name, value in _numbered(body).items() if name not in _LISTED_ONLY}
    first_name, _, last_name = str(body["customer"] or "").partition("@")[0].partition(".")
    fields |= {name: _zone_less(body[name]) for name in _TIMES}
    fields |= {
        "label_rate": float(body["label_rate"]) if body.get("label_rate") else None,
        "customer": f"{first_name} {last_name}".title(),
        "customer_email": body["customer"],
        "customer_first_name": first_name.title(),
        "customer_last_name": last_name.title(),
        "exchange": exchanges[0].get("exchange_order_name"),
        "exchange_order_name": exchanges[0].get("exchange_order_name"),
        "exchange_order_id": _number(exchanges[0].get("exchange_order_id")),
        "refunds": [
            {
                "gateway": _GATEWAYS[(shopify if isinstance(shopify, int) else int(refund["id"])) % len(_GATEWAYS)],
                "amount": amount,
                "currency": body["currency"],
                "provider_refund_id": None if shopify is None else str(shopify),
            }
            for refund, amount in zip(refunds, amounts, strict=True)
            for shopify in [refund["provider_refund_id"]]
        ],
        "line_items": [_line(row) for row in body["line_items"]],
        "labels": [row | {"updated_at": _zone_less(row["updated_at"])} for row in body["labels"]],
    }
    return fields


def _line(row: dict[str, Any]) -> dict[str, Any]:
    row = _numbered(row)
    title, _, variant = str(row["title"]).partition(" - ")
    row["reason"], row["parent_reason"] = row.pop("return_reason"), row.pop("parent_return_reason")
    image = f"https://cdn.example.com/products/{title.replace(' ', '_')}.jpg"
    return row | {"line_item_title": title, "variant_title": variant or None, "image": image}


def _numbered(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) if name in _NUMBERS else value for name, value in row.items()}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _zone_less(value: object) -> str | None:
    second = second_of(value)
    return None if second is None else bare(second)
