"""A local Loop API with the real one's quirks: for `loop-returns demo`, for tests, for trying things out.

shop = Shop.generate(returns=100)
with Sandbox(shop) as sandbox:
    ...  # a client with base_url=sandbox.url and api_key=sandbox.api_key
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
