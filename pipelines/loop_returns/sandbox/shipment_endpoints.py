"""`GET /happy-returns/shipments`, one of them, and its items.

Source: docs.loopreturns.com/api-reference/latest/{happy-returns-shipment, happy-returns-shipment-items}: one shipment is
asked for by Happy Returns' id, its items by Loop's, and the pages' links name a path that ends in `/list`, which is no
endpoint. What `from` and `to` filter on is not documented.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from loop_returns.sandbox.pages import NumberedPage
from loop_returns.sandbox.parameters import parse_moment
from loop_returns.sandbox.responses import SandboxResponse, json_response, not_found, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_records import ShopRecords

_SHIPMENTS: Final = "/happy-returns/shipments"
_ONE: Final = re.compile(r"^/happy-returns/shipments/([^/]+)$")
_ITEMS: Final = re.compile(r"^/happy-returns/shipments/([^/]+)/items$")


def shipment_endpoint(
    shop: ShopRecords, endpoint: str, params: Mapping[str, str], *, quirks: Quirks, path: str, vary: Callable[[bytes], bytes]
) -> SandboxResponse:
    """Answer whatever is asked below `/happy-returns`."""
    with shop.lock:
        if endpoint == _SHIPMENTS:
            return _shipments(shop, params, quirks, path).response(vary)
        if match := _ONE.match(endpoint):
            rows = [each.row() for each in shop.shipments if each.code == match[1]]
            return json_response(varied(rows, vary)[0]) if rows else not_found("shipment")
        if match := _ITEMS.match(endpoint):
            items = next((each.items for each in shop.shipments if str(each.number) == match[1]), None)
            if items is not None:
                return NumberedPage.asked_for(items, params, per_page=quirks.shipment_page, path=f"{path}/list").response(
                    vary
                )
            return not_found("shipment")
    return not_found("route")


def _shipments(shop: ShopRecords, params: Mapping[str, str], quirks: Quirks, path: str) -> NumberedPage:
    low, high = parse_moment(params, "from"), parse_moment(params, "to")
    found = [
        each
        for each in shop.shipments
        if (low if low is not None else -math.inf)
        <= getattr(each, quirks.shipment_filter)
        <= (high if high is not None else math.inf)
    ]
    found.sort(key=lambda each: (each.created_at, each.number), reverse=quirks.order == "desc")
    page = NumberedPage.asked_for([each.row() for each in found], params, per_page=quirks.shipment_page, path=f"{path}/list")
    if page.number < page.last and quirks.page_shift in ("insert", "swap"):
        shop.add_shipment(at=shop.clock.second(apart=False))
    return page
