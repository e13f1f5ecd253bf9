"""What else Loop tells of a shop: destinations, notes, details, label requests, shipments of Happy Returns, lists."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.mirror import moment, money, text
from tests.support.oracle.compared import AnyOf
from tests.support.oracle.parsed import add, day_of, known, lower, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    import httpx

    from tests.support.oracle.parsed import Refund, Return, Row
    from tests.support.oracle.shops import Shop

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESOURCES = {
    name: "webhook_subscriptions" if name == "webhooks" else name
    for name in ("returns", "advanced_shipping_notices", "destinations", "allowlist_items", "blocklist_items",
                 "label_requests", "happy_returns_shipments", "webhooks", "return_notes", "return_details")
}  # fmt: skip


@dataclass
class Others:
    """The API's answers, as they were last read."""

    destinations: list[Row] = field(default_factory=list)
    gone: list[Row] = field(default_factory=list)  # destinations that are no longer listed
    notes: Mapping[str, list[Row]] = field(default_factory=dict)  # by return
    details: Mapping[str, tuple[Row, Row | None]] = field(default_factory=dict)  # in the shop's currency, the shopper's
    requests: list[Row] = field(default_factory=list)
    shipments: list[tuple[Row, list[Row]]] = field(default_factory=list)  # each with its items
    lengths: Mapping[str, int] = field(default_factory=dict)  # of what only its length is known

    def look(self, client: httpx.Client) -> None:
        """Reads what is listed, as every run does."""
        before = {row["id"]: row for row in (*self.gone, *self.destinations)}
        self.destinations = client.get("/destinations").json()["destinations"]
        self.gone = [row for one, row in before.items() if one not in {row["id"] for row in self.destinations}]

    def look_closely(self, client: httpx.Client, ids: list[str]) -> None:
        """Reads the rest, and each of the returns by itself."""
        self.requests = list(_offsets(client))
        shipments = _pages(client, "/happy-returns/shipments")
        self.shipments = [
            (row, list(_pages(client, f"/happy-returns/shipments/{row['loop_shipment_id']}/items"))) for row in shipments
        ]
        self.notes = {one: answer.json() or [] for one in ids if (answer := client.get(f"/warehouse/return/{one}/notes"))}
        self.details = {one: _details(client, one) for one in ids}
        self.lengths = {
            "allowlist_items": len(list(_pages(client, "/allowlists"))),
            "blocklist_items": len(list(_pages(client, "/blocklists"))),
            "webhooks": len(client.get("/webhooks").json()["webhooks"]),
        }


def _pages(client: httpx.Client, path: str) -> Iterator[Row]:
    page, last = 1, 1
    while page <= last:
        answer = client.get(path, params={"page": str(page)}).json()
        yield from answer["data"]
        page, last = page + 1, answer["last_page"]


def _offsets(client: httpx.Client) -> Iterator[Row]:
    start = 0
    while rows := client.get("/label-requests", params={"limit": "250", "offset": str(start)}).json()["data"]:
        yield from rows
        start += len(rows)


def _details(client: httpx.Client, one: str) -> tuple[Row, Row | None]:
    of_shop, shown = (
        client.get("/warehouse/return/details", params={"return_id": one, "currency_type": kind}).json()
        for kind in ("shop", "presentment")
    )
    return of_shop, shown if of_shop["multi_currency"] else None


# What details tell of money


def parts(shop: Shop, ret: Return) -> set[tuple[Any, ...]] | None:
    """What refunds were paid in: refund (or place), gateway, amount and currency, each once; None without details."""
    if ret.id not in shop.others.details:
        return None
    return {
        (word(one["provider_refund_id"]) or place, one["gateway"], money(one["amount"]), lower(one["currency"]))
        for place, one in enumerate(shop.others.details[ret.id][0]["refunds"])
    }


def _sum(ret: Return, of: set[tuple[Any, ...]]) -> Decimal | None:
    """The amounts, where all are known and in the return's currency."""
    same = not of or (ret.currency is not None and all(currency == lower(ret.currency) for *_, currency in of))
    return add(one[2] for one in of) if same and None not in {one[2] for one in of} else None


def paid_back(shop: Shop, ret: Return) -> Decimal | None:
    found = parts(shop, ret)
    return None if found is None else _sum(ret, found)


def paid_by_details(shop: Shop, ret: Return, refund: Refund) -> Decimal | None:
    of = {one for one in parts(shop, ret) or () if one[0] == refund.provider_id}
    return _sum(ret, of) if of else None


def presented(shop: Shop, ret: Return) -> Row:
    """Money as the shopper saw it: as the list has it, unless the order was in another currency."""
    names = {
        "returned_value": "return_total", "retained_revenue": "return_credit_total", "refunded": "refund",
        "store_credit": "gift_card", "exchanged_value": "exchange_total", "handling_fee": "handling_fee",
    }  # fmt: skip
    multi = ret.raw.get("multi_currency")
    shown = {} if multi is None else ret.raw if not multi else shop.others.details.get(ret.id, ({}, None))[1] or {}
    amounts = {f"presentment_{name}": money(shown.get(of)) for name, of in names.items()}
    return {"presentment_currency": word(shown.get("currency")), **amounts}


# Happy Returns


def sent_on(shop: Shop, ret: Return) -> list[tuple[Row, list[Row]]]:
    """Shipments with units of the return, the latest first."""
    found = [
        (row, of) for row, items in shop.others.shipments if (of := [i for i in items if text(i["return_id"]) == ret.id])
    ]
    return sorted(
        found, key=lambda one: (moment(one[0]["created_at"]) or EPOCH, text(one[0]["loop_shipment_id"])), reverse=True
    )


def happy_returns(shop: Shop, ret: Return) -> Row:
    found = sent_on(shop, ret)
    row, items = found[0] if found else ({}, [])

    def one_of(name: str) -> AnyOf | None:
        return AnyOf(values) if (values := set(known(word(item.get(name)) for item in items))) else None

    return {
        "happy_returns_shipments": len(found),
        "happy_returns_shipment_id": text(row.get("loop_shipment_id")),
        "sent_on_carrier": one_of("carrier"),
        "sent_on_tracking_number": one_of("tracking_number"),
        "box_barcode": one_of("shipping_box_barcode"),
        "sent_on_at": moment(row.get("created_at")),
    }


# Marts


def dim_destinations(shop: Shop) -> list[Row]:
    listed = {text(row["id"]): (row, True) for row in shop.others.destinations}
    listed |= {text(row["id"]): (row, False) for row in shop.others.gone if text(row["id"]) not in listed}
    told = defaultdict(list)
    for notice in shop.notices:
        told[notice.word("destination_id")].append(notice)
    ids = {*listed, *told, *(ret.word("destination_id") for ret in shop.returns)} - {None}
    return [_destination(shop, one, *listed.get(one, ({}, False)), told[one]) for one in ids]


def _destination(shop: Shop, one: str | None, row: Row, is_listed: bool, told: list[Any]) -> Row:
    address = row.get("address") or {}
    newest = max((notice.updated or EPOCH for notice in told), default=None)
    latest = [notice for notice in told if (notice.updated or EPOCH) == newest]

    def of(value: Any, name: str) -> Any:
        return word(value) or (AnyOf({notice.word(f"destination_{name}") for notice in latest}) if latest else None)

    return {
        "shop": shop.name,
        "destination_id": one,
        "type": word(row.get("type")),
        "name": of(row.get("name"), "name"),
        "is_enabled": row.get("enabled"),
        "is_listed": is_listed,
        "provider_location_id": word(row.get("provider_location_id")),
        "city": of(address.get("city"), "city"),
        "state": of(address.get("state"), "state"),
        "country_code": word(address.get("country_code")),
    }


Event = tuple[datetime | None, str, str, str | None]
PROCESSED = {"refund processed": "refund_processed", "credit issued": "gift_card_processed",
             "exchange ordered": "exchange_processed", "processed": "return_processed"}  # fmt: skip


def fct_return_timeline(shop: Shop) -> list[Row]:
    rows = []
    for ret in shop.returns:
        found = [event for event in _events(shop, ret) if event[0] is not None]
        found.sort(key=lambda one: (one[0], one[1] != "submitted", one[1], one[2], one[3] is None, one[3]))
        for number, (at, event, source, detail) in enumerate(found, start=1):
            what = {"event": event, "source": source, "detail": detail}
            when = {"occurred_at": at, "occurred_date": day_of(at, shop.zone)}
            rows.append({"shop": shop.name, "return_id": ret.id, "event_number": number, **when, **what})
    return rows


def _events(shop: Shop, ret: Return) -> Iterator[Event]:
    yield ret.submitted, "submitted", "returns", ret.outcome
    yield ret.edited, "edited", "returns", None
    for event, name in PROCESSED.items():
        yield ret.processed.get(name), event, "returns", None
    for change in shop.changes:
        if change.return_id == ret.id:
            yield change.at, "state changed", "return_state_changes", f"{change.before} → {change.after}"
    yield from _reports(shop, ret)
    for name, at in {("delivered", one.delivered) for one in ret.notices} | {("closed", one.closed) for one in ret.notices}:
        yield at, name, "advanced_shipping_notices", None
    inspected = [line.inspected for line in ret.lines]
    for at in set(inspected):
        yield at, "inspected", "return_line_items", f"units: {inspected.count(at)}"
    made = defaultdict(list)
    for refund in ret.refunds:
        made[refund.provider_id or ("only at Loop", refund.id)].append(refund)
    for same in made.values():
        amount = paid_by_details(shop, ret, same[0]) if same[0].provider_id else None
        detail = None if amount is None else f"{amount.normalize():f} {ret.currency}"
        yield min(known(one.at for one in same), default=None), "refund made", "return_refunds", detail
    for note in shop.others.notes.get(ret.id, ()):
        yield moment(note.get("created_at")), "note", "return_notes", text(note["id"])
    for request in shop.others.requests:
        if text(request["return_id"]) == ret.id:
            yield moment(request["created_at"]), "label requested", "label_requests", request["status"]
    for row, _ in sent_on(shop, ret):
        yield moment(row["created_at"]), "sent on", "happy_returns_shipments", text(row["loop_shipment_id"])


def _reports(shop: Shop, ret: Return) -> Iterator[Event]:
    """Of carriers: each status at a moment once, from the first table by name that has it, with a carrier of its labels."""
    found: dict[tuple[str | None, datetime | None], set[tuple[str, str | None]]] = defaultdict(set)
    for label in ret.labels:
        found[label.status, label.scanned].add(("return_labels", label.carrier))
    for notice in ret.notices:
        found[lower(notice.raw.get("label_status")), notice.scanned].add(("advanced_shipping_notices", None))
        for report in _seen(shop, ("advanced_shipping_notices", notice.id, notice.unit)):
            found[report].add(("return_label_changes", None))
    for report in _seen(shop, ("returns", ret.id, "")):
        found[report].add(("return_label_changes", None))
    for (status, at), told in found.items():
        carriers = known(carrier for _, carrier in told)
        if status is not None:
            yield (
                at,
                "carrier report",
                min(source for source, _ in told),
                ": ".join([*[max(carriers)][: len(carriers)], status]) if carriers else status,
            )


def _seen(shop: Shop, key: tuple[str, str, str]) -> set[tuple[str | None, datetime | None]]:
    """What runs saw replaced, and what replaced it: nothing where they saw one report only."""
    seen = shop.reports.get(key, set())
    return seen if len(seen) > 1 else set()


def rpt_sync_resources(shop: Shop) -> list[Row]:
    others = shop.others
    lengths = dict(others.lengths) | {
        "returns": len(shop.returns),
        "advanced_shipping_notices": len(shop.notices),
        "destinations": len(others.destinations),
        "label_requests": len(others.requests),
        "happy_returns_shipments": len(others.shipments),
        "return_notes": sum(len(of) for of in others.notes.values()),
        "return_details": len(others.details),
    }
    syncs = sorted((run for run in shop.runs if run.command == "sync"), key=lambda run: run.started_at)
    good = [run for run in syncs if run.exit_code in (0, 3)]
    said = {name for run in good[-1:] for name, word in run.resources.items() if word == "refused"}
    return [
        {
            "shop": shop.name,
            "resource": name,
            "table_name": table,
            "row_count": lengths.get(name, 0),
            "last_read_at": max((run.finished_at for run in syncs if run.resources.get(name) == "read"), default=None),
            "lacks_scope": name in said,
        }
        for name, table in RESOURCES.items()
    ]
