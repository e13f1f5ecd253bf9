"""What Loop says of a single return and not in its list: a name, amounts of refunds, money as the shopper saw it.

Fields: docs.loopreturns.com/api-reference/latest/return-data/get-return-details. No match answers HTTP 200 with an error.
"""

from http import HTTPStatus
from typing import Any, Final

from loop_returns.api.facts import DETAILS_PATH
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.errors import NotFoundError
from loop_returns.tables.children import LINE_ITEMS
from loop_returns.tables.resource import Get, Reads, Resource
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import OF_SET, RETURN_ID, SHOP, Column, Pii, Row, Table, Type, json, key, money, own, text

_SHOWN: Final = "presentment_"  # before the name of an amount as the shopper saw it


def _of_list(table: Table) -> tuple[Column, ...]:
    """The columns of the list's own table that are no key."""
    return tuple(one for one in table.columns if one.path and one.nullable)


def _presentment(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The amounts among the columns in the shopper's currency, in which labels are not paid."""
    amounts = [one for one in columns if one.type is Type.DECIMAL and one.name != "label_rate"]
    return tuple(money(_SHOWN + one.name, f"The same in the shopper's currency: {one.description}") for one in amounts)


_TABLE: Final = Table(
    name="return_details",
    description="One row per return, as Loop shows it when asked for it alone.",
    key=("shop", "return_id"),
    replace_by=("shop", "return_id"),
    columns=(
        SHOP,
        RETURN_ID,
        *_of_list(RETURNS),
        text("customer_email", "The shopper's e-mail address.", Pii.PERSONAL),
        text("customer_first_name", "The shopper's first name.", Pii.PERSONAL),
        text("customer_last_name", "The shopper's last name.", Pii.PERSONAL),
        text("exchange", "The order of the exchange.", Pii.PSEUDONYM),
        text("exchange_order_name", "That order's name.", Pii.PSEUDONYM),
        text("exchange_order_id", "The Shopify order of the exchange.", Pii.PSEUDONYM),
        json("labels", "The labels, each with what the carrier reported last.", Pii.PERSONAL),
        text("presentment_currency", "The shopper's currency, ISO 4217; null where it is the shop's."),
        *_presentment(RETURNS.columns),
        *OF_SET,
    ),
)

_REFUNDS: Final = Table(
    name="return_detail_refunds",
    description="One row per refund of a return, with its amount, which Loop says nowhere else.",
    key=("shop", "return_id", "refund_index"),
    replace_by=("shop", "return_id"),
    columns=(
        SHOP,
        RETURN_ID,
        own("refund_index", Type.INTEGER, "Position of the refund in the return, from 0.", nullable=False),
        text("provider_refund_id", "The Shopify refund; joins `return_refunds.provider_refund_id`.", Pii.PSEUDONYM),
        text("gateway", "What the money went back through."),
        money("amount", "How much."),
        text("currency", "In which currency, ISO 4217."),
        *OF_SET,
    ),
)

_LINES: Final = Table(
    name="return_detail_lines",
    description="One row per returned unit, as Loop shows it with its return alone.",
    key=("shop", "return_id", "line_item_id"),
    replace_by=("shop", "return_id"),
    columns=(
        SHOP,
        RETURN_ID,
        key("line_item_id", "Loop's id of the returned unit; joins `return_line_items.line_item_id`."),
        *(one for one in _of_list(LINE_ITEMS) if one.name not in {"return_reason", "parent_return_reason"}),
        text("reason", "The reason the shopper chose."),
        text("parent_reason", "The reason one level up."),
        text("line_item_title", "The product in words."),
        text("variant_title", "The variant in words."),
        text("image", "A picture of the product."),
        *_presentment(LINE_ITEMS.columns),
        *OF_SET,
    ),
)


def _read(get: Get, return_id: str) -> list[Row]:
    """The return in the shop's currency and, where the shopper paid in another one, its amounts in that."""
    row = get({"return_id": return_id}, _details)
    if row is None:
        return []
    row.pop("id", None)  # a number, and known already
    if row.get("multi_currency") in {True, "true", "1"}:
        shown = get({"return_id": return_id, "currency_type": "presentment"}, _details)
        if shown is not None:
            row |= {"presentment_currency": shown.get("currency"), **_amounts(_TABLE, shown)}
            lines = {str(one.get("line_item_id")): one for one in _objects(shown)}
            for line in _objects(row):
                line.update(_amounts(_LINES, lines.get(str(line.get("line_item_id")), {})))
    return [row]


def _details(response: RawResponse) -> Row | None:
    """The return; None where Loop says that there is none. Raises what `parse_response` raises."""
    if response.status == HTTPStatus.NOT_FOUND:
        return None
    try:
        row: Row = parse_response(response, expect="object")
    except NotFoundError:
        return None
    return row


def _amounts(table: Table, shown: Row) -> Row:
    names = [one.name for one in table.columns if one.name.startswith(_SHOWN)]
    return {name: value for name in names if (value := shown.get(name.removeprefix(_SHOWN))) is not None}


def _objects(row: Row) -> list[dict[str, Any]]:
    lines = row.get("line_items")
    return [one for one in lines if isinstance(one, dict)] if isinstance(lines, list) else []


RETURN_DETAILS: Final = Resource(
    name="return_details",
    path=DETAILS_PATH,
    scope="Returns",
    tables=(_TABLE, _REFUNDS, _LINES),
    arrays={"refunds": _REFUNDS, "line_items": _LINES},
    reads=Reads.EACH,
    parent=RETURNS,
    by_default=False,
    read=_read,
)
