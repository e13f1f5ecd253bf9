"""What a mart means where two readings are possible, each in the smallest shop that tells them apart."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from loop_returns.marts.outside import Given
from tests.support.golden_shop import at, line, notice, ret
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from pathlib import Path

Answer = Any  # a function, see below


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """The rows of a query on a shop of these tables, with these tables beside it."""

    def of(sql: str, *, beside: dict[str, str] | None = None, **tables: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        pipeline = duckdb_pipeline(tmp_path)
        load(pipeline, tables)
        with pipeline.sql_client() as client:
            client.execute_sql("CREATE SCHEMA beside")
            for name, rows in (beside or {}).items():
                client.execute_sql(f"CREATE TABLE beside.{name} AS {rows}")
        marts.refresh(pipeline, given=Given({name: f"beside.{name}" for name in beside or ()}))
        return select(pipeline, sql)

    return of


READ = {"shop": "north", "run_id": "1", "command": "sync", "exit_code": 0, "synced_up_to": at("06-01 00:00")}


def test_read_by_a_sync(answer: Answer):
    """How fresh a resource is syncs say: a backfill or a reconcile reads some days of it, whatever it says of itself."""
    runs = [
        READ | {"run_id": name, "command": name, "finished_at": at(moment), "resources": '{"webhooks": "read"}'}
        for name, moment in (("sync", "01-02 00:00"), ("backfill", "01-05 00:00"), ("reconcile", "01-06 00:00"))
    ]
    rows = answer("SELECT last_read_at FROM rpt_sync_resources WHERE resource = 'webhooks'", _loop_sync_runs=runs)
    assert rows == [(at("01-02 00:00"),)]


def test_read_before_a_run_was_interrupted(answer: Answer):
    """What a sync had read whole before something else ended it is read; what the key may not read good syncs say."""
    run = READ | {"finished_at": at("01-02 00:00"), "exit_code": 130, "outcome": "interrupted"}
    rows = answer(
        "SELECT resource, last_read_at, lacks_scope FROM rpt_sync_resources WHERE resource IN ('webhooks', 'destinations')",
        _loop_sync_runs=[run | {"resources": '{"webhooks": "read", "destinations": "refused"}'}],
    )
    assert sorted(rows) == [("destinations", None, False), ("webhooks", at("01-02 00:00"), False)]


def test_a_day_of_the_group_has_a_row_for_each_type(answer: Answer):
    """A warranty and a standard return of one day are a row each of the group's money, as its key says."""
    returns = [
        ret("R1", "closed", "refund", "01-10 10:00", return_total="10"),
        ret("R2", "closed", "refund", "01-10 11:00", return_total="5", type="warranty"),
    ]
    rates = "SELECT 'USD' AS currency, DATE '2026-01-01' AS day, 2.0 AS rate"
    rows = answer(
        "SELECT day, return_type, currency, returns, returned_value FROM rpt_group_daily WHERE date_basis = 'submitted'",
        returns=returns,
        beside={"rates": rates},
    )
    day = at("01-10 00:00").date()
    assert sorted(rows) == [(day, "standard", "USD", 1, 20), (day, "warranty", "USD", 1, 10)]


def test_the_middle_of_two_stays(answer: Answer):
    """The median of an even number of stays is rounded as people do, not cut: 0.01 and 0.02 days give 0.02."""
    returns = [ret(one, "closed", "refund", "01-10 00:00") for one in ("R1", "R2")]
    ends = (at("01-10 00:14"), at("01-10 00:29"))
    changes = [
        {
            "shop": "north",
            "return_id": one,
            "from_state": "open",
            "to_state": "closed",
            "updated_at": end,
            "observed_at": end,
        }
        for one, end in zip(("R1", "R2"), ends, strict=True)
    ]
    sql = "SELECT avg_days, median_days FROM rpt_return_states WHERE state = 'open'"
    rows = answer(sql, returns=returns, return_state_changes=changes)
    assert [[str(value) for value in row] for row in rows] == [["0.02", "0.02"]]


@pytest.mark.parametrize("second", ["new", "error"])
def test_a_second_package_that_has_not_arrived(answer: Answer, second: str):
    """Of two packages one arrived; what the return, its notices and its drop-off say of that is not said of the other."""
    more = {"label_status": "delivered", "label_updated_at": at("01-14 00:00"), "return_method_state": "delivered"}
    labels = [
        {"shop": "north", "return_id": "R1", "label_index": 0, "status": "delivered", "line_items": '["L1"]'},
        {"shop": "north", "return_id": "R1", "label_index": 1, "status": second, "line_items": '["L2"]'},
    ]
    told = {"label_status": "delivered", "return_method_state": "delivered"}
    rows = answer(
        "SELECT line_item_id, has_arrived, stage FROM fct_expected_units ORDER BY 1",
        returns=[ret("R1", "open", "refund", "01-10 00:00", **more)],
        return_line_items=[line(one, "R1", "A", "A1", "10") for one in ("L1", "L2")],
        return_labels=labels,
        advanced_shipping_notices=[notice(one, "01-01 00:00", number="R1", **told) for one in ("L1", "L2")],
    )
    assert rows == [("L1", True, "delivered"), ("L2", False, "not sent" if second == "new" else "problem")]


def test_no_more_comes_back_than_was_sold(answer: Answer):
    """Of an order line of one unit that is on two returns one unit came back."""
    orders = """SELECT 'north' AS shop, 'P1' AS order_id, 'A' AS product_id, 'A1' AS variant_id, 'X1' AS order_line_id,
        1 AS units, 10.0 AS amount, 'USD' AS currency, TIMESTAMPTZ '2026-01-05 00:00:00+00' AS ordered_at"""
    rows = answer(
        "SELECT units_sold, units_returned, revenue_returned, units_returned_30, item_rate_30, revenue_rate_30"
        " FROM rpt_return_rates",
        returns=[ret("R1", "closed", "refund", "01-10 00:00"), ret("R2", "open", "refund", "01-20 00:00")],
        return_line_items=[line(f"L{one}", one, "A", "A1", "10", provider_line_item_id="X1") for one in ("R1", "R2")],
        _loop_sync_runs=[READ],
        beside={"orders": orders},
    )
    assert rows == [(1, 1, 10, 1, 1, 1)]


def test_owed_until_the_first_date_of_a_refund(answer: Answer):
    """A refund that Loop processed in January is not owed at its end, though Shopify dates it in February."""
    day = {"outcomes_processed_at_refund_processed": at("01-31 23:00")}
    rows = answer(
        "SELECT month_end, refunds_owed FROM rpt_month_end WHERE month_end = '2026-01-31'",
        returns=[ret("R1", "closed", "refund", "01-10 00:00", refund="10", **day)],
        return_refunds=[{"shop": "north", "return_id": "R1", "refund_id": "1", "provider_created_at": at("02-01 01:00")}],
        _loop_sync_runs=[READ | {"synced_up_to": at("01-05 00:00")}],
    )
    assert rows == [(date(2026, 1, 31), 0)]


def test_not_owed_once_it_is_ordered(answer: Answer):
    """An exchange with an order, or store credit with one, is not owed, though Loop does not say when it processed it."""
    more = {"exchange_total": "20", "gift_card": "5"}
    items = [{"shop": "north", "return_id": one, "exchange_id": f"E{one}"} for one in ("R1", "R2")]
    items[0]["exchange_order_id"] = "P9"
    rows = answer(
        "SELECT exchanges_owed, credit_owed FROM rpt_month_end WHERE month_end = '2026-01-31'",
        returns=[
            ret("R1", "closed", "exchange", "01-10 00:00", gift_card_order_id="77", **more),
            ret("R2", "closed", "exchange", "01-10 00:00", gift_card_order_id="N/A", **more),
        ],
        return_exchanges=items,
        _loop_sync_runs=[READ | {"synced_up_to": at("01-05 00:00")}],
    )
    assert rows == [(20, 5)]


def test_inspected_by_what_became_of_it(answer: Answer):
    """A unit of which only the disposition has a date was inspected then."""
    when = {"disposition_disposition_outcome": "recycle", "disposition_inspected_at": at("01-20 00:00")}
    rows = answer(
        "SELECT inspected_at, units_inspected FROM fct_return_lines CROSS JOIN rpt_product_returns",
        returns=[ret("R1", "closed", "refund", "01-10 00:00")],
        return_line_items=[line("L1", "R1", "A", "A1", "10", **when)],
    )
    assert [(row[0].astimezone(UTC), row[1]) for row in rows] == [(at("01-20 00:00"), 1)]


def test_the_same_refund_twice(answer: Answer):
    """Paid is what the first record of a Shopify refund says, by time; two without an id are two."""
    one = {"shop": "north", "return_id": "R1"}
    refunds = [
        one | {"refund_id": "9", "provider_refund_id": "S1", "provider_created_at": at("01-11 00:00")},
        one | {"refund_id": "10", "provider_refund_id": "S1", "provider_created_at": at("01-12 00:00")},
        one | {"refund_id": "11", "provider_refund_id": "N/A", "provider_created_at": at("01-13 00:00")},
        one | {"refund_id": "12", "provider_refund_id": "N/A", "provider_created_at": at("01-14 00:00")},
    ]
    rows = answer(
        "SELECT f.refund_id, f.provider_refund_id, f.refund_paid, r.refunds FROM fct_refunds AS f"
        " JOIN rpt_refund_reconciliation AS r ON r.return_id = f.return_id ORDER BY f.refund_number",
        returns=[ret("R1", "closed", "refund", "01-10 00:00", refund="10")],
        return_refunds=refunds,
        beside={"refunds": "SELECT 'north' AS shop, 'S1' AS refund_id, 10.0 AS amount"},
    )
    assert rows == [("9", "S1", 10, 3), ("10", "S1", None, 3), ("11", None, None, 3), ("12", None, None, 3)]


@pytest.mark.parametrize("sign", ["drop-off", "grade"])
def test_received_by_every_sign(answer: Answer, sign: str):
    """A return that was dropped off, or graded without a date, is not one that was paid and never received."""
    graded = {"condition_condition_category": "grade_a"} if sign == "grade" else {}
    dropped = {"return_method_state": "delivered"} if sign == "drop-off" else {}
    paid = {"refund_before_inspection": True, "outcomes_processed_at_refund_processed": at("01-11 00:00")}
    rows = answer(
        "SELECT status FROM rpt_refund_reconciliation",
        returns=[ret("R1", "closed", "refund", "01-10 00:00", refund="10", **paid, **dropped)],
        return_line_items=[line("L1", "R1", "A", "A1", "10", **graded)],
        _loop_sync_runs=[READ],
    )
    assert rows == [("fine",)]


@pytest.mark.parametrize("mart", ["rpt_returns_daily", "rpt_customer_returns"])
def test_nothing_retained_is_a_share_of_nothing(answer: Answer, mart: str):
    """Where Loop names no credit, nothing was retained, and the ratio is 0, as the columns beside it say."""
    rows = answer(
        f"SELECT retained_revenue, returned_value, retained_ratio FROM {mart}",
        returns=[
            ret("R1", "closed", "refund", "01-10 00:00", return_total="10", customer="a@example.com")
            | {"return_credit_total": None}
        ],
    )
    assert rows == [(0, 10, 0)]


def test_within_sixty_days(answer: Answer):
    """What comes back five minutes after the sixtieth day does not come back within sixty days."""
    exchange = {"outcomes_processed_at_exchange_processed": at("01-11 00:00"), "provider_order_id": "P1"}
    rows = answer(
        "SELECT exchanges_settled, returned_again FROM rpt_exchange_retention",
        returns=[
            ret("R1", "closed", "exchange", "01-10 00:00", **exchange),
            ret("R2", "open", "refund", "03-12 00:05", provider_order_id="P2"),
        ],
        return_exchanges=[{"shop": "north", "return_id": "R1", "exchange_id": "E1", "exchange_order_id": "P2"}],
        _loop_sync_runs=[READ],
    )
    assert rows == [(1, 0)]


def test_a_later_return_in_another_currency(answer: Answer):
    """What comes back of an exchange in another currency is a later return, and in no amount, which are in the first's."""
    exchange = {"return_total": "100", "return_credit_total": "100", "provider_order_id": "P1"}
    money = {"return_total": "30", "refund": "30", "provider_order_id": "P2"}
    rows = answer(
        "SELECT returns_later, returned_later, refunded_later, retained_after FROM fct_exchange_chains",
        returns=[
            ret("R1", "closed", "exchange", "01-10 00:00", **exchange),
            ret("R2", "open", "refund", "01-20 00:00", **money),
            ret("R3", "open", "refund", "01-21 00:00", **money, currency="JPY"),
        ],
        return_exchanges=[{"shop": "north", "return_id": "R1", "exchange_id": "E1", "exchange_order_id": "P2"}],
    )
    assert rows == [(2, 30, 30, 70)]


def test_a_stay_that_ends_before_it_begins(answer: Answer):
    """A return that changed its state before it was submitted, it says, is in no mean, and is counted as impossible."""
    change = {"from_state": "open", "to_state": "closed", "updated_at": at("01-09 00:00"), "observed_at": at("01-10 00:00")}
    rows = answer(
        "SELECT stays, stays_current, stays_measured, stays_impossible, avg_days FROM rpt_return_states ORDER BY state",
        returns=[ret("R1", "closed", "refund", "01-10 00:00")],
        return_state_changes=[{"shop": "north", "return_id": "R1"} | change],
    )
    assert rows == [(1, 1, 0, 0, None), (1, 0, 0, 1, None)]


def test_the_newest_return_is_one_that_loop_has(answer: Answer):
    """A return that Loop no longer has is neither the newest one nor the one that changed last."""
    gone = ret("R2", "open", "refund", "01-20 00:00") | {"updated_at": at("03-01 00:00"), "_deleted_at": at("03-02 00:00")}
    rows = answer(
        "SELECT newest_return_at, newest_change_at, returns, returns_deleted FROM rpt_sync_freshness",
        returns=[ret("R1", "open", "refund", "01-10 00:00"), gone],
    )
    ((newest, change, *counts),) = rows
    assert [newest.astimezone(UTC), change.astimezone(UTC), *counts] == [at("01-10 00:00"), at("02-10 00:00"), 1, 1]


def test_half_a_hundredth_of_a_day(answer: Answer):
    """9.415 days are 9.42 in DuckDB as in PostgreSQL, and 9.415 days too early are -9.42."""
    start, paid = at("01-10 00:00"), at("01-19 09:57") + timedelta(seconds=36)
    change = {"from_state": "open", "to_state": "closed", "updated_at": paid, "observed_at": paid}
    exchange = {"outcomes_processed_at_exchange_processed": start, "provider_order_id": "P1"}
    rows = answer(
        """SELECT f.days_from_submission, f.days_from_closing, r.days_to_refund, r.days_from_delivery_to_refund, s.days,
                  c.days_to_next_return
           FROM fct_refunds AS f JOIN rpt_refund_reconciliation AS r ON r.return_id = f.return_id
           JOIN fct_return_states AS s ON s.return_id = f.return_id AND s.stay = 1
           JOIN fct_exchange_chains AS c ON c.return_id = f.return_id""",
        returns=[
            ret("R1", "closed", "exchange", "01-10 00:00", refund="1", **exchange),
            ret("R2", "open", "refund", "01-10 00:00", provider_order_id="P2") | {"created_at": paid},
        ],
        return_line_items=[line("L1", "R1", "A", "A1", "1")],
        return_exchanges=[{"shop": "north", "return_id": "R1", "exchange_id": "E1", "exchange_order_id": "P2"}],
        return_refunds=[{"shop": "north", "return_id": "R1", "refund_id": "1", "provider_created_at": paid}],
        return_state_changes=[{"shop": "north", "return_id": "R1"} | change],
        advanced_shipping_notices=[
            notice("L1", "01-01 00:00", closed_at=paid + (paid - start), date_delivered=paid + (paid - start))
        ],
    )
    assert [[str(value) for value in row] for row in rows] == [["9.42", "-9.42", "9.42", "-9.42", "9.42", "9.42"]]


def test_a_notice_of_a_unit_that_nobody_has(answer: Answer):
    """Where only the notice could tell a currency, `N/A` and empty texts are none, as everywhere."""
    told = {"shop": "north", "currency": "N/A"}
    rows = answer(
        "SELECT mismatch, currency FROM rpt_notice_mismatches",
        returns=[ret("R1", "open", "refund", "01-10 00:00")],
        advanced_shipping_notices=[told | {"id": "N1", "return_line_item_id": "L9"}],
    )
    assert rows == [("unit missing", None)]


def test_where_a_unit_goes(answer: Answer):
    """Of two notices of a unit the newest tells where it goes, in every mart."""
    told = {"shop": "north", "return_line_item_id": "L1"}
    rows = answer(
        "SELECT u.destination_id, l.destination_id FROM fct_expected_units AS u"
        " JOIN fct_return_lines AS l ON l.line_key = u.line_key",
        returns=[ret("R1", "open", "refund", "01-10 00:00")],
        return_line_items=[line("L1", "R1", "A", "A1", "1")],
        advanced_shipping_notices=[
            told | {"id": "N1", "updated_at": at("01-11 00:00"), "destination_id": "D9"},
            told | {"id": "N2", "updated_at": at("01-12 00:00"), "destination_id": "D1"},
        ],
    )
    assert rows == [("D1", "D1")]
