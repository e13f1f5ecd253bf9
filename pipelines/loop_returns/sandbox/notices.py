"""Rows of the ASN report, derived from a return: one per line item, `id` being the return's or a number of the row's own.

Fields: docs.loopreturns.com/api-reference/latest/return-data/advanced-shipping-notice. Row identity is not
documented: a shop plays either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loop_returns.sandbox import catalogue
from loop_returns.sandbox.times import bare, iso_short, second_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox.bodies import Return

_SERVICES = {name: service for name, service, _, _ in catalogue.CARRIERS}
_DESTINATIONS = {str(destination["id"]): destination for destination in catalogue.DESTINATIONS}


def _short(value: object) -> str | None:
    second = second_of(value)
    return None if second is None else iso_short(second)


def notices(ret: Return, id_of: Callable[[str], int]) -> list[dict[str, Any]]:
    """The report's rows of a return, in the order of its line items; `id_of` gives the id of a line item's row."""
    body, delivered = ret.body, ret.unlisted.delivered is not None
    order, parcel, dates, method = (
        _order_fields(body),
        _parcel_fields(body),
        _label_and_date_fields(ret),
        _method_fields(ret),
    )
    return [
        {
            "id": id_of(line["line_item_id"]),
            "return_line_item_id": line["line_item_id"],
            **order,
            "title": line["title"],
            "purchase_price": line["price"],
            "sku": line["sku"],
            "barcode": line["barcode"],
            **parcel,
            "restock_status": _restock(line, delivered=delivered),
            **dates,
            "return_reason": line["return_reason"],
            **method,
        }
        for line in body["line_items"]
    ]


def _order_fields(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "order_id": body["order_id"],
        "order_name": body["order_name"],
        "order_number": body["order_number"],
        "provider_order_number": body["provider_order_number"],
        "state": body["state"],
        "customer_email": body["customer"],
    }


def _parcel_fields(body: dict[str, Any]) -> dict[str, Any]:
    tracked = body["tracking_number"] if body["labels"] else None
    return {
        "carrier": body["carrier"],
        "service": _SERVICES.get(body["carrier"]),
        "label_status": body["label_status"],
        "tracking_number": body["tracking_number"],
        "integration_tracking_url": f"https://example.com/track/{tracked}" if tracked else None,
    }


def _label_and_date_fields(ret: Return) -> dict[str, Any]:
    body = ret.body
    return {
        "currency": body["currency"],
        "label_updated_at": _short(body["label_updated_at"]),
        "label_url": body["label_url"],
        "label_rate": body["label_rate"],
        "closed_at": None if ret.unlisted.closed is None else iso_short(ret.unlisted.closed),
        "updated_at": _short(body["updated_at"]),
        "created_at": _short(body["created_at"]),
    }


def _method_fields(ret: Return) -> dict[str, Any]:
    body, unlisted = ret.body, ret.unlisted
    code, state, provider, scannable = _method(body["return_method"])
    return {
        "actioned_by": unlisted.actioned_by,
        "return_method": provider,
        "return_method_rma_code": code,
        "return_method_state": state,
        "date_delivered": None if unlisted.delivered is None else bare(unlisted.delivered),
        "outcome": body["outcome"],
        "scannable_id": scannable,
        "package_reference": body["package_reference"],
        "shipping_box_barcode": f"SB-{body['id']}" if code else None,
        "provider_created_at": iso_short(unlisted.ordered),
        **_destination(body["destination_id"]),
        "consolidation_tracking": None,
    }


def _method(method: object) -> tuple[str | None, str | None, str | None, str | None]:
    """RMA code, state, provider and scannable id of a return method in either of its forms."""
    if isinstance(method, dict):
        return method.get("rma_id"), method.get("state"), method.get("provider"), method.get("scannable_id")
    return None, None, method if isinstance(method, str) else None, None


def _restock(line: dict[str, Any], *, delivered: bool) -> str | None:
    if line["disposition"]:
        return "restocked" if line["disposition"]["disposition_outcome"] == "back_to_stock" else "not_restocked"
    return "pending" if delivered else None


def _destination(key: object) -> dict[str, Any]:
    destination = _DESTINATIONS.get(str(key), {})
    address = destination.get("address", {})
    parts = ("address1", "address2", "city", "state", "zip")
    return {
        "destination_id": None if key is None else str(key),
        "destination_name": destination.get("name"),
        **{f"destination_{part}": address.get(part) for part in parts},
    }
