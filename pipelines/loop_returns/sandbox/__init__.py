"""A local Loop API with the real one's quirks: for `loop-returns demo`, for tests, for trying things out.

shop = Shop.generate(returns=100)
with Sandbox(shop) as sandbox:
    ...  # a client with base_url=sandbox.url and api_key=sandbox.api_key

Its modules form layers; each imports only from those above it in this list:

    times, catalogue, money, clock, quirks    formats, invented goods and amounts, the clock, the switches
    lines, bodies, events, history, oddities  a return's items, a new return, what happens to it, past returns, odd ones
    notices                                   ASN rows
    other_records, label_requests, shipments  allowlist, blocklist, webhook subscriptions; label requests; Happy Returns
    store, shop_contents, shop_records, shop  returns by id; what endpoints read; what tests and demos change
    responses, parameters, cursors, pages     what every endpoint uses
    type_variants                             other types for the same values
    listing, asn_report, details, small_endpoints, shipment_endpoints
    routes                                    which endpoint answers a path
    limiter, wire, server                     rate limit, sockets, the server
    serving                                   the server as a program of its own
"""

from loop_returns.sandbox.quirks import FAULT_NAMES, SCOPES, FaultName, Faults, Quirks
from loop_returns.sandbox.server import Sandbox, SeenRequest
from loop_returns.sandbox.serving import serve
from loop_returns.sandbox.shop import Shop

__all__ = [
    "FAULT_NAMES",
    "SCOPES",
    "FaultName",
    "Faults",
    "Quirks",
    "Sandbox",
    "SeenRequest",
    "Shop",
    "serve",
]
