"""What a warehouse must hold of the resources beside returns and notices, and what it holds: by table, some of each row.

Worked out from the sandbox's own records, not from what it answers, and not from the project's declarations.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.driving import Driver

Rows = dict[str, Counter[tuple[Any, ...]]]
COLUMNS = {
    "destinations": "id, name, enabled, address_city, provider_location_id",
    "allowlist_items": "id, type, value",
    "blocklist_items": "id, type, value",
    "label_requests": "id, status, return_id, origin_postal_code, created_at",
    "label_request_products": "label_request_id, product_index, sku",
    "happy_returns_shipments": "loop_shipment_id, line_item_count, updated_at",
    "happy_returns_shipment_items": "loop_shipment_id, item_index, sku, return_id",
    "webhook_subscriptions": "id, topic, status",
    "return_notes": "return_id, note_id, content",
    "return_details": "return_id, state, updated_at",
}
CHEAP = tuple(name for name in COLUMNS if name not in {"return_notes", "return_details"})


def expected(driver: Driver) -> Rows:
    """What the shop has."""
    shop = driver.shop
    stored: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
    for row in shop.destinations:
        address, place = row["address"] or {}, row["provider_location_id"]
        stored["destinations"].append(
            (str(row["id"]), row["name"], row["enabled"], address.get("city"), place and str(place))
        )
    for table, entries in (("allowlist_items", shop.allowlist), ("blocklist_items", shop.blocklist)):
        stored[table] += [(str(row["id"]), row["type"], row["value"]) for row in entries]
    for row in shop.label_requests:
        origin = row["addresses"]["origin"]
        stored["label_requests"].append(
            (str(row["id"]), row["status"], str(row["return_id"]), origin["postal_code"], _moment(row["created_at"]))
        )
        stored["label_request_products"] += [(str(row["id"]), n, one["sku"]) for n, one in enumerate(row["products"])]
    for shipment in shop.shipments:
        row = shipment.row()
        key = str(row["loop_shipment_id"])
        stored["happy_returns_shipments"].append((key, row["line_item_count"], _moment(row["updated_at"])))
        items = [(key, n, one["sku"], str(one["return_id"])) for n, one in enumerate(shipment.items)]
        stored["happy_returns_shipment_items"] += items
    stored["webhook_subscriptions"] = [(str(row["id"]), row["topic"], row["status"]) for row in shop.webhooks]
    for number in shop.ids():
        notes, body = shop.store.unlisted(number).notes, shop.body(number)
        stored["return_notes"] += [(number, str(one["id"]), one["content"]) for one in notes]
        stored["return_details"].append((number, body["state"], _moment(body["updated_at"])))
    return {name: Counter(rows) for name, rows in stored.items()}


def held(driver: Driver, tables: tuple[str, ...]) -> Rows:
    """What these tables of the warehouse have that is not marked as deleted."""
    return {
        name: Counter(
            tuple(_moment(value.isoformat()) if hasattr(value, "isoformat") else value for value in row)
            for row in driver.query(f"SELECT {columns} FROM {name} WHERE _deleted_at IS NULL")
        )
        for name, columns in COLUMNS.items()
        if name in tables
    }


def differences(driver: Driver, tables: tuple[str, ...] = CHEAP) -> list[str]:
    """What the warehouse lacks or has too much, in words."""
    shop, warehouse = expected(driver), held(driver, tables)
    lacking = [f"{name} lacks {row}" for name in tables for row in (shop[name] - warehouse[name]).elements()]
    return lacking + [f"{name} has {row}" for name in tables for row in (warehouse[name] - shop[name]).elements()]


def _moment(text: str) -> int:
    """Seconds since 1970; without a zone UTC."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
