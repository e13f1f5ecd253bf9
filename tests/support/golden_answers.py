"""Two more small shops, for the marts whose questions need returns that the shops of `golden_shop` do not have.

Each question has its own returns; the results lie in a folder of its name in `golden/answers/`. `west` was read up to noon
of 31 March 2026; `east` has returns with ids of `west`, so that a join without the shop would mix them up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.golden_shop import GOLDEN, Rows, at, line, notice, ret, scan

ANSWERED = GOLDEN / "answers"
BY_RULE = {"dim_date"}  # marts with too many rows to be written down: `test_answers` has a rule for each
OTHERS = BY_RULE | {
    file.stem for file in ANSWERED.glob("*/*.txt")
}  # marts that are not proved with the shops of `golden_shop`


def west(one: str, state: str, outcome: str, created: str, **more: Any) -> dict[str, Any]:
    """A return of `west`, as of the day it was submitted unless something says otherwise."""
    return ret(one, state, outcome, created, shop="west") | {"updated_at": at(created)} | more


def refund(of: str, one: str, when: str | None, *, shop: str = "west", **more: Any) -> dict[str, Any]:
    """A Shopify refund of a return."""
    return {"shop": shop, "return_id": of, "refund_id": one, "provider_created_at": when and at(when)} | more


def exchange(one: str, of: str, created: str, placed: str | None, amount: str, **more: Any) -> dict[str, Any]:
    """A return of the order `of`, for which something is sent in exchange."""
    amounts = {"return_total": amount, "return_credit_total": amount, "exchange_total": amount}
    when = {"outcomes_processed_at_exchange_processed": placed and at(placed)}
    return west(one, "closed", "exchange", created, provider_order_id=of, **amounts, **when) | more


def item(of: str, one: str, order: str | None, *, shop: str = "west") -> dict[str, Any]:
    """An item sent in exchange, in that order."""
    return {"shop": shop, "return_id": of, "exchange_id": one, "exchange_order_id": order, "product_id": "A", "total": "1"}


# Refunds: each return is one way in which a refund and its return can fit or not.
RETURNS: Rows = [
    west("A01", "closed", "refund", "03-01 00:00", refund="50", outcomes_processed_at_refund_processed=at("03-05 11:00")),
    west("A02", "open", "refund", "03-02 00:00", refund="20"),
    west("A03", "closed", "refund", "03-03 00:00", refund="30"),
    west("A04", "closed", "refund", "03-04 00:00", refund="31"),  # closed less than three days before the last reading
    west("A05", "expired", "refund", "03-01 00:00", refund="40", refund_before_inspection=True),
    west("A06", "closed", "refund", "03-01 00:00", refund="60", type="warranty"),
    west("A07", "closed", "refund", "03-01 00:00", refund="61"),  # one Shopify refund, recorded twice
    west("A08", "open", "refund", "03-20 00:00", refund="70", refund_before_inspection=True),
    west("A09", "closed", "credit", "03-01 00:00", gift_card="25", return_credit_total="25"),
    west("A10", "cancelled", "refund", "03-01 00:00", refund="10"),
    west("A11", "open", "refund", "03-30 00:00", refund="15"),
    west("A12", "cancelled", "refund", "03-01 00:00", refund="12"),
    west("A13", "closed", "refund", "02-01 00:00", refund="35"),  # nothing says when it was closed
    west("A14", "open", "refund", "02-01 00:00", refund="80", refund_before_inspection=True),
    west("A15", "closed", "refund", "02-01 00:00", refund="81", refund_before_inspection=True),  # it was inspected
    west("A16", "closed", "exchange", "03-01 00:00"),
    west("A17", "closed", "refund", "03-01 00:00", refund="9", _deleted_at=at("03-20 00:00")),
    west("A18", "closed", "refund", "03-01 00:00", refund="90"),  # two refunds, whose amounts two tables know
    west("A19", "closed", "refund", "03-01 00:00", refund="45"),  # paid twice
    west("A20", "closed", "refund", "03-01 00:00", refund="44"),  # four less were paid, in two transactions
    west("A21", "closed", "refund", "03-01 00:00", refund="91"),  # two refunds, of which nobody knows the amount
    ret("A01", "closed", "refund", "03-01 12:00", shop="east", currency="EUR", refund="5",
        outcomes_processed_at_refund_processed=at("03-02 00:00"), updated_at=at("03-02 00:00")),
    ret("A02", "review", "refund", "03-01 12:00", shop="east", currency="EUR", refund="6", updated_at=at("03-01 12:00")),
]  # fmt: skip

LINES: Rows = [
    *(line(f"L-{one}", one, "A", "A1", "10", shop="west") for one in ("A01", "A02", "A03", "A04")),
    line("L-A15", "A15", "A", "A1", "81", shop="west", disposition_inspected_at=at("02-10 00:00")),
    line("L-A01", "A01", "A", "A1", "5", shop="east"),
]

REFUNDS: Rows = [
    refund("A01", "F01", "03-05 12:00", provider_refund_id="S01", created_at=at("03-05 12:01")),
    refund("A02", "F02", "03-10 00:00", provider_refund_id="S02"),
    refund("A05", "F05", "03-02 06:00", provider_refund_id="S05"),
    refund("A06", "F07", "03-06 00:00", provider_refund_id="S07"),
    refund("A06", "F06", "03-09 12:00", provider_refund_id="S06"),
    refund("A07", "F08", "03-06 00:00", provider_refund_id="S08"),
    refund("A07", "F09", "03-06 00:00", provider_refund_id="S08"),
    refund("A08", "F10", "03-25 00:00", provider_refund_id="S10"),
    refund("A09", "F11", "03-04 00:00", provider_refund_id=""),
    refund("A10", "F12", None, created_at=at("03-03 00:00")),  # only Loop's record has a time
    refund("A14", "F14", "02-02 00:00", provider_refund_id="S14"),
    refund("A15", "F15", "02-02 00:00", provider_refund_id="S15"),
    refund("A18", "F18", "03-02 00:00", provider_refund_id="S18"),
    refund("A18", "F19", "03-03 00:00", provider_refund_id="S19"),
    refund("A19", "F20", "03-02 00:00", provider_refund_id="S20"),
    refund("A19", "F21", "03-02 00:00", provider_refund_id="S21"),
    refund("A20", "F22", "03-02 00:00", provider_refund_id="S22"),
    refund("A21", "F23", "03-02 00:00", provider_refund_id="S23"),
    refund("A21", "F24", "03-03 00:00", provider_refund_id="S24"),
    refund("A17", "F17", "03-02 00:00", provider_refund_id="S17"),
]

# Of A08 and A15 only the details tell what was paid; of A18 they tell what the table does not; of A20 the table counts.
DETAIL_REFUNDS: Rows = [
    {"shop": "west", "return_id": of, "refund_index": 0, "provider_refund_id": one, "amount": amount, "currency": currency}
    for of, one, amount, currency in (
        ("A08", "S10", "70", "USD"),
        ("A14", "S14", "80", "EUR"),  # not the return's currency
        ("A15", "S15", "80", "usd"),
        ("A18", "S19", "45", "USD"),
        ("A20", "S22", "44", "USD"),
    )
]

NOTICES: Rows = [
    notice("L-A01", "02-20 00:00", shop="west", date_delivered=at("03-04 00:00"), closed_at=at("03-06 00:00")),
    notice("L-A02", "02-20 00:00", shop="west", date_delivered=at("03-08 00:00")),
    notice("L-A03", "02-20 00:00", shop="west", closed_at=at("03-28 11:59")),
    notice("L-A04", "02-20 00:00", shop="west", closed_at=at("03-28 12:01")),
]

RUNS: Rows = [
    {"shop": "west", "run_id": "1", "command": "sync", "started_at": at("03-31 11:00"), "finished_at": at("03-31 12:01"),
     "outcome": "done", "exit_code": 0, "synced_up_to": at("03-31 12:00")},
    {"shop": "west", "run_id": "2", "command": "sync", "started_at": at("03-31 13:00"), "synced_up_to": at("03-31 12:00"),
     "outcome": "done", "exit_code": 0} | {"synced_up_to": at("03-31 12:00").replace(year=2999)},  # a clock that was wrong
]  # fmt: skip

# Chains of exchanges. B01 -> B02 -> B03; of B05 nothing came back but for a return that was cancelled; for B07 two
# items were sent in one order, and two returns came; B10 is not placed yet; B11 was cancelled; B12 is too recent to
# tell; what was sent for B15 came back in another currency.
CHAINS: Rows = [
    exchange("B01", "P-1", "01-02 00:00", "01-10 00:00", "100", type="standard"),
    exchange("B02", "E-B1", "01-20 12:00", "01-25 00:00", "90", refund="10", return_total="100", customer="a@example.com"),
    west("B03", "open", "refund", "02-10 00:00", provider_order_id="E-B2", return_total="90", refund="90"),
    exchange("B05", "P-5", "01-03 00:00", "01-11 00:00", "50", type="standard"),
    west("B06", "cancelled", "refund", "01-20 00:00", provider_order_id="E-B5", return_total="50", refund="50"),
    exchange("B07", "P-7", "01-04 00:00", None, "60", type="warranty"),
    west("B08", "closed", "refund", "02-01 00:00", provider_order_id="E-B7", return_total="40", refund="40"),
    west("B09", "closed", "refund", "03-29 00:00", provider_order_id="E-B7", return_total="30", refund="30"),
    exchange("B10", "", "01-05 00:00", None, "70"),
    exchange("B11", "P-11", "01-05 00:00", "01-06 00:00", "80", state="cancelled"),
    exchange("B12", "P-12", "03-01 00:00", "03-02 00:00", "20", currency=None),
    exchange("B13", "P-13", "01-01 00:00", "01-02 00:00", "25", type="standard"),
    west("B14", "closed", "credit", "03-20 00:00", provider_order_id="E-B13", return_total="25", return_credit_total="25"),
    exchange("B15", "P-15", "01-06 00:00", "01-12 00:00", "30"),
    west("B16", "open", "refund", "02-20 12:00", provider_order_id="E-B15", return_total="40", refund="40", currency="CAD"),
    ret("B02", "closed", "refund", "02-01 00:00", shop="east", provider_order_id="E-B5", return_total="3", refund="3"),
]
ITEMS: Rows = [
    item("B01", "X1", "E-B1"),
    item("B02", "X2", "E-B2"),
    item("B05", "X5", "E-B5"),
    item("B07", "X7", "E-B7"),
    item("B07", "X8", "E-B7"),
    item("B10", "X10", "N/A"),
    item("B10", "X11", ""),
    item("B11", "X12", "E-B11"),
    item("B12", "X13", "E-B12"),
    item("B13", "X14", "E-B13"),
    item("B15", "X15", "E-B15"),
]


def change(of: str, before: str, after: str, when: str, *, shop: str = "west") -> dict[str, Any]:
    """A change of state that a run saw an hour later."""
    seen = at(when) + timedelta(hours=1)
    return {
        "shop": shop,
        "return_id": of,
        "from_state": before,
        "to_state": after,
        "updated_at": at(when),
        "observed_at": seen,
    }


# States. S1 was closed, opened again and closed; S2 was first seen closed, with a notice that says since when; S3
# without one; S4 is open; S5 came out of review; S6 expired and was taken up again; S7 is gone from Loop; S8 was
# first seen closed, opened and closed again, so that its notice tells the last closing, not the first; S9 was
# closed before it was submitted, it says.
STATES: Rows = [
    west("S1", "closed", "refund", "01-01 00:00", type="standard", outcomes_processed_at_refund_processed=at("01-08 06:00")),
    west("S2", "closed", "refund", "01-02 00:00", type="standard"),
    west("S3", "closed", "refund", "01-03 00:00", type="standard"),
    west("S4", "open", "refund", "02-01 00:00"),
    west("S5", "open", "refund", "02-02 00:00"),
    west("S6", "open", "refund", "02-03 00:00", type="warranty"),
    west("S7", "closed", "refund", "02-04 00:00", _deleted_at=at("02-05 00:00")),
    west("S8", "closed", "refund", "01-04 00:00", type="standard"),
    west("S9", "closed", "refund", "02-10 00:00"),
    ret("S1", "open", "refund", "01-01 00:00", shop="east", currency="EUR"),
]
STATE_CHANGES: Rows = [
    change("S1", "open", "closed", "01-05 00:00"),
    change("S1", "closed", "open", "01-07 12:00"),
    change("S1", "open", "closed", "01-08 00:00"),
    change("S5", "review", "open", "02-05 06:00"),
    change("S6", "open", "expired", "02-20 00:00"),
    change("S6", "expired", "open", "02-21 00:00"),
    change("S8", "closed", "open", "01-10 00:00"),
    change("S8", "open", "closed", "01-12 00:00"),
    change("S7", "open", "closed", "02-04 12:00"),
    change("S9", "open", "closed", "02-09 12:00"),
]
STATE_LINES: Rows = [line(f"L-{one}", one, "A", "A1", "10", shop="west") for one in ("S1", "S2", "S3", "S8")]
STATE_NOTICES: Rows = [
    notice("L-S1", "01-01 00:00", shop="west", closed_at=at("01-08 00:00")),
    notice("L-S8", "01-01 00:00", shop="west", closed_at=at("01-12 00:00")),
    notice("L-S2", "01-01 00:00", shop="west", closed_at=at("01-04 12:00")),
]


# Month ends. `west` was first synced on 10 February: how January ended nobody knows. M1 was open at the end of
# February and paid in March; M2 was cancelled in March; M3 waits since January; M4 was closed before the first sync,
# and its credit issued in March; M5 was reopened over the end of February; M6 is closed and was never paid; M7 is new
# and not sent yet; M8 in euros has a month in which nothing changed; M9 was paid in the last minute of February.
# `east` has no sync on record.
MONTH_ENDS: Rows = [
    west("M1", "closed", "refund", "02-12 00:00", refund="10", outcomes_processed_at_refund_processed=at("03-05 00:00")),
    west("M2", "cancelled", "refund", "02-13 00:00", refund="20", gift_card="5"),
    west("M3", "review", "refund", "01-05 00:00", refund="40"),
    west("M4", "closed", "credit", "01-06 00:00", gift_card="80",
         outcomes_processed_at_gift_card_processed=at("03-06 00:00")),
    west("M5", "closed", "exchange", "02-11 00:00", exchange_total="160",
         outcomes_processed_at_exchange_processed=at("03-10 00:00")),
    west("M6", "closed", "refund", "02-14 00:00", refund="320"),
    west("M7", "open", "refund", "03-30 00:00", refund="640"),
    west("M8", "open", "credit", "01-20 00:00", currency="EUR", gift_card="7"),
    west("M9", "closed", "refund", "02-15 00:00", refund="1280"),
    ret("M1", "open", "refund", "02-12 00:00", shop="east", refund="1", currency="EUR",
        updated_at=at("03-01 00:00")),
]  # fmt: skip
MONTH_END_CHANGES: Rows = [
    change("M1", "open", "closed", "03-02 00:00"),
    change("M2", "open", "cancelled", "03-03 00:00"),
    change("M5", "open", "closed", "02-20 00:00"),
    change("M5", "closed", "open", "02-28 00:00"),
    change("M5", "open", "closed", "03-02 00:00"),
    change("M6", "open", "closed", "02-16 00:00"),
    change("M9", "open", "closed", "02-20 00:00"),
]
MONTH_END_RUNS: Rows = [
    {"shop": "west", "run_id": "0", "command": "sync", "started_at": at("02-10 00:00"), "finished_at": at("02-10 01:00"),
     "outcome": "done", "exit_code": 0, "synced_up_to": at("02-10 00:00")},
    {"shop": "west", "run_id": "f", "command": "sync", "started_at": at("01-10 00:00"), "finished_at": at("01-10 01:00"),
     "outcome": "failed", "exit_code": 1},
    {"shop": "west", "run_id": "2", "command": "sync", "started_at": at("04-01 00:01"), "finished_at": at("04-01 01:00"),
     "outcome": "done", "exit_code": 0, "synced_up_to": at("04-01 00:00")},
]  # fmt: skip


# Mismatches. N1 agrees with its notice; of N2 the notice is behind; N3 has another outcome and another price; N4 has
# a unit without a notice; N5 is older than the first notice, so that none is missing; a notice is about a unit that
# left N6; the line of N7 comes again in another order, whose notice says nothing about it; N8 is gone, and so is its
# notice; `east` reads no notices.
MATCHED: Rows = [
    west("N1", "closed", "refund", "03-02 00:00", order_id="O1"),
    west("N2", "closed", "refund", "03-03 00:00", order_id="O2", updated_at=at("03-09 00:00")),
    west("N3", "open", "refund", "03-04 00:00", order_id="O3"),
    west("N4", "open", "", "03-05 00:00", order_id="O4"),
    west("N5", "closed", "refund", "02-01 00:00", order_id="O5"),
    west("N6", "open", "refund", "03-06 00:00", order_id="O6"),
    west("N7", "open", "refund", "03-07 00:00", order_id="O7"),
    west("N8", "open", "refund", "03-08 00:00", order_id="O8", _deleted_at=at("03-10 00:00")),
    ret("N1", "open", "credit", "03-02 00:00", shop="east", order_id="O1"),
]
MATCHED_LINES: Rows = [
    *(line(f"L{n}", f"N{n}", "A", "A1", "10", shop="west") for n in range(1, 9)),
    line("L4b", "N4", "A", "A1", "10", shop="west"),
    line("L1", "N1", "A", "A1", "12", shop="east"),
]


def told(of: str, order: str, state: str, when: str, **more: Any) -> dict[str, Any]:
    """A notice of a unit that agrees with the return unless something says otherwise."""
    base = {"shop": "west", "number": f"I-{of}", "order_id": order, "state": state, "created_at": at(when)}
    return notice(
        of, "02-01 00:00", **(base | {"updated_at": at(when), "outcome": "Refund", "purchase_price": "10.00"} | more)
    )


MATCHED_NOTICES: Rows = [
    told("L1", "O1", "closed", "03-02 00:00"),
    told("L2", "O2", "open", "03-03 00:00"),
    told("L3", "O3", "open", "03-04 00:00", outcome="exchange", purchase_price="12.5"),
    told("L4", "O4", "open", "03-05 00:00"),
    told("L6", "O6", "open", "03-06 00:00"),
    told("L6b", "O6", "open", "03-06 00:00"),
    told("L7", "O7", "open", "03-07 00:00"),
    told("L7", "O9", "cancelled", "03-12 00:00", number="I-other"),
    told("L8", "O8", "open", "03-08 00:00", _deleted_at=at("03-10 00:00")),
]


# Products and shoppers. Variant A1 was renamed, and lost its SKU in the latest return; A2 was only sent in exchange;
# one unit names no product. Ann moved; Bob's only return was cancelled; a shopper without a name is none.
NAMED: Rows = [
    west(
        "D1",
        "closed",
        "exchange",
        "03-01 00:00",
        customer="ann@example.com",
        origin_country="Canada",
        origin_country_code="CA",
    ),
    west(
        "D2", "open", "refund", "03-05 00:00", customer="Ann@example.com", origin_country="Germany", origin_country_code="DE"
    ),
    west("D3", "expired", "refund", "03-06 00:00", customer="ann@example.com", origin_country_code=""),
    west("D4", "cancelled", "refund", "03-07 00:00", customer="bob@example.com", origin_country_code="US"),
    west("D5", "open", "refund", "03-08 00:00", customer="N/A", origin_country_code="US"),
    west("D6", "open", "refund", "03-08 00:00", customer="bob@example.com", _deleted_at=at("03-09 00:00")),
    ret("D1", "open", "refund", "03-02 00:00", shop="east", customer="ann@example.com", origin_country_code="FR"),
]
NAMED_LINES: Rows = [
    line("D1a", "D1", "A", "A1", "10", shop="west", title="Shirt small", barcode="290"),
    line("D2a", "D2", "A", "A1", "10", shop="west", title="Shirt S", sku="", barcode="N/A"),
    line("D3a", "D3", "A", "A1", "10", shop="west", title=""),
    line("D4a", "D4", "", "N/A", "10", shop="west", title="Mug", sku="M"),
    line("D6a", "D6", "Z", "Z1", "10", shop="west", title="Gone"),
    line("D1a", "D1", "A", "A1", "10", shop="east", title="Chemise"),
]
NAMED_ITEMS: Rows = [
    {
        "shop": "west",
        "return_id": "D1",
        "exchange_id": "X1",
        "product_id": "A",
        "variant_id": "A2",
        "title": "Shirt M",
        "sku": "S-A2",
    }
]


def bought(one: str, when: str, *lines: str, shop: str = "west", state: str = "closed", **more: Any) -> tuple[Rows, Rows]:
    """A return submitted then (with its year), and its units, by the order lines they belong to."""
    moment = datetime.strptime(when, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    returned = ret(one, state, "refund", "01-01 00:00", shop=shop) | {"created_at": moment, "updated_at": moment} | more
    units = [line(f"{one}-{n}", one, "A", "A1", "1", shop=shop, provider_line_item_id=of) for n, of in enumerate(lines)]
    return [returned], units


# Return rates. Of line 101 two units come back a minute before their 30 days are over and one a minute after, of 102
# one on day 89; what is on a cancelled return stays sold; E9 sends an exchange, so its line 109 is no sale, whatever
# comes back of it; 103 is of December, whose 90 days are not over, 104 of January, whose 60 days are not. `east` has
# a line with an id of `west`.
BOUGHT = [
    bought("Q1", "2025-12-10 09:59", "101", "101"),
    bought("Q2", "2025-12-10 10:01", "101"),
    bought("Q3", "2025-12-11 00:00", "101", state="cancelled"),
    bought("Q4", "2026-02-17 00:00", "102"),
    bought("Q5", "2026-01-10 00:00", "109", "103"),
    bought("Q6", "2026-02-01 00:00", "104", "999", ""),
    bought("Q1", "2025-12-10 00:00", "101", shop="east"),
]
ORDERS = """
    SELECT 'west' AS shop, 1 AS order_id, 101 AS order_line_id, 7 AS product_id, 71 AS variant_id, 5 AS units,
           100.00 AS amount, 'USD' AS currency, CAST('2025-11-10 10:00:00+00' AS TIMESTAMPTZ) AS ordered_at, '' AS other
    UNION ALL SELECT 'west', 2, 102, 7, 71, 3, 59.99, 'USD', CAST('2025-11-20 00:00:00+00' AS TIMESTAMPTZ), ''
    UNION ALL SELECT 'west', 2, 105, 7, 72, 1, 20.00, 'USD', CAST('2025-11-20 00:00:00+00' AS TIMESTAMPTZ), ''
    UNION ALL SELECT 'west', 3, 103, 7, 71, 2, 40.00, 'USD', CAST('2025-12-31 23:59:00+00' AS TIMESTAMPTZ), ''
    UNION ALL SELECT 'west', 4, 104, NULL, NULL, 4, 0, NULL, CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ), ''
    UNION ALL SELECT 'west', 9, 109, 7, 71, 1, 20.00, 'USD', CAST('2025-12-20 00:00:00+00' AS TIMESTAMPTZ), ''
    UNION ALL SELECT 'east', 1, 101, 7, 71, 1, 10.00, 'EUR', CAST('2025-11-30 00:00:00+00' AS TIMESTAMPTZ), ''
"""  # the setting `orders` names a table with these rows; ids are numbers there

# Shoppers of November: Ada comes again on day 90, which is too late, Ben and Cleo before; Dan's next order is an exchange.
# Ada, Cleo and Dan sent something back; Ben's return was cancelled. Eve's 90 days are not over; N/A is nobody.
SENT_BACK = [
    bought("G1", "2025-11-20 00:00", "a", provider_order_id="1"),
    bought("G2", "2025-11-20 00:00", "b", state="cancelled", provider_order_id="3"),
    bought("G3", "2025-11-24 00:00", "c", provider_order_id="5"),
    bought("G4", "2025-12-05 00:00", "d", provider_order_id="7"),
]
_OF = "SELECT 'west', {0}, '{0}', 7, 71, 1, 10.00, 'USD', CAST('{1} 10:00:00+00' AS TIMESTAMPTZ), '{2}'"
SHOPPERS = """
    SELECT 'west' AS shop, 1 AS order_id, '1' AS order_line_id, 7 AS product_id, 71 AS variant_id, 1 AS units,
           10.00 AS amount, 'USD' AS currency, CAST('2025-11-05 10:00:00+00' AS TIMESTAMPTZ) AS ordered_at,
           'ada@example.com' AS customer
""" + "".join(f" UNION ALL {_OF.format(*order)}" for order in (
    (2, "2026-02-03", "ada@example.com"), (3, "2025-11-10", "Ben@Example.com "), (4, "2025-12-01", "ben@example.com"),
    (5, "2025-11-20", "cleo@example.com"), (6, "2025-11-25", "cleo@example.com"), (7, "2025-11-30", "dan@example.com"),
    (9, "2025-12-06", "dan@example.com"), (8, "2025-11-30", "N/A"), (10, "2025-12-15", "eve@example.com"),
))  # fmt: skip

# One currency. 7 March 2026 has no rate of its own, so that of the 6th counts; before the 5th there is none; yen have
# none.
GROUPED: Rows = [
    west("V1", "closed", "credit", "03-05 00:00", currency="EUR", return_total="100", return_credit_total="40", upsell="1"),
    west("V2", "closed", "refund", "03-07 00:00", currency="EUR", return_total="10", handling_fee="2.50"),
    west("V3", "closed", "refund", "03-04 00:00", currency="EUR", return_total="10"),
    west("V4", "closed", "refund", "03-07 00:00", currency="JPY", return_total="1000"),
    ret("V1", "closed", "refund", "03-07 00:00", shop="east", return_total="8", return_credit_total="8"),
]
RATES = """
    SELECT 'EUR' AS currency, CAST('2026-03-05' AS DATE) AS day, 1.05 AS rate
    UNION ALL SELECT 'EUR', CAST('2026-03-06' AS DATE), 1.1 UNION ALL SELECT 'EUR', CAST('2026-03-08' AS DATE), 9
    UNION ALL SELECT 'USD', CAST('2026-01-01' AS DATE), 1
"""
PAID = """
    SELECT 'west' AS shop, 'S01' AS refund_id, 50.00 AS amount
    UNION ALL SELECT 'east', 'S01', 999
    UNION ALL SELECT 'west', 'S05', 40
    UNION ALL SELECT 'west', 'S06', 20.00
    UNION ALL SELECT 'west', 'S07', 40.00
    UNION ALL SELECT 'west', 'S08', 61
    UNION ALL SELECT 'west', 'S18', 45
    UNION ALL SELECT 'west', 'S20', 45
    UNION ALL SELECT 'west', 'S21', 45
    UNION ALL SELECT 'west', 'S22', 15
    UNION ALL SELECT 'west', 'S22', 25
    UNION ALL SELECT 'west', '', 7
"""  # the setting `refunds` names a table with these rows
OUTSIDE = {
    "rates": {"orders": ORDERS},
    "cohorts": {"orders": SHOPPERS},
    "refunds": {"refunds": PAID},
    "group": {"rates": RATES},
}


# Shipping. K1 has two labels, one without a price; of K2 only the return itself has a price; K3 has no label and a
# fee; K4 expired; K5 goes another way, K6 is in euros.
SHIPPED: Rows = [
    west(
        "K1", "closed", "refund", "03-01 00:00", handling_fee="3.50", return_method_provider="happy_returns", label_rate="9"
    ),
    west("K2", "open", "refund", "03-31 23:59", label_rate="6.25", return_method="", return_method_provider="happy_returns"),
    west("K3", "open", "refund", "03-02 00:00", handling_fee="2", return_method_provider="happy_returns"),
    west("K4", "expired", "refund", "03-03 00:00", handling_fee="1", return_method_provider="happy_returns"),
    west("K5", "open", "refund", "03-04 00:00", handling_fee="5", return_method="mail", type="warranty"),
    west("K6", "closed", "refund", "03-05 00:00", currency="EUR", return_method="N/A"),
    ret("K1", "closed", "refund", "03-01 00:00", shop="east", handling_fee="1", currency="EUR"),
]
SHIPPED_LABELS: Rows = [
    {"shop": "west", "return_id": "K1", "label_index": 0, "rate": "4.55"},
    {"shop": "west", "return_id": "K1", "label_index": 1},
    {"shop": "west", "return_id": "K4", "label_index": 0, "rate": "7"},
    {"shop": "west", "return_id": "K5", "label_index": 0, "rate": "4"},
    {"shop": "west", "return_id": "K6", "label_index": 0, "rate": "10"},
]

# What else Loop tells. N1 went a long way; N2 has nothing but its submission; N3 is gone from Loop. D1 and D2 are
# destinations that Loop lists, D3 is gone from its list, D4 is named by a return, D5 by notices.
TOLD: Rows = [
    west("N1", "closed", "refund", "03-01 08:00", destination_id="D1", edited_at=at("03-01 09:00"), label_status="delivered",
         outcomes_processed_at_refund_processed=at("03-09 12:00"), outcomes_processed_at_return_processed=at("03-09 12:01"),
         outcomes_processed_at_exchange_processed=at("03-09 12:02"),
         outcomes_processed_at_gift_card_processed=at("03-09 12:03")),
    west("N2", "open", "N/A", "03-02 23:30", destination_id="D4"),
    west("N3", "open", "refund", "03-02 00:00", destination_id="D6", _deleted_at=at("03-20 00:00")),
]  # fmt: skip
TOLD_BY_NOTICES: Rows = [
    notice("L-N1", "02-20 00:00", shop="west", date_delivered=at("03-05 12:00"), closed_at=at("03-09 13:00"),
           label_status="delivered", label_updated_at=at("03-05 12:00"), destination_id="D5", destination_name="Old hall",
           destination_city="Reno", updated_at=at("03-01 00:00")),
    notice("L-N1b", "02-20 00:00", shop="west", date_delivered=at("03-05 12:00"), destination_id="D5",
           destination_name="New hall", destination_city="n/a", destination_state="Nevada"),
    notice("L-N4", "02-20 00:00", shop="west", destination_id="D1", destination_name="Main", destination_city="Columbus"),
]  # fmt: skip
DESTINATIONS: Rows = [
    {"shop": "west", "id": "D1", "type": "warehouse", "name": "Main hall", "enabled": True, "provider_location_id": "42",
     "address_state": "Ohio", "address_country_code": "US"},
    {"shop": "west", "id": "D2", "type": "donate", "name": "Charity", "enabled": False, "provider_location_id": "N/A",
     "address_city": "Dublin", "address_state": "", "address_country_code": "IE"},
    {"shop": "west", "id": "D3", "type": "warehouse", "name": "Gone", "enabled": True, "_deleted_at": at("03-10 00:00")},
]  # fmt: skip
TOLD_RUNS: Rows = [
    {"shop": "west", "run_id": "1", "command": "sync", "started_at": at("03-30 11:00"), "finished_at": at("03-30 12:00"),
     "outcome": "done", "exit_code": 0,
     "resources": '{"returns": "read", "destinations": "read", "webhooks":"read", "return_notes": "read",'
                  ' "return_details": "read", "label_requests": "failed"}'},
    {"shop": "west", "run_id": "2", "command": "sync", "started_at": at("03-31 11:00"), "finished_at": at("03-31 12:00"),
     "outcome": "done", "exit_code": 0,
     "resources": '{"returns": "read", "advanced_shipping_notices": "read", "return_notes": "read",'
                  ' "return_details": "partly", "allowlist_items": "refused", "webhooks": "refused"}'},
    {"shop": "west", "run_id": "3", "command": "sync", "started_at": at("03-31 13:00"), "finished_at": at("03-31 13:01"),
     "outcome": "failed", "exit_code": 1, "resources": '{"label_requests": "read"}'},
]  # fmt: skip

ANSWERS: dict[str, dict[str, Rows]] = {
    "refunds": {
        "returns": RETURNS,
        "return_line_items": LINES,
        "return_refunds": REFUNDS,
        "return_details": [{"shop": "west", "return_id": row["return_id"]} for row in DETAIL_REFUNDS],
        "return_detail_refunds": DETAIL_REFUNDS,
        "advanced_shipping_notices": NOTICES,
        "_loop_sync_runs": RUNS,
    },
    "exchanges": {"returns": CHAINS, "return_exchanges": ITEMS, "_loop_sync_runs": RUNS},
    "states": {
        "returns": STATES,
        "return_state_changes": STATE_CHANGES,
        "return_line_items": STATE_LINES,
        "advanced_shipping_notices": STATE_NOTICES,
    },
    "month_ends": {
        "returns": MONTH_ENDS,
        "return_state_changes": MONTH_END_CHANGES,
        "return_refunds": [refund("M9", "F1", "02-28 23:59")],
        "_loop_sync_runs": MONTH_END_RUNS,
    },
    "mismatches": {
        "returns": MATCHED,
        "return_line_items": MATCHED_LINES,
        "advanced_shipping_notices": MATCHED_NOTICES,
    },
    "rates": {
        "returns": [one for returns, _ in BOUGHT for one in returns],
        "return_line_items": [one for _, units in BOUGHT for one in units],
        "return_exchanges": [item("Q1", "X1", "9")],
        "_loop_sync_runs": RUNS,
    },
    "cohorts": {
        "returns": [one for returns, _ in SENT_BACK for one in returns],
        "return_line_items": [one for _, units in SENT_BACK for one in units],
        "return_exchanges": [item("G4", "X1", "9")],
        "_loop_sync_runs": RUNS,
    },
    "shipping": {"returns": SHIPPED, "return_labels": SHIPPED_LABELS},
    "told": {
        "returns": TOLD,
        "return_line_items": [
            line("L-N1", "N1", "A", "A1", "10", shop="west", condition_inspected_at=at("03-06 08:00")),
            line("L-N1b", "N1", "A", "A2", "10", shop="west", disposition_inspected_at=at("03-06 08:00")),
            line("L-N2", "N2", "A", "A2", "10", shop="west"),
        ],
        "return_state_changes": [
            change("N1", "open", "closed", "03-09 13:00"),
            change("N3", "review", "open", "03-03 00:00"),
        ],
        "return_labels": [
            {
                "shop": "west",
                "return_id": "N1",
                "label_index": 0,
                "status": "Delivered",
                "updated_at": at("03-05 12:00"),
                "carrier": "UPS",
            },
        ],
        "return_label_changes": [
            scan("N1", "pre_transit", "03-01 08:30", "in_transit", "03-03 10:00", shop="west"),
            scan("N1", "in_transit", "03-03 10:00", "delivered", "03-05 12:00", shop="west", unit="L-N1")
            | {"return_id": "N1"},
        ],
        "return_refunds": [
            refund("N1", "F1", "03-09 11:59", provider_refund_id="S1"),
            refund("N1", "F2", "03-09 12:30", provider_refund_id="S1"),
            refund("N1", "F3", None, created_at=at("03-10 00:00")),
            refund("N2", "F4", None),
        ],
        "return_details": [{"shop": "west", "return_id": "N1"}],
        "return_detail_refunds": [
            {
                "shop": "west",
                "return_id": "N1",
                "refund_index": 0,
                "provider_refund_id": "S1",
                "gateway": "paypal",
                "amount": "12.50",
                "currency": "USD",
            },
        ],
        "return_notes": [
            {
                "shop": "west",
                "return_id": "N1",
                "note_id": "901",
                "content": "Box was damp",
                "created_at": at("03-05 12:30"),
            },
            {"shop": "west", "return_id": "N2", "note_id": "902", "content": "No time"},
        ],
        "label_requests": [
            {"shop": "west", "id": "81", "return_id": "N1", "status": "fulfilled", "created_at": at("03-01 08:10")},
        ],
        "happy_returns_shipments": [{"shop": "west", "loop_shipment_id": "7", "created_at": at("03-07 08:00")}],
        "happy_returns_shipment_items": [
            {"shop": "west", "loop_shipment_id": "7", "item_index": place, "return_id": "N1"} for place in range(2)
        ],
        "destinations": DESTINATIONS,
        "webhook_subscriptions": [{"shop": "west", "id": "1"}],
        "advanced_shipping_notices": TOLD_BY_NOTICES,
        "_loop_sync_runs": TOLD_RUNS,
    },
    "group": {"returns": GROUPED},
    "names": {"returns": NAMED, "return_line_items": NAMED_LINES, "return_exchanges": NAMED_ITEMS},
}
