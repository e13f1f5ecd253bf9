"""Requests to other systems for a shipping label, with the parcel and its products.

Fields: docs.loopreturns.com/api-reference/latest/label-requests. A request has no time of its last change, so those that
are still open are read again.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from loop_returns.api.facts import EXPONENTS, USUAL_EXPONENT
from loop_returns.tables.resource import Paging, Reads, Resource
from loop_returns.tables.schema import OF_ROW, OF_SET, SHOP, Column, Pii, Row, Table, Type, json, key, money, own, text, when


def _address(side: str, whose: str, pii: Pii = Pii.NONE) -> tuple[Column, ...]:
    parts = ("name", "company", "address1", "address2", "city", "region", "postal_code", "country", "country_code")
    public = ("country", "country_code")
    kinds = {part: Pii.NONE if part in public else pii for part in parts}
    return tuple(
        text(f"{side}_{part}", f"{whose}: {part.replace('_', ' ')}.", kinds[part], path=f"{side}.{part}") for part in parts
    )


_TABLE: Final = Table(
    name="label_requests",
    description="One row per label that Loop asked another system for.",
    key=("shop", "id"),
    columns=(
        SHOP,
        key("id", "Loop's id of the request."),
        text("return_id", "The return; joins `returns.id`."),
        text("shop_id", "Loop's id of the shop."),
        text("status", "issued, fulfilled or cancelled."),
        *_address("origin", "Where the parcel comes from", Pii.PERSONAL),
        *_address("destination", "Where it goes to"),
        money("parcel_height", "Height of the parcel in inches.", path="parcel.height"),
        money("parcel_length", "Length of the parcel in inches.", path="parcel.length"),
        money("parcel_width", "Width of the parcel in inches.", path="parcel.width"),
        money("parcel_weight", "Weight of the parcel in grams.", path="parcel.weight"),
        json("errors", "Why no label could be made: reason, message, time.", Pii.FREE_TEXT),
        when("created_at", "When Loop asked for it."),
        *OF_ROW,
    ),
)

_PRODUCTS: Final = Table(
    name="label_request_products",
    description="One row per product in the parcel of a label request.",
    key=("shop", "label_request_id", "product_index"),
    replace_by=("shop", "label_request_id"),
    columns=(
        SHOP,
        own("label_request_id", Type.TEXT, "The request; joins `label_requests.id`.", nullable=False),
        own("product_index", Type.INTEGER, "Position of the product in the request, from 0.", nullable=False),
        text("name", "What it is called."),
        text("sku", "Stock keeping unit."),
        text("hs_code", "Code of the customs tariff."),
        text("country_of_origin", "Where it was made."),
        money("price_amount", "The first of its prices, in units of its currency."),
        text("price_currency", "That price's currency, ISO 4217."),
        json("price", "Its prices as Loop has them: amounts in the smallest unit of each currency."),
        *OF_SET,
    ),
)


def _arranged(row: Row) -> Row:
    """The row with both addresses as fields of their own, and a price of each product in units of its currency."""
    addresses = row.get("addresses")
    if isinstance(addresses, dict):
        row = {name: value for name, value in row.items() if name != "addresses"} | addresses
    products = row.get("products")
    if isinstance(products, list):
        row["products"] = [_priced(one) if isinstance(one, dict) else one for one in products]
    return row


def _priced(product: Row) -> Row:
    """The product with its first price: an array of prices in the newest documentation, an object in older ones."""
    price: Any = product.get("price")
    first = price[0] if isinstance(price, list) and price else price
    if not isinstance(first, dict):
        return product
    currency = str(first.get("currency") or first.get("currency_code") or "")
    try:
        amount = Decimal(str(first.get("amount"))).scaleb(-EXPONENTS.get(currency.upper(), USUAL_EXPONENT))
    except InvalidOperation:  # no number: the JSON beside it says what it is
        amount = None
    return {**product, "price_amount": amount, "price_currency": currency or None}


LABEL_REQUESTS: Final = Resource(
    name="label_requests",
    path="/label-requests",
    scope="Label Requests (Read)",
    tables=(_TABLE, _PRODUCTS),
    arrays={"products": _PRODUCTS},
    paging=Paging.OFFSET,
    limit=250,
    reads=Reads.RANGE,
    alone=True,
    arrange=_arranged,
    still=("status", "issued"),
)
