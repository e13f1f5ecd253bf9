"""Which addresses Loop sends the shop's events to.

Fields: the Webhooks API's specification. An address is a secret, as whoever knows it can send events there: only its host
lands, and a mark that changes when the address does.
"""

import hashlib
from typing import Final
from urllib.parse import urlsplit

from loop_returns.tables.resource import Resource
from loop_returns.tables.schema import OF_ROW, SHOP, Row, Table, key, text

_TABLE: Final = Table(
    name="webhook_subscriptions",
    description="One row per subscription to events of the shop.",
    key=("shop", "id"),
    columns=(
        SHOP,
        key("id", "Loop's id of the subscription."),
        text("shop_id", "Loop's id of the shop."),
        text("topic", "What it is about: return, label, restock, …"),
        text("trigger", "What sets it off: return.created, …"),
        text("status", "active or inactive."),
        text("url_host", "The host that events are sent to. The rest of the address is a secret and does not land."),
        text("url_mark", "Another one when the address has changed."),
        *OF_ROW,
    ),
)


def _without_address(row: Row) -> Row:
    bare = {name: value for name, value in row.items() if name != "url"}
    url = row.get("url")
    if not isinstance(url, str) or not url:
        return bare
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return {**bare, "url_host": host, "url_mark": hashlib.sha256(url.encode()).hexdigest()[:16]}


WEBHOOKS: Final = Resource(
    name="webhooks", path="/webhooks", scope="Developer Tools", tables=(_TABLE,), arrange=_without_address
)
