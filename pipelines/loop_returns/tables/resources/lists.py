"""Who and what the shop's return policy makes an exception for: the allowlist and the blocklist.

Fields: docs.loopreturns.com/api-reference/latest/{allowlist, blocklist}. Pages shift and shrink while they are read.
"""

from typing import Final

from loop_returns.tables.resource import Paging, Resource
from loop_returns.tables.schema import OF_ROW, SHOP, Pii, Table, key, text, when


def _table(name: str, description: str, types: str) -> Table:
    return Table(
        name=name,
        description=description,
        key=("shop", "id"),
        columns=(
            SHOP,
            key("id", "Loop's id of the entry."),
            text("type", f"What `value` is: {types}."),
            text("value", "What is listed; an e-mail address where `type` says so.", Pii.PERSONAL),
            text("secondary_value", "A second value; Loop does not say what for.", Pii.PERSONAL),
            when("created_at", "When it was listed; Loop's list need not say it."),
            *OF_ROW,
        ),
    )


ALLOWLIST: Final = Resource(
    name="allowlist_items",
    path="/allowlists",
    scope="Orders",
    tables=(
        _table("allowlist_items", "One row per order or shopper that may return against the policy.", "order or email"),
    ),
    paging=Paging.PAGES,
    daily=True,
    alone=True,
)

BLOCKLIST: Final = Resource(
    name="blocklist_items",
    path="/blocklists",
    scope="Orders",
    tables=(
        _table(
            "blocklist_items",
            "One row per order, shopper, product or tag that may not be returned.",
            "order, product, email or product_tag",
        ),
    ),
    paging=Paging.PAGES,
    daily=True,
    alone=True,
)
