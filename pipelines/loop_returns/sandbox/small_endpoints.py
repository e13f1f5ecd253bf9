"""The smaller endpoints: notes, destinations, allowlist, blocklist, label requests, webhook subscriptions.

Sources: docs.loopreturns.com/api-reference/latest/{allowlist, blocklist, label-requests}/…, …/openapi/destinations-api.yaml
and the webhooks' specification; notes as another client has seen them (w6w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.pages import NumberedPage
from loop_returns.sandbox.parameters import parse_moment
from loop_returns.sandbox.responses import InvalidParameterError, SandboxResponse, json_response, not_found, varied
from loop_returns.sandbox.times import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_records import ListName, ShopRecords

    Vary = Callable[[bytes], bytes]

_LABEL_PAGE: Final = 50
_LABEL_PAGE_MAX: Final = 250
_LABEL_STATUSES: Final = ("issued", "cancelled", "fulfilled")


def list_page(
    shop: ShopRecords, name: ListName, params: Mapping[str, str], *, quirks: Quirks, path: str, vary: Vary
) -> SandboxResponse:
    """A page of the allowlist or the blocklist; behind it the list may shift."""
    with shop.lock:
        rows = [{key: value for key, value in row.items() if key != "created_at"} for row in shop.entries(name)]
        page = NumberedPage.asked_for(rows, params, per_page=quirks.list_page, path=path)
        if page.number < page.last:
            shop.shift_list(name, quirks.page_shift)
    return page.response(vary)


def label_request_page(shop: ShopRecords, params: Mapping[str, str], *, quirks: Quirks, vary: Vary) -> SandboxResponse:
    """Label requests by `from` (included), `to` (excluded), `return_id`, `status`, `limit` and `offset`."""
    low, high = parse_moment(params, "from"), parse_moment(params, "to")
    size, skip = _whole_number(params, "limit", _LABEL_PAGE), _whole_number(params, "offset", 0)
    if not 1 <= size <= _LABEL_PAGE_MAX:
        raise InvalidParameterError("limit", f"The limit must be between 1 and {_LABEL_PAGE_MAX}.")
    size = min(size, quirks.label_page)
    if params.get("status", "issued") not in _LABEL_STATUSES:
        raise InvalidParameterError("status", "The selected status is invalid.")
    with shop.lock:
        matching = [
            row
            for row in shop.label_requests
            if (low is None or parse(row["created_at"]) >= low)
            and (high is None or parse(row["created_at"]) < high)
            and params.get("return_id", str(row["return_id"])) == str(row["return_id"])
            and params.get("status", row["status"]) == row["status"]
        ]
        matching.sort(key=lambda row: (parse(row["created_at"]), row["id"]), reverse=quirks.order == "desc")
        response = json_response({"data": varied(matching[skip : skip + size], vary)})
        if skip + size < len(matching):
            shop.shift_label_requests(quirks.page_shift)
    return response


def _whole_number(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not text.isdigit():
        raise InvalidParameterError(name, f"The {name} must be an integer.")
    return int(text)


def destination_list(shop: ShopRecords, quirks: Quirks, vary: Vary) -> SandboxResponse:
    """The destinations, or the permanent 500 of a shop with one that has no address."""
    with shop.lock:
        rows = list(shop.destinations)
    if quirks.destination_without_address or not all(row["address"] for row in rows):
        return json_response({"message": "One or more destinations do not have an address."}, status=500)
    return json_response({"destinations": varied(rows, vary)})


def notes(shop: ShopRecords, number: str, quirks: Quirks, vary: Vary) -> SandboxResponse:
    """Notes of a return; 422 with a bare `false` when it has none."""
    with shop.lock:
        texts = list(shop.store.unlisted(number).notes) if number in shop.store else []
    if not texts:
        return json_response(False, status=422)  # the whole body is that word
    rows = varied(texts, vary)
    if quirks.notes_shape == "single" and len(rows) == 1:
        return json_response(rows[0])
    return json_response({"notes": rows} if quirks.notes_shape == "object" else rows)


def webhook_list(shop: ShopRecords, vary: Vary) -> SandboxResponse:
    """The webhook subscriptions."""
    with shop.lock:
        return json_response({"webhooks": varied(shop.webhooks, vary)})


def one_of(rows: list[dict[str, Any]], key: str, what: str, vary: Vary) -> SandboxResponse:
    """The row with this id, or 404; 500 for a destination without an address."""
    match = next((row for row in rows if str(row["id"]) == key), None)
    if match is None:
        return not_found(what)
    if what == "destination" and not match["address"]:
        return json_response({"message": "One or more destinations do not have an address."}, status=500)
    return json_response(varied([match], vary)[0])
