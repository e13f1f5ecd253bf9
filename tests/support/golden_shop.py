"""Three small shops whose marts were worked out by hand; the results lie in `golden/`, one text table for each mart.

`north` sells in USD and has one return in EUR; `south` sells in EUR. Both have a return R1 with a line L1, so that a join
without the shop would mix them up. R7 is gone from Loop. Everything in `west` is odd: packages that go apart, a return that
was reopened, empty texts and `N/A` for values, a refund of a return that expired, times in the wrong order. The ids of its
shipping notices are those of the returns; in the other two they are not.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.support import ROOT

GOLDEN = ROOT / "tests" / "marts" / "golden"
Rows = list[dict[str, Any]]


def at(text: str) -> datetime:
    """`01-10 23:30` -> that moment of 2026, UTC."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def ret(one: str, state: str, outcome: str, created: str, *, shop: str = "north", **more: Any) -> dict[str, Any]:
    base = {"shop": shop, "id": one, "state": state, "outcome": outcome, "created_at": at(created), "currency": "USD"}
    base["type"] = "standard"
    amounts = (
        "return_credit_total",
        "exchange_total",
        "exchange_credit_total",
        "gift_card",
        "refund",
        "upsell",
        "handling_fee",
    )
    return base | {"updated_at": at("02-10 00:00")} | dict.fromkeys(amounts, "0") | more


def line(one: str, of: str, product: str, variant: str, price: str, *, shop: str = "north", **more: Any) -> dict[str, Any]:
    base = {"shop": shop, "return_id": of, "line_item_id": one, "product_id": product, "variant_id": variant}
    return (
        base
        | {"sku": f"S-{variant}", "price": price, "discount": "0", "tax": "0", "refund": "0", "outcome": "default"}
        | more
    )


def notice(of: str, ordered: str, *, shop: str = "north", number: str = "N1", **more: Any) -> dict[str, Any]:
    base = {"shop": shop, "id": number, "return_line_item_id": of, "provider_created_at": at(ordered)}
    return base | {"updated_at": at("02-01 00:00")} | more


def scan(
    of: str, before: str | None, since: str | None, now: str, reported: str, *, shop: str = "north", unit: str = ""
) -> dict[str, Any]:
    """A report of a carrier that a run saw in place of another, on a return or in the notice of a unit."""
    source = "advanced_shipping_notices" if unit else "returns"
    seen = {"shop": shop, "source": source, "return_id": of, "line_item_id": unit, "from_status": before, "to_status": now}
    return seen | {
        "from_updated_at": at(since) if since else None,
        "updated_at": at(reported),
        "observed_at": at("02-10 00:00"),
    }


def west(one: str, state: str, outcome: str, created: str, **more: Any) -> dict[str, Any]:
    return ret(one, state, outcome, created, shop="west", order_id=f"O{one}", **more)


RETURNS: Rows = [
    # submitted late in the evening: in any zone east of Greenwich it is the next day already
    ret("R1", "closed", "exchange+refund", "01-10 23:30", return_total="164.58", return_credit_total="101.28",
        refund="63.30", exchange_total="101.28", exchange_credit_total="101.28", customer="Ann@Example.com ",
        provider_order_id="P1",
        carrier="USPS", label_status="delivered", label_updated_at=at("01-15 23:30"), destination_id="D1",
        outcomes_processed_at_refund_processed=at("01-19 23:30"), type="standard", edited_at=at("01-12 08:00"),
        order_id="98", order_name="#98", origin_country="Canada", origin_country_code="CA", multi_currency=False,
        return_product_total="156", return_discount_total="0", return_tax_total="8.58", refund_shipping_total="3",
        refund_before_inspection=False, was_processed=True),
    ret("R2", "open", "refund", "01-11 12:00", return_total="20", refund="20", customer="ann@example.com",
        provider_order_id="P2", carrier="USPS", label_status="in_transit", destination_id="D1", multi_currency=True),
    # store credit with a bonus: 50.00 issued for goods of 42.20, of which 42.20 were retained
    ret("R3", "closed", "credit", "02-01 00:00", return_total="42.20", return_credit_total="42.20", gift_card="50",
        handling_fee="2", provider_order_id="P3", carrier="USPS", label_status="delivered"),
    ret("R4", "cancelled", "refund", "01-10 10:00", return_total="30", refund="30", customer="bob@example.com",
        provider_order_id="P4", multi_currency=True),
    ret("R5", "expired", "exchange", "01-20 08:00", return_total="25", return_credit_total="25", exchange_total="25",
        exchange_credit_total="25", customer="bob@example.com", provider_order_id="P4", carrier="FedEx", label_status="new"),
    # dearer exchange: Loop's exchange_credit_total may hold the upsell, the retained revenue must not
    ret("R6", "review", "upsell", "01-11 09:00", currency="EUR", return_total="80", return_credit_total="80",
        exchange_total="95", exchange_credit_total="95", upsell="15", customer="bob@example.com", provider_order_id="P6",
        carrier="", label_status="N/A"),
    ret("R7", "closed", "refund", "01-10 12:00", return_total="99", refund="99", customer="ann@example.com",
        carrier="USPS", label_status="delivered", _deleted_at=at("02-02 00:00")),
    # no label rows: the header's label says that it was delivered
    ret("R8", "open", "credit+refund", "01-11 18:00", return_total="60", return_credit_total="35", gift_card="35",
        refund="25", customer="bob@example.com", provider_order_id="P8", carrier="UPS", label_status="delivered",
        label_updated_at=at("01-13 18:00")),
    ret("R1", "closed", "refund", "01-10 12:00", shop="south", currency="EUR", return_total="10", refund="8",
        handling_fee="2", customer="ann@example.com", provider_order_id="P1"),
    # two packages, the first of which is there
    west("W1", "open", "refund", "01-10 08:00", return_total="70", refund="70", carrier="DHL", label_status="in_transit",
         label_updated_at=at("01-15 08:00"), destination_id="D2", customer="kim@example.com", provider_order_id="PW1"),
    # reopened, after it had been closed; without a label, yet inspected
    west("W2", "review", "refund", "01-11 08:00", return_total="10", refund="10", destination_id="", carrier=" "),
    # 100 given back as an exchange for 60 and a gift card of 50, 10 of which are a bonus
    west("W3", "closed", "exchange+credit", "01-12 08:00", return_total="100", return_credit_total="100", gift_card="50",
         exchange_total="60", exchange_credit_total="60"),
    # values that are none
    west("W4", "closed", "refund", "01-12 08:00", return_total="12", refund="12", customer=" n/a", provider_order_id="",
         order_name="N/A", carrier="N/A", label_status="n/a"),
    west("W5", "open", "refund", "01-12 09:00", return_total="8", refund="8", customer="N/A", provider_order_id="N/A",
         return_credit_total=None, exchange_credit_total=None, return_method_state="delivered", type="N/A", currency=""),
    # one shopper: cancelled with the package on its way, then submitted again; delivered and closed before that, it says
    west("W6", "cancelled", "refund", "01-05 08:00", return_total="15", refund="15", customer="Kim@example.com",
         provider_order_id="PW6"),
    west("W7", "closed", "refund", "01-13 08:00", return_total="15", refund="15", customer="kim@example.com",
         provider_order_id=" ", label_status="delivered", carrier="DHL"),
    # refunded before anything came, which then never came
    west("W8", "expired", "refund", "01-06 08:00", return_total="25", refund="25", customer="kim@example.com",
         provider_order_id="PW8", type="warranty", refund_before_inspection=True,
         outcomes_processed_at_refund_processed=at("01-07 08:00")),
]  # fmt: skip

LINES: Rows = [
    line("L1", "R1", "A", "A1", "78", tax="4.29", refund="31.65", title="Shirt S", return_reason="Too small",
         parent_return_reason="Fit", provider_line_item_id="PL1", barcode="290832", refund_item="27.36", refund_tax="4.29"),
    line("L2", "R1", "A", "A2", "78", tax="4.29", refund="31.65", title="Shirt M", parent_return_reason="Fit",
         outcome="exchange", exchange_variant="A3"),
    line("L3", "R2", "A", "A1", "20", refund="20", title="Shirt small", return_reason="Too small",
         parent_return_reason="Fit"),
    line("L4", "R3", "B", "B1", "40", tax="2.20", sku="", title="Candle", parent_return_reason="Changed my mind",
         return_reason="N/A"),
    line("L5", "R4", "B", "B1", "30", sku="", refund="30", title="Candle", parent_return_reason="Changed my mind"),
    line("L6", "R5", "A", "A1", "25", title="Shirt S", parent_return_reason="Fit", return_reason="Too big"),
    line("L7", "R6", "A", "A1", "40", title="Shirt S", outcome="keep", parent_return_reason="Quality",
         return_reason="Faded"),
    line("L8", "R6", "A", "A2", "50", discount="10", title="Shirt M"),
    line("L9", "R7", "A", "A1", "99", refund="99", title="Shirt S"),
    line("L10", "R8", "C", "C1", "30", refund="25", title="Mug", parent_return_reason="Quality", return_reason="Broken",
         return_comment="in two pieces", condition_inspected_at=at("01-14 08:00"), condition_condition_category="c",
         disposition_disposition_outcome="recycle"),
    line("L11", "R8", "C", "C1", "30", title="Mug", parent_return_reason="Changed my mind", return_comment="N/A"),
    line("L1", "R1", "A", "A1", "10", shop="south", refund="8", title="Shirt S", parent_return_reason="Fit",
         return_reason="Too big"),
    line("K1", "W1", "A", "A1", "30", shop="west", refund="30", title="Shirt S", parent_return_reason="Fit"),
    line("K2", "W1", "A", "A2", "40", shop="west", refund="40", title="Shirt M", parent_return_reason="Fit"),
    line("K3", "W2", "B", "B1", "10", shop="west", refund="10", title="Candle", return_reason="Melted",
         condition_inspected_at=at("01-18 08:00")),
    line("K4", "W3", "A", "A1", "100", shop="west", title="Coat", return_reason="Melted", parent_return_reason="n/a"),
    line("K5", "W4", "", " N/A", "12", shop="west", refund="12", sku="n/a", title="", return_comment="", outcome="",
         provider_line_item_id="N/A", exchange_variant=" "),
    line("K6", "W5", "C", "C1", "8", shop="west", refund="8", title="Mug", return_reason="Broken",
         parent_return_reason="Quality"),
    line("K7", "W6", "B", "B1", "15", shop="west", refund="15", title="Candle", parent_return_reason="Quality"),
    line("K7", "W7", "B", "B1", "15", shop="west", refund="15", title="Candle", parent_return_reason="Quality"),
    line("K8", "W8", "C", "C1", "25", shop="west", refund="25", title="Mug", parent_return_reason="Quality"),
]  # fmt: skip

EXCHANGES: Rows = [
    {"shop": "north", "return_id": "R1", "exchange_id": "X1", "product_id": "A", "variant_id": "A3", "sku": "S-A3",
     "exchange_order_id": "E1", "exchange_order_name": "#EXC-1", "type": "exchange", "title": "Shirt L",
     "price": "96", "discount": "0", "tax": "5.28", "total": "101.28", "out_of_stock": False},
    {"shop": "north", "return_id": "R5", "exchange_id": "X2", "product_id": "C", "variant_id": "C9", "sku": "",
     "price": "25", "total": "25", "out_of_stock": True, "out_of_stock_resolution": "waiting"},
    {"shop": "north", "return_id": "R6", "exchange_id": "X3", "product_id": "A", "variant_id": "A9", "sku": "S-A9",
     "price": "95", "total": "95", "out_of_stock": False},
    {"shop": "west", "return_id": "W3", "exchange_id": "X1", "exchange_order_id": "N/A", "exchange_order_name": "",
     "product_id": "", "variant_id": "n/a", "title": " ", "total": "60"},
    {"shop": "west", "return_id": "W4", "exchange_id": "X1", "exchange_order_id": " ", "product_id": "", "total": "0"},
]  # fmt: skip

LABELS: Rows = [
    {"shop": "north", "return_id": "R1", "label_index": 0, "status": "delivered", "updated_at": at("01-15 23:30"),
     "rate": "7.25", "carrier": "USPS", "tracking_number": "T1", "line_items": '["L1", "L2"]'},
    {"shop": "north", "return_id": "R1", "label_index": 1, "status": "pre_transit", "updated_at": at("01-10 23:31"),
     "carrier": "UPS", "tracking_number": "T2", "line_items": "[]"},
    {"shop": "north", "return_id": "R2", "label_index": 0, "status": "in_transit", "updated_at": at("01-12 12:00"),
     "rate": "5", "carrier": "USPS", "tracking_number": "T3"},
    {"shop": "north", "return_id": "R3", "label_index": 0, "status": "delivered", "updated_at": at("02-07 12:00"),
     "carrier": "USPS", "tracking_number": "T4", "line_items": "[4]"},
    {"shop": "north", "return_id": "R5", "label_index": 0, "status": "new", "updated_at": at("01-20 08:01"),
     "rate": "6", "carrier": "FedEx", "tracking_number": "T5"},
    {"shop": "north", "return_id": "R7", "label_index": 0, "status": "delivered", "updated_at": at("01-11 12:00"),
     "rate": "9", "carrier": "USPS", "tracking_number": "T7"},
    {"shop": "west", "return_id": "W1", "label_index": 0, "status": "delivered", "updated_at": at("01-14 08:00"),
     "carrier": "DHL", "tracking_number": "T8", "line_items": '["K1"]'},
    {"shop": "west", "return_id": "W1", "label_index": 1, "status": "in_transit", "updated_at": at("01-15 08:00"),
     "carrier": "DHL", "tracking_number": "T9", "line_items": '["K2"]'},
    {"shop": "west", "return_id": "W4", "label_index": 0, "status": "no_label", "carrier": " n/a", "tracking_number": "N/A"},
    {"shop": "west", "return_id": "W6", "label_index": 0, "status": "In_Transit", "updated_at": at("01-06 08:00"),
     "carrier": "DHL", "tracking_number": "T10"},
    {"shop": "west", "return_id": "W7", "label_index": 0, "status": "delivered", "updated_at": at("01-12 08:00"),
     "carrier": "DHL", "tracking_number": "T11"},
    {"shop": "west", "return_id": "W8", "label_index": 0, "status": "error", "updated_at": at("01-09 08:00"),
     "carrier": "DHL", "tracking_number": "T12"},
]  # fmt: skip

LABEL_CHANGES: Rows = [
    # R3 was scanned twice on its way; of R1 a return cannot tell which of its two labels moved
    scan("R3", "pre_transit", "02-02 08:00", "in_transit", "02-03 12:00"),
    scan("R3", "in_transit", "02-03 12:00", "in_transit", "02-05 12:00"),
    scan("R3", "in_transit", "02-05 12:00", "delivered", "02-07 12:00"),
    scan("R1", "pre_transit", "01-10 23:31", "in_transit", "01-11 08:00"),
    # the notices of K1 tell of W1's first package, which came three days after its first scan
    scan("W1", None, None, "out_for_delivery", "01-11 07:00", shop="west", unit="K1"),
    scan("W1", "out_for_delivery", "01-11 07:00", "delivered", "01-14 07:00", shop="west", unit="K1"),
    # W7 was scanned as delivered only: when it began its way is not known
    scan("W7", "new", "01-11 08:00", "delivered", "01-12 08:00", shop="west"),
]

REFUNDS: Rows = [
    {"shop": "north", "return_id": "R1", "refund_id": "F1", "provider_created_at": at("01-20 11:30")},
    {"shop": "north", "return_id": "R1", "refund_id": "F2", "provider_created_at": at("01-25 11:30")},
    {"shop": "south", "return_id": "R1", "refund_id": "F1", "provider_created_at": at("01-11 12:00")},
    {"shop": "west", "return_id": "W4", "refund_id": "F1", "created_at": at("01-14 08:00")},
    {
        "shop": "west",
        "return_id": "W4",
        "refund_id": "F2",
        "created_at": at("01-15 08:00"),
        "provider_created_at": at("01-16 08:00"),
    },
]

# Details: R1 was paid back in two parts, one of which is there twice; R2 was ordered in euros; nothing was refunded for R3;
# of R4, ordered in another currency too, they were not read; those of W4 have a refund in another currency.
DETAILS: Rows = [
    {"shop": "north", "return_id": "R1"},
    {"shop": "north", "return_id": "R2", "presentment_currency": "EUR", "presentment_return_total": "18.50",
     "presentment_refund": "18.50", "presentment_return_credit_total": "0", "presentment_gift_card": "0",
     "presentment_exchange_total": "0", "presentment_handling_fee": "0"},
    {"shop": "north", "return_id": "R3"},
    {"shop": "west", "return_id": "W4"},
]  # fmt: skip
DETAIL_REFUNDS: Rows = [
    {"shop": "north", "return_id": "R1", "refund_index": 0, "provider_refund_id": "S1", "gateway": "paypal",
     "amount": "40", "currency": "USD"},
    {"shop": "north", "return_id": "R1", "refund_index": 1, "provider_refund_id": "S1", "gateway": "paypal",
     "amount": "40", "currency": "USD"},
    {"shop": "north", "return_id": "R1", "refund_index": 2, "provider_refund_id": "S1", "gateway": "gift_card",
     "amount": "20", "currency": "USD"},
    {"shop": "west", "return_id": "W4", "refund_index": 0, "amount": "11", "currency": "EUR"},
]  # fmt: skip

# Happy Returns: units of R1 went on in two shipments, of the later of which the carrier tells no number.
HAPPY: Rows = [
    {"shop": "north", "loop_shipment_id": "7", "created_at": at("01-16 08:00")},
    {"shop": "north", "loop_shipment_id": "8", "created_at": at("01-18 08:00")},
    {"shop": "west", "loop_shipment_id": "8", "created_at": at("01-19 08:00")},
]
HAPPY_ITEMS: Rows = [
    {"shop": shop, "loop_shipment_id": shipment, "item_index": place, "return_id": of, "shipping_box_barcode": box,
     "carrier": carrier, "tracking_number": number}
    for shop, shipment, place, of, box, carrier, number in (
        ("north", "7", 0, "R1", "B1", "FedEx", "H7"),
        ("north", "8", 0, "R1", "B2", "Freight", "N/A"),
        ("north", "8", 1, "R1", "B2", "Freight", None),
        ("north", "8", 2, "R4", "B2", "Freight", None),
        ("west", "8", 0, "W1", "B3", "FedEx", "H8"),
    )
]  # fmt: skip

NOTICES: Rows = [
    notice("L1", "01-01 11:30", tracking_number="T1", date_delivered=at("01-14 23:30"), closed_at=at("01-20 23:30"),
           service="Ground", destination_id="D1", destination_name="Main hall", restock_status="restocked"),
    notice("L1", "01-01 11:30", number="N0", updated_at=at("01-12 00:00"), tracking_number="T1", restock_status="pending"),
    notice("L2", "01-01 11:30", tracking_number="T1", date_delivered=at("01-14 23:30"), closed_at=at("01-20 23:30"),
           service="Ground", destination_id="D1", destination_name="Main hall"),
    notice("L5", "01-05 10:00"),
    notice("L8", "01-02 09:00"),
    notice("L3", "01-03 00:00", _deleted_at=at("02-02 00:00")),
    notice("L1", "01-03 12:00", shop="south", closed_at=at("01-12 00:00")),
    notice("K1", "01-02 08:00", shop="west", number="W1", order_id="OW1", date_delivered=at("01-14 07:00"),
           destination_id="D2", destination_name="West hall"),
    notice("K2", "01-02 08:00", shop="west", number="W1", order_id="OW1", service=" n/a", destination_name=""),
    notice("K3", "01-02 08:00", shop="west", number="W2", order_id="OW2", closed_at=at("01-13 08:00")),
    notice("K7", "01-02 08:00", shop="west", number="W7", order_id="OW7", closed_at=at("01-12 20:00")),
]  # fmt: skip

RUNS: Rows = [
    {"shop": "north", "run_id": "1", "command": "sync", "started_at": at("02-10 01:00"), "finished_at": at("02-10 01:05"),
     "outcome": "done", "exit_code": 0, "cursor_after": at("02-10 00:55"), "notices_up_to": at("02-10 00:50")},
    {"shop": "north", "run_id": "2", "command": "reconcile", "started_at": at("02-10 02:00"),
     "finished_at": at("02-10 02:30"), "outcome": "check_failed", "exit_code": 3},
    {"shop": "north", "run_id": "3", "command": "sync", "started_at": at("02-10 03:00"), "finished_at": at("02-10 03:01"),
     "outcome": "failed", "exit_code": 1, "error_message": "No route to Loop."},
]  # fmt: skip

SHOP: dict[str, Rows] = {
    "returns": RETURNS,
    "return_line_items": LINES,
    "return_exchanges": EXCHANGES,
    "return_labels": LABELS,
    "return_refunds": REFUNDS,
    "return_label_changes": LABEL_CHANGES,
    "return_details": DETAILS,
    "return_detail_refunds": DETAIL_REFUNDS,
    "happy_returns_shipments": HAPPY,
    "happy_returns_shipment_items": HAPPY_ITEMS,
    "advanced_shipping_notices": NOTICES,
    "_loop_sync_runs": RUNS,
}


def written(value: object) -> str:
    """A value as the tables in `golden/` write it: `-` for null, yes and no, no trailing zeros, times without seconds."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return value.isoformat() if isinstance(value, date) else str(value)


def golden(mart: str) -> tuple[list[str], list[list[str]]]:
    """The columns and rows that are expected of a mart, of these shops or, for some, of those in `golden_answers`."""
    (file,) = GOLDEN.rglob(f"{mart}.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in text.split("|")] for text in lines if text and not text.startswith("#")]
    return rows[0], rows[1:]
