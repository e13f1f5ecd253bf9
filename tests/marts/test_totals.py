"""What a mart adds up to is what the raw tables add up to: no join drops a row or counts one twice."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from loop_returns.api.facts import STATES
from tests.support.golden_shop import at, line, notice, ret
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    import dlt

Tables = dict[str, list[dict[str, Any]]]
VOID = ("cancelled", "expired")
LABEL_STATES = (
    "delivered",
    "new",
    "Pre_Transit",
    "in_transit",
    "out_for_delivery",
    "error",
    "failure",
    "no_label",
    "",
    None,
)


def random_shop(seed: int) -> Tables:
    """About 250 returns in two shops and currencies, with 0 to 4 lines, 0 to 3 labels, refunds and notices each."""
    rng = random.Random(seed)
    tables: Tables = {name: [] for name in ("returns", "return_line_items", "return_labels", "return_refunds",
                                            "return_exchanges", "advanced_shipping_notices")}  # fmt: skip
    for number in range(250):
        shop, one = rng.choice(("north", "south")), f"R{number % 200}-{number // 200}"
        key = {"shop": shop, "return_id": one}
        moment = at("01-01 00:00") + timedelta(seconds=rng.randrange(3000 * 3600))
        amounts = {
            name: f"{rng.randrange(10000) / 100:.2f}"
            for name in ("return_total", "return_credit_total", "exchange_credit_total", "refund", "gift_card")
        }
        amounts |= {name: None for name in ("exchange_credit_total", "return_credit_total") if rng.random() < 0.1}
        tables["returns"].append(
            ret(one, rng.choice(STATES), rng.choice(("refund", "exchange+credit", "")), "01-01 00:00", shop=shop)
            | {"created_at": moment, "currency": rng.choice(("USD", "EUR", None)), **amounts}
            | {
                "customer": rng.choice((None, "", " N/a", "A@example.com ", "b@example.com")),
                "carrier": rng.choice((None, "UPS")),
            }
            | {"provider_order_id": rng.choice((None, "", "n/a ", "1", "2", "3"))}
            | {"label_status": rng.choice((None, "new", "delivered")), "label_updated_at": moment + timedelta(days=3)}
            | {"_deleted_at": moment if rng.random() < 0.05 else None, "type": rng.choice((None, "standard", "warranty"))}
        )
        items = [f"{one}-{n}" for n in range(rng.randrange(5))]
        for item in items:
            tables["return_line_items"].append(
                line(item, one, rng.choice("ABC"), rng.choice("xyz"), str(rng.randrange(100)), shop=shop)
                | {"parent_return_reason": rng.choice((None, "Fit")), "return_reason": rng.choice((None, "", "Big"))}
                | {"outcome": rng.choice(("keep", "default", "default"))}
                | {"condition_inspected_at": moment if rng.random() < 0.1 else None}
            )
            tables["advanced_shipping_notices"] += [
                notice(item, "01-01 00:00", shop=shop, number=f"N{k}", closed_at=moment + timedelta(days=9))
                | {
                    "date_delivered": moment + timedelta(seconds=rng.randrange(-(10**5), 10**6))
                    if rng.random() < 0.1
                    else None
                }
                for k in range(rng.randrange(3))
            ]
        for k in range(rng.randrange(4)):
            tables["return_labels"].append(
                {**key, "label_index": k, "status": rng.choice(LABEL_STATES), "carrier": rng.choice(("UPS", "", "n/a"))}
                | {
                    "updated_at": moment,
                    "line_items": rng.choice((None, str(items).replace("'", '"'), str(items[:1]).replace("'", '"'))),
                }
            )
            times = {"created_at": moment + timedelta(hours=k), "provider_created_at": rng.choice((None, moment))}
            tables["return_refunds"].append({**key, "refund_id": str(k), **times})
            tables["return_exchanges"].append({**key, "exchange_id": str(k), "product_id": "A", "total": "5"})
    return tables


@pytest.fixture(scope="module", params=[1, 2])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, Tables]:
    tables = random_shop(request.param)
    pipeline = duckdb_pipeline(tmp_path_factory.mktemp("totals"))
    load(pipeline, tables)
    marts.refresh(pipeline)
    return pipeline, tables


def amount(row: dict[str, Any], name: str) -> Decimal:
    return Decimal(row[name] or 0)


def known(value: str | None) -> str | None:
    """The text, or None for what stands for no value."""
    text = (value or "").strip().lower()
    return None if text in {"", "n/a"} else text


def held(tables: Tables, *, void: bool = False) -> dict[tuple[str, str], dict[str, Any]]:
    """The returns that marts count, by shop and id."""
    rows = (row for row in tables["returns"] if not row["_deleted_at"])
    return {(row["shop"], row["id"]): row for row in rows if void or row["state"] not in VOID}


def totals(rows: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Rows of shop, currency and sums -> sums by (shop, currency), without those that are all zero."""
    return {row[:2]: row[2:] for row in rows if any(row[2:])}


def test_money_by_day(shop: tuple[dlt.Pipeline, Tables]):
    """Both date bases add up to the raw returns: all of them by submission, those with a known order date by order."""
    pipeline, tables = shop
    told = {(n["shop"], n["return_line_item_id"]) for n in tables["advanced_shipping_notices"]}
    dated = {(i["shop"], i["return_id"]) for i in tables["return_line_items"] if (i["shop"], i["line_item_id"]) in told}
    for basis in ("submitted", "ordered"):
        expected: dict[Any, list[Any]] = {}
        for key, row in held(tables).items():
            if basis == "submitted" or key in dated:
                sums = expected.setdefault((row["shop"], row["currency"] or "(none)"), [0, 0, 0, 0])
                sums[0] += 1
                for n, name in enumerate(("return_total", "return_credit_total", "refund"), 1):
                    sums[n] += amount(row, name)
        found = select(
            pipeline,
            "SELECT shop, currency, sum(returns), sum(returned_value), sum(retained_revenue), sum(refunded)"
            f" FROM rpt_returns_daily WHERE date_basis = '{basis}' GROUP BY 1, 2",
        )
        assert totals(found) == {key: tuple(sums) for key, sums in expected.items()}, basis


@pytest.mark.parametrize("mart", ["rpt_product_returns", "rpt_return_reasons"])
def test_units(shop: tuple[dlt.Pipeline, Tables], mart: str):
    """Reports on units count every unit of a return that counts, once, and add up its value."""
    pipeline, tables = shop
    returns = held(tables)
    expected: dict[Any, list[Any]] = {}
    for row in tables["return_line_items"]:
        if parent := returns.get((row["shop"], row["return_id"])):
            sums = expected.setdefault((row["shop"], parent["currency"] or "(none)"), [0, 0])
            sums[0] += 1
            sums[1] += Decimal(row["price"])
    rows = f"{mart} WHERE date_basis = 'submitted'" if mart == "rpt_product_returns" else mart
    found = select(pipeline, f"SELECT shop, currency, sum(units_returned), sum(returned_value) FROM {rows} GROUP BY 1, 2")
    assert {row[:2]: row[2:] for row in found} == {key: tuple(sums) for key, sums in expected.items()}


@pytest.mark.parametrize(
    ("mart", "table"),
    [
        ("fct_return_lines", "return_line_items"),
        ("fct_exchange_lines", "return_exchanges"),
        ("fct_return_shipments", "return_labels"),
    ],
)
def test_rows_of_children(shop: tuple[dlt.Pipeline, Tables], mart: str, table: str):
    """A fact table has each row of its raw table once, but for those of returns that Loop no longer has."""
    pipeline, tables = shop
    returns = held(tables, void=True)
    expected = Counter(row["shop"] for row in tables[table] if (row["shop"], row["return_id"]) in returns)
    assert dict(select(pipeline, f"SELECT shop, count(*) FROM {mart} GROUP BY 1")) == expected


def test_returns_wherever_they_are_counted(shop: tuple[dlt.Pipeline, Tables]):
    """Returns, labels, shoppers' returns and waiting returns are counted as they are in the raw tables."""
    pipeline, tables = shop
    every, counted = held(tables, void=True), held(tables)
    labels = [row for row in tables["return_labels"] if (row["shop"], row["return_id"]) in every]
    named = [row for row in every.values() if known(row["customer"])]
    counts = select(
        pipeline,
        "SELECT (SELECT count(*) FROM fct_returns), (SELECT sum(labels) FROM rpt_carrier_performance),"
        " (SELECT sum(returns) FROM rpt_customer_returns), (SELECT sum(returns_void) FROM rpt_customer_returns),"
        " (SELECT sum(returns) FROM rpt_return_aging), (SELECT sum(returns) FROM rpt_sync_freshness)",
    )
    shoppers = sum(row["state"] not in VOID for row in named)
    waiting = sum(row["state"] in ("open", "review") for row in counted.values())
    assert counts == [(len(every), len(labels), shoppers, len(named) - shoppers, waiting, len(every))]


def test_parts_of_the_labels(shop: tuple[dlt.Pipeline, Tables]):
    """In every row of rpt_carrier_performance the parts add up to the labels, and in all they are what the labels say."""
    pipeline, tables = shop
    parts = ("delivered", "on_the_way", "problems", "not_sent", "unknown", "void")
    rows = select(pipeline, f"SELECT labels, {', '.join(parts)} FROM rpt_carrier_performance")
    assert [row for row in rows if row[0] != sum(row[1:])] == []
    words = dict.fromkeys(("in_transit", "out_for_delivery"), "on_the_way") | dict.fromkeys(("error", "failure"), "problems")
    words |= dict.fromkeys(("new", "pre_transit"), "not_sent")
    every, expected = held(tables, void=True), Counter[str]()
    told = set(
        select(pipeline, "SELECT shop, return_id, label_index FROM fct_return_shipments WHERE delivered_at IS NOT NULL")
    )
    for row in tables["return_labels"]:
        if parent := every.get((row["shop"], row["return_id"])):
            status = (row["status"] or "").lower()
            void = "void" if parent["state"] in VOID else words.get(status, "unknown")
            arrived = status == "delivered" or (row["shop"], row["return_id"], row["label_index"]) in told
            expected["delivered" if arrived else void] += 1
    assert {name: sum(row[n] for row in rows) for n, name in enumerate(parts, 1)} == expected


def test_retained(shop: tuple[dlt.Pipeline, Tables]):
    """Of what was retained the exchange is the credit spent on it, at most all of it, and the rest is store credit."""
    pipeline, tables = shop
    found = select(pipeline, "SELECT shop, return_id, retained_as_exchange, retained_as_credit FROM fct_returns")
    expected = {}
    for key, row in held(tables, void=True).items():
        whole = amount(row, "return_credit_total")
        exchange = min(amount(row, "exchange_credit_total"), whole)
        expected[key] = (exchange, whole - exchange)
    assert {row[:2]: row[2:] for row in found} == expected


def test_dates(shop: tuple[dlt.Pipeline, Tables]):
    """A refund is dated by Shopify, else by its record; what is open or in review is not closed, whatever a notice says."""
    pipeline, tables = shop
    refunds: dict[Any, list[Any]] = {}
    for row in tables["return_refunds"]:
        refunds.setdefault((row["shop"], row["return_id"]), []).append(row["provider_created_at"] or row["created_at"])
    owner = {(row["shop"], row["line_item_id"]): row["return_id"] for row in tables["return_line_items"]}
    closed = {(n["shop"], owner[n["shop"], n["return_line_item_id"]]): n["closed_at"]
              for n in tables["advanced_shipping_notices"]}  # fmt: skip
    found = select(pipeline, "SELECT shop, return_id, refunded_at, closed_at FROM fct_returns")
    expected = {
        key: (min(refunds.get(key, []), default=None), None if row["state"] in ("open", "review") else closed.get(key))
        for key, row in held(tables, void=True).items()
    }
    assert {row[:2]: row[2:] for row in found} == expected


def test_shoppers(shop: tuple[dlt.Pipeline, Tables]):
    """Orders, first and last return of a shopper are those of returns that count; `N/A` is neither shopper nor order."""
    pipeline, tables = shop
    expected: dict[Any, list[dict[str, Any]]] = {}
    for row in held(tables, void=True).values():
        if name := known(row["customer"]):
            of_shopper = expected.setdefault((row["shop"], name, row["currency"] or "(none)"), [])
            of_shopper += [] if row["state"] in VOID else [row]
    columns = "shop, customer, currency, orders, first_return_at, last_return_at"
    assert {row[:3]: row[3:] for row in select(pipeline, f"SELECT {columns} FROM rpt_customer_returns")} == {
        key: (
            len({order for row in rows if (order := known(row["provider_order_id"]))}),
            min((row["created_at"] for row in rows), default=None),
            max((row["created_at"] for row in rows), default=None),
        )
        for key, rows in expected.items()
    }


def test_what_is_expected(shop: tuple[dlt.Pipeline, Tables]):
    """A unit is expected until a notice, an inspection or its own package tells that it came; the rest has arrived."""
    pipeline, tables = shop
    every = held(tables)
    told = {(n["shop"], n["return_line_item_id"]) for n in tables["advanced_shipping_notices"] if n["date_delivered"]}
    labels: dict[Any, list[set[str]]] = {}
    units = {(row["shop"], row["line_item_id"]): row["return_id"] for row in tables["return_line_items"]}
    for row in tables["return_labels"]:
        for shop_name, unit in [key for key, of in units.items() if (key[0], of) == (row["shop"], row["return_id"])]:
            if row["line_items"] is None or f'"{unit}"' in row["line_items"]:
                labels.setdefault((shop_name, unit), []).append((row["status"] or "").lower())
    expected, coming = {}, Counter[tuple[str, Any]]()
    for row in tables["return_line_items"]:
        parent, unit = every.get((row["shop"], row["return_id"])), (row["shop"], row["line_item_id"])
        if parent is None or parent["state"] not in ("open", "review") or row["outcome"] == "keep":
            continue
        states = labels.get(unit, [parent["label_status"]])
        moving = any(state in ("in_transit", "out_for_delivery") for state in states)
        arrived = bool(row["condition_inspected_at"]) or unit in told or ("delivered" in states and not moving)
        expected[unit] = arrived
        coming[row["shop"], parent["currency"] or "(none)"] += not arrived
    found = select(pipeline, "SELECT shop, line_item_id, has_arrived FROM fct_expected_units")
    assert {row[:2]: row[2] for row in found} == expected
    found = select(pipeline, "SELECT shop, currency, sum(units) FROM rpt_inbound_forecast GROUP BY 1, 2")
    assert {row[:2]: row[2] for row in found} == coming
    assert 30 < sum(expected.values()) < len(expected) - 30


def test_refunds_chosen_and_evidenced(shop: tuple[dlt.Pipeline, Tables]):
    """What was chosen is evidenced where a refund has a date; that of void returns stands in columns of its own."""
    pipeline, tables = shop
    dated = {(row["shop"], row["return_id"]) for row in tables["return_refunds"]}
    rows = held(tables, void=True)
    evidenced = {key: amount(row, "refund") for key, row in rows.items() if key in dated}
    void = {key for key, row in rows.items() if row["state"] in VOID}
    counted = sum(value for key, value in evidenced.items() if key not in void)
    ((found, refunded, returns),) = select(
        pipeline,
        "SELECT sum(refunded_evidenced), sum(void_refunded_evidenced), sum(void_refunded)"
        " FROM rpt_returns_daily WHERE date_basis = 'submitted'",
    )
    assert (found, refunded) == (counted, sum(evidenced.values()) - counted)
    assert returns == len(void & evidenced.keys()) > 0
    assert select(pipeline, "SELECT sum(refunded_evidenced) FROM rpt_customer_returns")[0][0] == sum(
        value for key, value in evidenced.items() if key not in void and known(rows[key]["customer"])
    )


def test_durations(shop: tuple[dlt.Pipeline, Tables]):
    """Days to deliver are rounded as people do; what was delivered before it was submitted is in no mean, and counted."""
    pipeline, tables = shop
    owner = {(row["shop"], row["line_item_id"]): (row["shop"], row["return_id"]) for row in tables["return_line_items"]}
    delivered: dict[Any, list[Any]] = {}
    for row in tables["advanced_shipping_notices"]:
        if row["date_delivered"]:
            delivered.setdefault(owner[row["shop"], row["return_line_item_id"]], []).append(row["date_delivered"])
    days, impossible = [], set()
    for key, row in held(tables).items():
        if key in delivered:
            seconds = int((min(delivered[key]) - row["created_at"]).total_seconds())
            days.append(
                (Decimal(seconds) / 86400).quantize(Decimal("0.01"), ROUND_HALF_UP)
            ) if seconds >= 0 else impossible.add(key)
    told = "SELECT shop, return_id FROM fct_returns WHERE delivered_at < submitted_at AND NOT is_void"
    assert set(select(pipeline, told)) == impossible != set()
    in_mart = (
        "SELECT f.days_to_deliver FROM fct_returns f WHERE NOT f.is_void AND f.delivered_at >= f.submitted_at AND EXISTS"
    )
    in_mart += " (SELECT 1 FROM fct_return_notices n WHERE n.return_key = f.return_key AND n.delivered_at IS NOT NULL)"
    assert sorted(row[0] for row in select(pipeline, in_mart)) == sorted(days)
    nothing = (
        "SELECT count(*) FROM fct_returns WHERE least(days_from_order, days_to_deliver, days_to_refund, days_to_close) < 0"
    )
    assert select(pipeline, nothing) == [(0,)]


def test_keys(shop: tuple[dlt.Pipeline, Tables]):
    """No part of a mart's key is ever empty; a key in one column tells rows apart as well, and joins the facts."""
    pipeline, _ = shop
    for mart in marts.all_marts():
        parts = ", ".join(f"count({name})" for name in mart.key)
        ((rows, *filled),) = select(pipeline, f"SELECT count(*), {parts} FROM {mart.name}")
        assert filled == [rows] * len(mart.key), mart.name
    single = {"fct_returns": "return_key", "fct_return_lines": "line_key", "fct_exchange_lines": "exchange_key"}
    single |= {"fct_return_shipments": "label_key", "fct_return_notices": "notice_key", "dim_return_reasons": "reason_key"}
    for mart_name, key in single.items():
        ((rows, different),) = select(pipeline, f"SELECT count(*), count(DISTINCT {key}) FROM {mart_name}")
        assert rows == different > 0, mart_name
    joined = "SELECT count(*) FROM fct_return_lines l JOIN dim_return_reasons d ON d.reason_key = l.reason_key"
    assert select(pipeline, joined) == select(pipeline, "SELECT count(*) FROM fct_return_lines")
