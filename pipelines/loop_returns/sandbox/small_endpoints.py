"""The smaller endpoints: notes, destinations, allowlists, blocklists, label requests.

Sources: docs.loopreturns.com/api-reference/latest/{allowlist, blocklist, label-requests}/… and
…/openapi/destinations-api.yaml; notes as another client has seen them (w6w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.parameters import parse_moment
from loop_returns.sandbox.responses import InvalidParameterError, SandboxResponse, json_response, not_found
from loop_returns.sandbox.times import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_contents import ShopContents

_PER_PAGE: Final = 15
_LABEL_PAGE: Final = 50
_LABEL_PAGE_MAX: Final = 250


def numbered_page(rows: list[dict[str, Any]], params: Mapping[str, str], *, url: str) -> SandboxResponse:
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
    return json_response(
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


def label_request_page(shop: ShopContents, params: Mapping[str, str]) -> SandboxResponse:
    """Label requests by `from` (included), `to` (excluded), `return_id`, `status`, `limit` and `offset`."""
    low, high = parse_moment(params, "from"), parse_moment(params, "to")
    size, skip = (params.get(name, default) for name, default in (("limit", str(_LABEL_PAGE)), ("offset", "0")))
    if not (size.isdigit() and 1 <= int(size) <= _LABEL_PAGE_MAX):
        raise InvalidParameterError("limit", f"The limit must be between 1 and {_LABEL_PAGE_MAX}.")
    if not skip.isdigit():
        raise InvalidParameterError("offset", "The offset must be an integer.")
    matching = [
        row
        for row in shop.label_requests
        if (low is None or parse(row["created_at"]) >= low)
        and (high is None or parse(row["created_at"]) < high)
        and params.get("return_id", str(row["return_id"])) == str(row["return_id"])
        and params.get("status", row["status"]) == row["status"]
    ]
    return json_response({"data": matching[int(skip) : int(skip) + int(size)]})


def destination_list(shop: ShopContents, quirks: Quirks) -> SandboxResponse:
    """The destinations, or the permanent 500 of a shop with one that has no address."""
    if quirks.destination_without_address:
        return json_response({"message": "One or more destinations do not have an address."}, status=500)
    return json_response({"destinations": shop.destinations})


def notes(shop: ShopContents, number: str, quirks: Quirks) -> SandboxResponse:
    """Notes of a return; 422 with a bare `false` when it has none."""
    with shop.lock:
        texts = list(shop.store.unlisted(number).notes) if number in shop.store else []
    if not texts:
        return json_response(False, status=422)  # the whole body is that word
    return json_response(texts if quirks.notes_shape == "array" else {"notes": texts})


def one_of(rows: list[dict[str, Any]], key: str, what: str) -> SandboxResponse:
    """The row with this id, or 404."""
    match = next((row for row in rows if str(row["id"]) == key), None)
    return not_found(what) if match is None else json_response(match)
