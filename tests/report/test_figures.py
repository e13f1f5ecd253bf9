"""Each figure shows what the marts say, to the cent, for any choice of shop, currency and days."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

import vl_convert

from loop_returns import marts
from loop_returns.report import figures
from loop_returns.report.data import QUERIES, Data, read_data
from loop_returns.warehouse.destination import find_target
from tests.marts.test_totals import random_shop
from tests.support.golden_shop import at, line, ret
from tests.support.warehouses import duckdb_pipeline, load, postgres_pipeline, select

if TYPE_CHECKING:
    from pathlib import Path

    import dlt

EVER = 30_000  # days: the rows of the tests have fixed dates
CHOICES = [
    ("", "USD", "2026-01-01", "2026-05-31"),
    ("north", "EUR", "2026-01-01", "2026-05-31"),
    ("south", "USD", "2026-02-10", "2026-03-04"),
    ("south", "(none)", "2026-02-01", "2026-04-01"),
    ("north", "USD", "2027-01-01", "2027-02-01"),
]
Choice = tuple[str, str, str, str]
Shop = tuple["dlt.Pipeline", Data]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return made(tmp_path_factory.mktemp("figures"), random_shop(3))


def made(folder: Path, tables: Any, days: int = EVER) -> Shop:
    """A warehouse with these tables, and what the report reads from it."""
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
    return pipeline, read_data(find_target(file=str(folder / "test.duckdb")), days=days)


def shown(chart: Any, choice: Choice) -> list[dict[str, str]]:
    """What the marks of a chart tell a screen reader, by name, when it is drawn with that choice."""
    spec = chart.to_dict()
    for parameter, value in zip(spec["params"], choice, strict=True):
        parameter["value"] = value
    svg = vl_convert.vegalite_to_svg(spec)
    labels = re.findall(r'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:bar|rect|text|point)', svg)
    return [dict(part.split(": ", 1) for part in unescape(label).split("; ")) for label in labels]


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", "").rstrip("%"))


def sums(marks: list[dict[str, str]], by: str, value: str) -> Counter[str]:
    """The sum of what the marks say, by something else they say."""
    found: Counter[str] = Counter()
    for mark in marks:
        found[mark[by]] += number(mark[value])  # type: ignore[assignment]
    return +found


def asked(pipeline: dlt.Pipeline, choice: Choice, columns: str, table: str, day: str | None) -> list[tuple[Any, ...]]:
    """The rows of a mart that belong to the choice; the columns may be sums, grouped by all others."""
    shop, currency, first, last = choice
    dated = f"AND {day} BETWEEN '{first}' AND '{last}'" if day else ""
    sql = f"SELECT {columns} FROM {table} WHERE coalesce(currency, '(none)') = '{currency}' {dated}"
    return select(pipeline, sql + (f" AND shop = '{shop}'" if shop else "") + " GROUP BY ALL")


DAILY = "(SELECT * FROM rpt_returns_daily WHERE date_basis = 'submitted')"


@pytest.mark.parametrize("choice", CHOICES)
def test_headlines(shop: Shop, choice: Choice):
    """The headline numbers are the sums of rpt_returns_daily over the chosen days, exactly."""
    pipeline, data = shop
    columns = "sum(returns), sum(units_returned), sum(returned_value), sum(retained_revenue), sum(refunded)"
    found = asked(pipeline, choice, f"{columns}, sum(returns_close_known)", DAILY, "day")
    marks = [mark for mark in shown(figures.headlines(data), choice) if mark["period"] == "chosen"]
    scale = {"returned": 10_000, "retained": 10_000, "refunded": 10_000}
    read = {mark["measure"]: number(mark["value"]) / scale.get(mark["measure"], 1) for mark in marks}
    assert [read.get(name) for name in ("returns", "units", "returned", "retained", "refunded", "closed")] == list(found[0])


def test_before(shop: Shop):
    """Beside the chosen days stand as many days before; where the data do not go back so far, nothing does."""
    pipeline, data = shop
    marks = shown(figures.headlines(data), ("", "USD", "2026-03-11", "2026-03-20"))
    (before,) = (mark for mark in marks if mark["period"] == "before" and mark["measure"] == "returned")
    ((total,),) = asked(pipeline, ("", "USD", "2026-03-01", "2026-03-10"), "sum(returned_value)", DAILY, "day")
    assert number(before["value"]) / 10_000 == total
    early = shown(figures.headlines(data), ("", "USD", "2026-01-05", "2026-03-10"))
    assert {mark["period"] for mark in early} == {"chosen"}


@pytest.mark.parametrize("choice", CHOICES)
def test_over_time(shop: Shop, choice: Choice):
    """By period, the bars add up to the returns and to the amounts of rpt_returns_daily; weeks begin on Monday."""
    pipeline, data = shop
    unit = "day" if choice[2] == "2026-02-10" else "week"
    columns = (
        f"strftime(date_trunc('{unit}', day), '{'week from ' if unit == 'week' else ''}%-d %b %Y'), sum(returns),"
        " sum(retained_as_exchange), sum(retained_as_credit), sum(refunded)"
    )
    expected = asked(pipeline, choice, columns, DAILY, "day")
    returns = sums(shown(figures.returns_over_time(data), choice), "period", "returns")
    assert returns == {row[0]: row[1] for row in expected if row[1]}
    amounts = shown(figures.value_over_time(data), choice)
    for place, kind in enumerate(("Exchange", "Store credit", "Refund"), start=2):
        of_kind = sums([mark for mark in amounts if mark["kind"] == kind], "period", "amount")
        assert of_kind == {row[0]: row[place] for row in expected if row[place]}


@pytest.mark.parametrize("choice", CHOICES)
def test_durations(shop: Shop, choice: Choice):
    """The shares are of the returns for which rpt_returns_daily knows the days, and each share holds the one before it."""
    pipeline, data = shop
    columns = "sum(returns_delivered), sum(returns_refunded), sum(returns_close_known)"
    expected = dict(zip(figures.parts.STEPS, asked(pipeline, choice, columns, DAILY, "day")[0], strict=True))
    marks = shown(figures.durations(data), choice)
    known = {mark["step"]: number(mark["returns for which it is known"]) for mark in marks}
    assert known.items() <= expected.items()
    for step in known:
        of_step = sorted((mark for mark in marks if mark["step"] == step), key=lambda mark: int(mark["up_to"]))
        shares = [number(mark["share"]) for mark in of_step]
        assert shares == sorted(shares)
        assert shares[-1] <= 100


@pytest.mark.parametrize("choice", CHOICES)
def test_rankings(shop: Shop, choice: Choice):
    """Reasons, products and carriers have the units and labels of their facts."""
    pipeline, data = shop
    lines = "(SELECT * FROM fct_return_lines WHERE NOT is_void)"
    none = "(none given)"
    name = f"CASE WHEN top_reason = coalesce(reason, '{none}') THEN top_reason"
    name += f" ELSE top_reason || ' › ' || coalesce(reason, '{none}') END"
    by_reason = dict(asked(pipeline, choice, f"{name}, count(*)", lines, "submitted_date"))
    assert sums(shown(figures.reasons(data), choice), "name", "units") == by_reason
    name = "product_id || ' · ' || sku"
    by_product = Counter(dict(asked(pipeline, choice, f"{name}, count(*)", lines, "submitted_date")))
    assert sums(shown(figures.products(data), choice), "name", "units") == by_product
    value = asked(pipeline, choice, f"{name}, sum(returned_value)", lines, "submitted_date")
    assert sums(shown(figures.products(data), choice), "name", "returned value") == {k: v for k, v in value if v}
    labels = asked(pipeline, choice, "coalesce(carrier, '(unknown)'), count(*)", "fct_return_shipments", "submitted_date")
    assert sums(shown(figures.carriers(data), choice), "carrier", "labels") == dict(labels)


@pytest.mark.parametrize("choice", CHOICES)
def test_right_now(shop: Shop, choice: Choice):
    """What is coming and what waits is as in the forecast and in the ages, whatever days are chosen."""
    pipeline, data = shop
    coming = dict(asked(pipeline, choice, "stage, sum(units)", "rpt_inbound_forecast", None))
    assert sums(shown(figures.coming(data), choice), "stage", "units") == coming
    waiting = asked(pipeline, choice, "age_bucket, sum(returns), sum(returned_value)", "rpt_return_aging", None)
    marks = shown(figures.waiting(data), choice)
    assert sums(marks, "age", "returns") == {row[0]: row[1] for row in waiting}
    assert sums(marks, "age", "returned value") == {row[0]: row[2] for row in waiting if row[2]}


def test_large_sums_are_exact(tmp_path: Path):
    """Ten thousand amounts that no binary fraction can hold add up to the cent."""
    returns = [ret(f"R{n}", "closed", "refund", "01-10 00:00", return_total="90071992.47") for n in range(1000)]
    _, data = made(tmp_path, {"returns": returns})
    marks = shown(figures.headlines(data), ("", "USD", "2026-01-10", "2026-01-10"))
    (returned,) = (number(mark["value"]) for mark in marks if mark["measure"] == "returned")
    assert returned == Decimal(90071992470) * 10_000


def test_a_large_catalogue(tmp_path: Path):
    """Of a catalogue of thousands the products that came back most in each month are taken, and no more."""
    returns = [ret("R1", "closed", "refund", "01-10 00:00", return_total="5")]
    many = [line(f"L{n}", "R1", f"P{n}", f"V{n}", "5", title=f"Product {n}") for n in range(2000)]
    _, data = made(tmp_path, {"returns": returns, "return_line_items": [*many, line("L", "R1", "P7", "V7", "5")]})
    assert len(data.tables["products"]) == 10
    assert max(row["units"] for row in data.tables["products"]) == 2


def test_days_covered(tmp_path: Path):
    """Returns older than the days that were asked for are left out, except where it is about now."""
    _, data = made(tmp_path, random_shop(3), days=0)
    assert not any(data.tables[name] for name in ("daily", "durations", "reasons", "products", "carriers"))
    assert data.tables["waiting"]


def test_no_returns():
    """Every figure can be drawn of a shop without returns."""
    data = Data(datetime.now(UTC), date(2026, 1, 1))
    for figure in figures.FIGURES:
        assert shown(figure(data), ("", "USD", "2026-01-01", "2026-02-01")) == []


def test_postgres(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch):
    """On PostgreSQL the same rows give the same figures."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    ran = {"shop": "north", "run_id": "r", "command": "reconcile", "exit_code": 3, "outcome": "drift"}
    times = {"started_at": at("01-01 00:00"), "finished_at": at("01-01 00:00")}
    tables = random_shop(4) | {"_loop_sync_runs": [ran | times]}
    pipeline = postgres_pipeline(postgres, tmp_path / "pg", dataset="reported")
    load(pipeline, tables)
    marts.refresh(pipeline)
    theirs = read_data(find_target(destination="postgres", dataset="reported"), days=EVER)
    _, ours = made(tmp_path, tables)
    for name in QUERIES[:-2]:
        assert sorted(map(repr, theirs.plain(name))) == sorted(map(repr, ours.plain(name))), name
    assert [row["outcome"] for row in theirs.tables["runs"]] == ["drift"]
