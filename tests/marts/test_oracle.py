"""Every mart says, value by value, what plain Python makes of the API's own answers, for shops in which nothing is tidy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns import marts
from loop_returns.marts.outside import Given, value
from tests.support.oracle.compared import differences
from tests.support.oracle.odd_shop import SHOPS, live
from tests.support.oracle.whole import everything

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.oracle.odd_shop import Life
    from tests.support.oracle.parsed import Row

MARTS = {mart.name: mart for mart in marts.all_marts()}
KEYS = {"rpt_inbound_forecast": ("shop", "expected_date", "destination_id", "carrier", "stage", "return_type", "currency")}

# Columns that are not worked out: texts made of a key, which are proven to tell rows apart and to join; hours until now;
# the grade where Loop sends an object whose keys nobody documents; one of several names of a place; how many rows are gone.
NOT_WORKED_OUT = {"hours_behind", "condition_grade", "destination_name", "rows_deleted"}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with pytest.MonkeyPatch.context() as patch:
        yield from lived(1, tmp_path_factory.mktemp("odd"), patch, returns=200)


def lived(seed: int, folder: Path, patch: pytest.MonkeyPatch, **more: Any) -> Iterator[Life]:
    patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
    patch.chdir(folder)
    made = live(seed, folder, **more)
    yield made
    for driver in made.drivers:
        driver.stop()


@pytest.fixture(scope="module")
def expected(life: Life) -> Marts:
    return everything(life.group())


Marts = dict[str, list["Row"]]


@pytest.fixture(scope="module")
def got(life: Life) -> Marts:
    return read(life)


def read(life: Life) -> Marts:
    """The rows of all marts."""
    found = {}
    with life.drivers[0].reading() as rows_of:
        for mart in MARTS:
            names, rows = rows_of(f"SELECT * FROM {mart}")
            found[mart] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def different(expected: Marts, got: Marts, mart: str) -> list[str]:
    return differences(mart, KEYS.get(mart, MARTS[mart].key), expected[mart], got[mart])


def assert_none(found: Sequence[str]) -> None:
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:50])


@pytest.mark.long
def test_marts(life: Life, expected: Marts, got: Marts):
    """Each mart has the rows and values that the oracle works out, no more and no fewer; no column is left out."""
    for driver, seen in zip(life.drivers, life.seen, strict=True):  # so what differs below is the marts'
        assert_none(driver.differences(shop=seen.name))
    for mart, declared in MARTS.items():
        assert expected[mart], mart
        columns = {name for row in expected[mart] for name in row}
        assert {name for name in declared.columns if not name.endswith("_key")} - columns <= NOT_WORKED_OUT, mart
    assert_none([line for mart in sorted(MARTS) for line in different(expected, got, mart)])


@pytest.mark.long
def test_keys_in_one_column(got: Marts):
    """A key in one column is that of one row, and of the same one wherever it joins."""
    returns = {(row["shop"], row["return_id"]): row["return_key"] for row in got["fct_returns"]}
    for mart, rows in got.items():
        name = next((name for name in MARTS[mart].columns if name.endswith("_key")), None)
        if name and (mart[:3], name) != ("rpt", "reason_key"):
            assert len({row[name] for row in rows}) == len(rows), mart
        for row in rows:
            if "return_key" in row and (key := (row["shop"], row["return_id"])) in returns:
                assert row["return_key"] == returns[key], mart


@pytest.mark.long
def test_another_shop(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    """The same of another shop, in PostgreSQL, with facts as tables."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    for life in lived(3, home, monkeypatch, returns=120, address=postgres, marts="tables"):
        expected = everything(life.group())
        got = read(life)
        for driver, seen in zip(life.drivers, life.seen, strict=True):
            assert_none(driver.differences(shop=seen.name))
        assert_none([line for mart in sorted(MARTS) for line in different(expected, got, mart)])


GIVEN = Given(zones={name: zone for name, (_, _, zone) in SHOPS.items()})
MUTANTS = [
    ("fct_returns", "least(coalesce(j.exchange_credit_total, 0)", "greatest(coalesce(j.exchange_credit_total, 0)"),
    ("fct_returns", "case when r.state not in ('open', 'review') then notices.closed_at end", "notices.closed_at"),
    ("fct_returns", "cast(j.calc_refunded_at at time zone $zone_of_j", "cast(j.calc_refunded_at at time zone 'UTC'"),
    ("fct_return_notices", "coalesce(n.calc_order_id = ", "coalesce(true or n.calc_order_id = "),
    ("fct_return_notices", "case when r.created_at <= n.created_at then 0 else 1 end, ", ""),
    ("fct_return_lines", "and n.return_id = l.return_id", ""),
    ("fct_expected_units", "when p.is_one_of_several then null", ""),
    ("fct_exchange_chains", "interval '1440 hours'", "interval '2400 hours'"),
    ("fct_exchange_chains", "and t.currency is not distinct from t.first_currency then t.refund end", "then t.refund end"),
    ("dim_destinations", "d._deleted_at is null", "true"),
    ("fct_refunds", "coalesce(a.amount, e.amount)", "coalesce(e.amount, a.amount)"),
    ("fct_returns", "then j.calc_refund when", "then j.refund when"),
    ("fct_return_shipments", "and h.return_id = b.return_id and h.place = 1", "and h.place = 1"),
    ("fct_return_timeline", "select distinct h.shop", "select h.shop"),
    ("fct_return_timeline", "min(p.source)", "max(p.source)"),
    ("fct_refunds", "coalesce(b.provider_created_at, b.created_at)", "coalesce(b.created_at, b.provider_created_at)"),
    ("fct_return_shipments", "lower(trim(c.from_status))", "lower(trim(c.to_status))"),
    ("fct_return_shipments", "r.source = 'returns' and", ""),
    ("fct_return_shipments", "where s.shop is null\n    union all\n    select n.shop", "union all\n    select n.shop"),
    ("fct_return_states", "f.closed_at >= f.submitted_at", "true"),
    ("dim_products", "n/a", "n/b"),
    ("rpt_carrier_performance", "s.stage = 'not sent' and not s.is_void", "s.stage = 'not sent'"),
    ("rpt_carrier_performance", "percentile_cont(0.9)", "percentile_cont(0.8)"),
    ("rpt_customer_returns", "count(distinct case when not f.is_void then f.provider_order_id end)", "count(*)"),
    ("rpt_month_end", "date_trunc('month', p.ends_at", "date_trunc('month', p.begins_at"),
    ("rpt_month_end", "at time zone $zone_of_p", "at time zone 'UTC'"),
    ("rpt_product_returns", "c.month_ordered as month,", "c.month_submitted as month,"),
    ("rpt_refund_reconciliation", "interval '72 hours'", "interval '1720 hours'"),
    ("rpt_return_rates", "and e.exchange_order_id = s.order_id", "and e.exchange_order_id = 'none'"),
    ("rpt_return_states", "d.left_at < d.entered_at", "d.left_at > d.entered_at"),
    ("rpt_returns_daily", "when 'refunded' then f.refunded_date", "when 'refunded' then f.closed_date"),
    ("rpt_returns_daily", "not d.is_void and d.has_upsell", "d.has_upsell"),
]


@pytest.mark.long
def test_the_oracle_can_fail(life: Life, expected: Marts):
    """A definition that is changed in one place is found out; as it is, nothing is."""
    with duckdb.connect(str(life.drivers[0].file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET search_path = 'loop_returns,beside'")
        for mart, of, to in MUTANTS:
            query = MARTS[mart].sql
            assert of in query, mart
            for text, is_right in ((query, True), (query.replace(of, to), False)):
                found = connection.execute(re.sub(r"\$(\w+)", lambda name: value(name[1], GIVEN), text))
                names = [column[0] for column in found.description or ()]
                rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
                assert (different(expected, {mart: rows}, mart) == []) is is_right, (mart, to)
