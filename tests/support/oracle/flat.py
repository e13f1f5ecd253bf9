"""Rows of the raw tables, as tests write them by hand, as the answers of the API that they come from."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import duckdb

from tests.support.mirror import text
from tests.support.oracle.others import RESOURCES, Others
from tests.support.oracle.parsed import Notice, Return
from tests.support.oracle.shops import Change, Group, Shop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.oracle.parsed import Row

CHILDREN = {
    "return_line_items": "line_items",
    "return_exchanges": "exchanges",
    "return_labels": "labels",
    "return_refunds": "shopify_refund_object",
}
OBJECTS = ("outcomes_processed_at", "return_method", "condition", "disposition")
NEVER = 2900  # a year: clocks were wrong


def group(tables: Mapping[str, Sequence[Row]], beside: Mapping[str, str]) -> Group:
    """The shops of raw tables, and the tables beside them, which are given as queries."""
    children: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table, field in CHILDREN.items():
        for row in tables.get(table, ()):
            children[row["shop"], row["return_id"]][field].append(_nested(row))
    shops: dict[str, Shop] = {}
    for row in tables["returns"]:
        shop = shops.setdefault(row["shop"], Shop(row["shop"], [], [], [], [], []))
        ret = Return(row["shop"], _nested(row) | children[row["shop"], row["id"]])
        (shop.gone if row.get("_deleted_at") else shop.returns).append(ret)
    for row in tables.get("advanced_shipping_notices", ()):
        if row.get("_deleted_at") is None:
            shops[row["shop"]].notices.append(Notice(_nested(row)))
    for row in tables.get("return_state_changes", ()):
        names = ("return_id", "from_state", "to_state", "updated_at", "observed_at")
        shops[row["shop"]].changes.append(Change(*(row[name] for name in names)))
    for row in tables.get("return_label_changes", ()):
        reports = shops[row["shop"]].reports.setdefault((row["source"], row["return_id"], row["line_item_id"]), set())
        reports |= {(row["from_status"], row["from_updated_at"]), (row["to_status"], row["updated_at"])}
    for row in tables.get("_loop_sync_runs", ()):
        shops[row["shop"]].runs.append(_run(row))
    for shop in shops.values():
        shop.others = _others(tables, shop.name)
    orders, refunds, rates = (_rows(beside.get(name)) for name in ("orders", "refunds", "rates"))
    for row in orders:
        row |= {name: text(row[name]) for name in ("order_id", "order_line_id", "product_id", "variant_id")}
    amounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in refunds:
        amounts[row["shop"], row["refund_id"]] += row["amount"]
    return Group(list(shops.values()), orders, dict(amounts), rates, 1, datetime.now(UTC))


def _others(tables: Mapping[str, Sequence[Row]], shop: str) -> Others:
    """What else the tables have of a shop."""

    def of(table: str) -> list[Row]:
        return [_plain(row) for row in tables.get(table, ()) if row["shop"] == shop]

    notes: dict[str, list[Row]] = defaultdict(list)
    for row in of("return_notes"):
        notes[row["return_id"]].append(row | {"id": row["note_id"]})
    refunds: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(of("return_detail_refunds"), key=lambda row: row["refund_index"]):
        refunds[row["return_id"]].append({"gateway": None, "provider_refund_id": None, **row})
    shown = "presentment_"
    details = {
        row["return_id"]: (
            {"refunds": refunds[row["return_id"]]},
            {name.removeprefix(shown): value for name, value in row.items() if name.startswith(shown)},
        )
        for row in of("return_details")
    }
    places = [
        row
        | {"address": {name.removeprefix("address_"): value for name, value in row.items() if name.startswith("address_")}}
        for row in of("destinations")
    ]
    items = of("happy_returns_shipment_items")
    shipments = of("happy_returns_shipments")
    return Others(
        [row for row in places if row.get("_deleted_at") is None],
        [row for row in places if row.get("_deleted_at") is not None],
        notes,
        details,
        of("label_requests"),
        [(row, [one for one in items if one["loop_shipment_id"] == row["loop_shipment_id"]]) for row in shipments],
        {name: len(of(table)) for name, table in RESOURCES.items()},
    )


def _plain(row: Row) -> Row:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _nested(row: Row) -> Row:
    """Columns of an object are the object again, times are text."""
    found: Row = {}
    for name, value in row.items():
        plain = value.isoformat() if isinstance(value, datetime) else value
        whole = next((one for one in OBJECTS if name.startswith(f"{one}_")), None)
        if whole is None:
            found.setdefault(name, plain)
        else:
            inner = found[whole] if isinstance(found.get(whole), dict) else {}
            found[whole] = inner | {name.removeprefix(f"{whole}_"): plain}
    if isinstance(found.get("line_items"), str):
        found["line_items"] = json.loads(found["line_items"])
    return found | ({"id": found["refund_id"]} if "refund_id" in found else {})


def _run(row: Row) -> Any:
    names = ("command", "started_at", "finished_at", "outcome", "exit_code", "error_message", "synced_up_to",
             "notices_up_to", "cursor_after")  # fmt: skip
    run = SimpleNamespace(**{name: row.get(name) for name in names})
    run.resources = json.loads(row.get("resources") or "{}")
    if run.synced_up_to is not None and run.synced_up_to.year > NEVER:
        run.synced_up_to = None
    return run


def _rows(query: str | None) -> list[Row]:
    if query is None:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, map(_exact, row), strict=True)) for row in found.fetchall()]


def _exact(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
