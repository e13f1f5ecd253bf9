"""The sandbox as a program of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from loop_returns.sandbox.server import Sandbox
from loop_returns.sandbox.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox.quirks import Quirks


def serve(  # all are keywords
    *,
    returns: int,
    seed: int,
    currency: str,
    port: int,
    quirks: Quirks,
    out: Callable[[str], object] = print,
    live_every: float | None = None,
) -> None:
    """Serve a synthetic shop until Ctrl-C.

    Args:
        returns: how many returns it has.
        seed: which shop.
        currency: the shop's.
        port: where; 0 picks a free one.
        quirks: how the API behaves.
        out: gets the lines to show, first of all what to set for a client.
        live_every: seconds between things that happen in the shop; None: nothing ever does.

    Raises:
        OSError: the port is taken.
    """
    shop = Shop.generate(seed=seed, returns=returns, currency=currency)
    with Sandbox(shop, quirks=quirks, port=port) as sandbox:
        try:
            out(f"A Loop shop with {len(shop)} returns answers at {sandbox.url} (Ctrl-C ends it). For a client:")
            out(f"export SOURCES__LOOP_RETURNS__BASE_URL={sandbox.url}")
            out(f"export SOURCES__LOOP_RETURNS__API_KEY={sandbox.api_key}")
            while not threading.Event().wait(live_every):
                shop.live()
        except KeyboardInterrupt:
            out(f"Answered {len(sandbox.requests)} requests.")
