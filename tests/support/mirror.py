"""What a warehouse must hold, worked out from the API's bodies in plain Python, and how it differs from what it holds.

Nothing here comes from the project's own declarations: the fields are written down from the API's documentation again,
so that a slip in either place shows.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Row = dict[str, Any]
Key = tuple[Any, ...]

# --- the fields, by what they are ---

_RETURN_MONEY = """
total return_product_total return_discount_total return_tax_total return_total refund_shipping_total
refund_shipping_tax_total return_credit_total exchange_product_total exchange_discount_total exchange_tax_total
exchange_total exchange_credit_total gift_card handling_fee refund upsell label_rate
"""
_RETURN_TIMES = "created_at updated_at edited_at label_updated_at"
_RETURN_FLAGS = "multi_currency refund_before_inspection was_processed"
_RETURN_JSON = "gift_card_presentment presentment"
_LINE_MONEY = "price discount tax refund refund_item refund_tax"
_NOTICE_TIMES = "label_updated_at closed_at updated_at created_at date_delivered provider_created_at"
_METHOD = "provider method_type address state rma_id qr_code_url scheduled_at scannable_id"
_PROCESSED = "return_processed refund_processed gift_card_processed exchange_processed shop_cash_processed"

BOOKKEEPING = {"_dlt_load_id", "_dlt_id", "_row_hash", "_previous_state", "_deleted_at"} | {
    "_previous_label_status",
    "_previous_label_updated_at",
}
TABLES = {
    "returns": ("id",),
    "return_line_items": ("return_id", "line_item_id"),
    "return_exchanges": ("return_id", "exchange_id"),
    "return_labels": ("return_id", "label_index"),
    "return_refunds": ("return_id", "refund_id"),
    "advanced_shipping_notices": ("id", "return_line_item_id"),
}
CHILDREN = ("return_line_items", "return_exchanges", "return_labels", "return_refunds")


def text(value: Any) -> str | None:
    """As text, digit by digit; what is no scalar as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def money(value: Any) -> Decimal | None:
    """As a decimal, through the number's own digits."""
    return None if value in (None, "", "N/A") else Decimal(str(value))


def moment(value: Any) -> datetime | None:
    """As UTC, from any of the three forms of the API."""
    if value in (None, "", "N/A"):
        return None
    zone: Any = UTC
    if isinstance(value, dict):
        value, zone = value["date"], ZoneInfo(value["timezone"])
    found = datetime.fromisoformat(value)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def plain(value: Any) -> Any:
    """A JSON value as Python compares it; text that holds JSON is read first."""
    if isinstance(value, str):
        value = json.loads(value)
    return json.loads(json.dumps(value), parse_float=Decimal)


class Json:
    """A value to be compared as JSON, not as text."""

    def __init__(self, value: Any) -> None:
        self.value = json.loads(json.dumps(value), parse_float=Decimal)

    def __eq__(self, other: object) -> bool:
        return other is not None and bool(plain(other) == self.value)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"Json({self.value!r})"


def _typed(body: Mapping[str, Any], *, cash: str = "", times: str = "", flags: str = "", objects: str = "") -> Row:
    kinds: dict[str, Callable[[Any], Any]] = dict.fromkeys(cash.split(), money) | dict.fromkeys(times.split(), moment)
    kinds |= dict.fromkeys(flags.split(), lambda value: value)
    kinds |= dict.fromkeys(objects.split(), lambda value: None if value is None else Json(value))
    return {name: kinds.get(name, text)(value) for name, value in body.items()}


def expected_return(body: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of a return in its five tables."""
    rest = dict(body)
    lines, swaps, labels = (rest.pop(name, None) or [] for name in ("line_items", "exchanges", "labels"))
    refunds = rest.pop("shopify_refund_object", None) or []
    method, processed = rest.pop("return_method", None), rest.pop("outcomes_processed_at", None) or {}
    root = _typed(rest, cash=_RETURN_MONEY, times=_RETURN_TIMES, flags=_RETURN_FLAGS, objects=_RETURN_JSON)
    if isinstance(method, dict):
        inner = _typed(method, times="scheduled_at", objects="address")
        root |= {f"return_method_{name}": value for name, value in inner.items()}
    else:
        root["return_method"] = text(method)
    root |= {f"outcomes_processed_at_{name}": moment(value) for name, value in processed.items()}
    number = root["id"]
    return {
        "returns": [root],
        "return_line_items": [{"return_id": number, **_line(row)} for row in lines],
        "return_exchanges": [
            {"return_id": number, **_typed(row, cash="price discount tax total", flags="out_of_stock")} for row in swaps
        ],
        "return_labels": [
            {
                "return_id": number,
                "label_index": place,
                **_typed(row, cash="rate", times="updated_at", objects="line_items"),
            }
            for place, row in enumerate(labels)
        ],
        "return_refunds": [
            {"refund_id": text(row["id"]), **_typed(row, times="provider_created_at created_at updated_at")}
            for row in ([refunds] if isinstance(refunds, dict) else refunds)
        ],
    }


def _line(body: Mapping[str, Any]) -> Row:
    rest = dict(body)
    condition, disposition = rest.pop("condition", None) or {}, rest.pop("disposition", None) or {}
    row = _typed(rest, cash=_LINE_MONEY, times="returned_at")
    inspected = _typed(condition, times="inspected_at", objects="images")
    row |= {f"condition_{name}": value for name, value in inspected.items()}
    decided = _typed(disposition, times="inspected_at")
    return row | {f"disposition_{name}": value for name, value in decided.items()}


def expected_notice(body: Mapping[str, Any]) -> Row:
    """The row of a shipping notice."""
    return _typed(body, cash="purchase_price label_rate", times=_NOTICE_TIMES)


def expected(bodies: Iterable[Mapping[str, Any]], notices: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """Everything a warehouse must hold of a shop, by table."""
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    for body in bodies:
        for name, rows in expected_return(body).items():
            if name == "return_refunds":  # the refund's own `id` and `return_id` are its key and its parent
                rows = [{**row, "return_id": text(body["id"])} for row in rows]  # noqa: PLW2901 # a corrected copy
                for row in rows:
                    row.pop("id")
            tables[name] += rows
    tables["advanced_shipping_notices"] = [expected_notice(row) for row in notices]
    return tables


def differences(
    bodies: Sequence[Mapping[str, Any]],
    notices: Sequence[Mapping[str, Any]],
    rows_of: Callable[[str], list[Row]],
    *,
    shop: str = "default",
) -> list[str]:
    """Every row that is lost, stale, duplicated, orphaned or wrong, a line each.

    A row that the shop no longer has may stay if it says so in `_deleted_at`; children of such a return stay with it.
    """
    wanted = expected(bodies, notices)
    here = {text(body["id"]) for body in bodies}
    found: list[str] = []
    parents: set[Any] = set()
    for table, key in TABLES.items():
        held = rows_of(table)
        if table == "returns":
            parents = {row["id"] for row in held}
        found += _twice(table, key, held)
        if table in CHILDREN:
            found += [f"{table} {_key(row, key)}: orphaned" for row in held if row["return_id"] not in parents]
            held = [row for row in held if row["return_id"] in here or row["return_id"] not in parents]
        found += _compared(table, key, wanted[table], held, shop=shop)
    return found


def _key(row: Mapping[str, Any], key: Sequence[str]) -> Key:
    return tuple(row[name] for name in key)


def _twice(table: str, key: Sequence[str], held: Iterable[Row]) -> list[str]:
    counts = Counter(_key(row, key) for row in held)
    return [f"{table} {one}: {count} times" for one, count in counts.items() if count > 1]


def _compared(table: str, key: Sequence[str], wanted: Iterable[Row], held: Iterable[Row], *, shop: str) -> list[str]:
    ours = {_key(row, key): row for row in held}
    theirs = {_key(row, key): row for row in wanted}
    found = [f"{table} {one}: lost" for one in theirs if one not in ours]
    for one, row in ours.items():
        gone = row.get("_deleted_at") is not None
        if one not in theirs:
            found += [] if gone else [f"{table} {one}: stale, the shop has no such row"]
            continue
        if gone:
            found.append(f"{table} {one}: marked as deleted, but the shop has it")
        values = {"shop": shop, **theirs[one]}
        for name in sorted({*row, *values} - BOOKKEEPING):
            want, have = values.get(name), row.get(name)
            if want != have:
                found.append(f"{table} {one}.{name}: {have!r} instead of {want!r}")
    return found
