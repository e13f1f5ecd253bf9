"""Which endpoint answers a path, and the scope its key needs. Only GET exists here: no client of the sandbox writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loop_returns.sandbox.asn_report import asn_report
from loop_returns.sandbox.details import details
from loop_returns.sandbox.listing import returns_list
from loop_returns.sandbox.pages import without_a_row
from loop_returns.sandbox.responses import (
    InvalidParameterError,
    SandboxResponse,
    forbidden,
    json_response,
    link_host,
    not_found,
    unauthorized,
)
from loop_returns.sandbox.shipment_endpoints import shipment_endpoint
from loop_returns.sandbox.small_endpoints import (
    destination_list,
    label_request_page,
    list_page,
    notes,
    one_of,
    webhook_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_records import ShopRecords

_BASE: Final = re.compile(r"^/api(?:/(v1|latest|unstable|\d{4}-\d{2}))?(/.*)$")
_OLDEST: Final = "2026-07"  # what a path without a version means
_NOTES: Final = re.compile(r"^/warehouse/return/([^/]+)/notes$")
_ONE: Final = re.compile(r"^/(destinations|allowlists|blocklists|label-requests)/([^/]+)$")
_SCOPES: Final = {
    "warehouse": "returns",
    "allowlists": "orders",
    "blocklists": "orders",
    "destinations": "destinations:read",
    "label-requests": "label_requests:read",
    "happy-returns": "happy_returns_shipments:read",
    "webhooks": "developer_tools",
}


def split(path: str) -> tuple[str, str] | None:
    """Version and endpoint of a path; None when it is not the API's."""
    match = _BASE.match(path)
    return (match[1] or _OLDEST, match[2]) if match else None


@dataclass(frozen=True)
class Call:
    """A GET request: `host` is this server's own address, `vary` turns a stored row into the one that is sent."""

    shop: ShopRecords
    path: str
    params: Mapping[str, str]
    quirks: Quirks
    host: str
    authorized: bool
    vary: Callable[[bytes], bytes]


def route(call: Call) -> SandboxResponse:
    """Answer a request."""
    parts = split(call.path)
    if parts is None:
        return not_found("route")
    version, endpoint = parts
    scope = _SCOPES.get(endpoint.split("/")[1])
    if scope is not None and not call.authorized:
        return unauthorized(call.quirks.unauthorized_body)
    if endpoint in call.quirks.denied or (scope is not None and scope not in call.quirks.scopes):
        return forbidden() if call.quirks.missing_scope == 403 else unauthorized(call.quirks.unauthorized_body)  # noqa: PLR2004
    if {endpoint, call.params.get("from")} & call.quirks.blank:
        return without_a_row(endpoint, f"{call.host}/api/v1{endpoint}")
    large: dict[str, Callable[[], SandboxResponse]] = {
        "/warehouse/return/list": lambda: returns_list(
            call.shop, call.params, quirks=call.quirks, host=call.host, vary=call.vary
        ),
        "/warehouse/reporting/asn": lambda: asn_report(
            call.shop, call.params, version=version, quirks=call.quirks, vary=call.vary
        ),
        "/warehouse/return/details": lambda: details(call.shop, call.params, call.vary),
    }
    if endpoint in call.quirks.broken:
        large[endpoint] = lambda: json_response({"message": "Server Error"}, status=500)
    try:
        return large[endpoint]() if endpoint in large else _small_endpoint(call, endpoint)
    except InvalidParameterError as invalid:
        return invalid.response


def _small_endpoint(call: Call, endpoint: str) -> SandboxResponse:
    shop, params, quirks, vary = call.shop, call.params, call.quirks, call.vary
    path = f"{link_host(quirks, call.host)}/api/v1{endpoint}"
    whole: dict[str, Callable[[], SandboxResponse]] = {
        "/destinations": lambda: destination_list(shop, quirks, vary),
        "/allowlists": lambda: list_page(shop, "allowlist", params, quirks=quirks, path=path, vary=vary),
        "/blocklists": lambda: list_page(shop, "blocklist", params, quirks=quirks, path=path, vary=vary),
        "/label-requests": lambda: label_request_page(shop, params, quirks=quirks, vary=vary),
        "/webhooks": lambda: webhook_list(shop, vary),
    }
    if endpoint in whole:
        return whole[endpoint]()
    if endpoint.startswith("/happy-returns/"):
        return shipment_endpoint(shop, endpoint, params, quirks=quirks, path=path, vary=vary)
    if match := _NOTES.match(endpoint):
        return notes(shop, match[1], quirks, vary)
    if match := _ONE.match(endpoint):
        rows = {
            "destinations": shop.destinations,
            "allowlists": shop.allowlist,
            "blocklists": shop.blocklist,
            "label-requests": shop.label_requests,
        }[match[1]]
        return one_of(rows, match[2], match[1].rstrip("s").replace("-", " "), vary)
    return not_found("route")
