"""Each figure shows what the marts say, to the cent, for any choice of shop, currency and days."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

import pyarrow as pa
import vl_convert

from loop_returns import marts
from loop_returns.report import data as data_module
from loop_returns.report import figures
from loop_returns.report.data import QUERIES, Data, product_names, read_data
from loop_returns.report.packing import packed
from loop_returns.warehouse.destination import find_target
from tests.marts.test_totals import random_shop
from tests.support.golden_shop import at, line, ret
from tests.support.warehouses import duckdb_pipeline, load, postgres_pipeline, select

if TYPE_CHECKING:
    from pathlib import Path

    import dlt

EVER = 30_000  # days: the rows of the tests have fixed dates
CHOICES = [
    ("", "USD", "", "", "submitted", "2026-01-01", "2026-05-31"),
    ("north", "EUR", "", "", "submitted", "2026-01-01", "2026-05-31"),
    ("south", "USD", "DE", "", "submitted", "2026-02-10", "2026-03-04"),
    ("south", "(none)", "", "D1", "submitted", "2026-02-01", "2026-04-01"),
    ("", "EUR", "", "", "ordered", "2025-12-01", "2026-04-01"),
    ("", "USD", "FR", "(none)", "ordered", "2025-12-01", "2026-04-01"),
    ("north", "USD", "", "", "submitted", "2027-01-01", "2027-02-01"),
]
Choice = tuple[str, str, str, str, str, str, str]
Shop = tuple["dlt.Pipeline", Data]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return made(tmp_path_factory.mktemp("figures"), abroad(3))


def abroad(seed: int) -> Any:
    """The random shop with countries, destinations and orders of several days."""
    rng, tables = random.Random(seed), random_shop(seed)
    for row in tables["returns"]:
        if rng.random() < 0.6:
            none = dict.fromkeys(("exchange_credit_total", "refund", "gift_card"), "0")
            row.update(none | {"outcome": rng.choice(("", "refund", "credit"))})
        row.update(origin_country_code=rng.choice(("US", "DE", "FR", None)))
        row.update(destination_id=rng.choice(("D1", "D2", None)))
    for row in tables["advanced_shipping_notices"]:
        row["provider_created_at"] = at("01-01 00:00") + timedelta(days=rng.randrange(-20, 90))
    tables["return_exchanges"] = tables["return_exchanges"][:50]
    return tables


def made(folder: Path, tables: Any, days: int = EVER) -> Shop:
    """A warehouse with these tables, and what the report reads from it."""
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
    return pipeline, read_data(find_target(file=str(folder / "test.duckdb")), days=days)


def shown(chart: Any, choice: Choice) -> list[dict[str, str]]:
    """What the marks of a chart tell a screen reader, by name, when it is drawn with that choice."""
    spec = chart.to_dict()
    for parameter in spec["params"]:
        parameter["value"] = dict(zip(figures.parts.STATE, choice, strict=True))[parameter["name"]]
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


def asked(pipeline: dlt.Pipeline, choice: Choice, columns: str) -> list[tuple[Any, ...]]:
    """Sums of the returns that belong to the choice, grouped by the other columns."""
    shop, currency, country, destination, basis, first, last = choice
    wanted = {"shop": shop, "currency": currency, "country_code": country, "destination_id": destination}
    tests = [f"coalesce({name}, '(none)') = '{value}'" for name, value in wanted.items() if value]
    tests += ["NOT is_void", f"{basis}_date BETWEEN '{first}' AND '{last}'"]
    sql = f"SELECT {columns} FROM (SELECT *, {basis}_date AS day FROM fct_returns) WHERE {' AND '.join(tests)} GROUP BY ALL"
    return select(pipeline, sql)


@pytest.mark.parametrize("choice", CHOICES)
def test_over_time(shop: Shop, choice: Choice):
    """By period, the bars add up to the returns and the amounts of fct_returns; weeks begin on Monday."""
    pipeline, data = shop
    unit = "day" if choice[5] == "2026-02-10" else "week"
    columns = (
        f"strftime(date_trunc('{unit}', day), '{'week from ' if unit == 'week' else ''}%-d %b %Y'), count(*),"
        " sum(retained_as_exchange), sum(retained_as_credit), sum(refunded)"
    )
    expected = asked(pipeline, choice, columns)
    returns = sums(shown(figures.returns_over_time(data), choice), "period", "returns")
    assert returns == {row[0]: row[1] for row in expected if row[1]}
    amounts = shown(figures.value_over_time(data), choice)
    for place, kind in enumerate(("Exchange", "Store credit", "Refund"), start=2):
        of_kind = sums([mark for mark in amounts if mark["kind"] == kind], "period", "amount")
        assert of_kind == {row[0]: row[place] for row in expected if row[place]}


def test_each_outcome(shop: Shop):
    """A return counts once, by all that its shopper takes."""
    pipeline, data = shop
    takes = "has_exchange::int + has_credit::int + has_refund::int"
    single = "WHEN has_exchange THEN 'Exchange' WHEN has_credit THEN 'Store credit' ELSE 'Refund' END"
    kind = f"CASE WHEN {takes} = 0 THEN 'None yet' WHEN {takes} > 1 THEN 'Several' {single}"
    expected = dict(asked(pipeline, CHOICES[0], f"{kind}, count(*)"))
    assert sums(shown(figures.returns_over_time(data), CHOICES[0]), "outcome", "returns") == expected
    assert len(expected) > 2


@pytest.mark.long
def test_the_retained_share_does_not_swing(tmp_path: Path):
    """A share is of four weeks together, also those before the chosen days, and without ten returns there is none."""

    def many(week: int, returns: int, retained: str) -> list[Any]:
        when = {"created_at": at("01-05 12:00") + timedelta(weeks=week)}
        amounts = {"return_total": "10", "return_credit_total": retained}
        return [ret(f"R{week}-{n}", "closed", "refund", "01-05 12:00", **amounts) | when for n in range(returns)]

    _, data = made(
        tmp_path, {"returns": [*many(0, 3, "10"), *many(1, 16, "5"), *many(2, 1, "10"), *many(3, 1, "0"), *many(9, 2, "10")]}
    )
    marks = shown(figures.retained_share(data), ("", "USD", "", "", "submitted", "2026-01-19", "2026-04-01"))
    points = [(mark["period"][10:-5], round(number(mark["share"]), 1), mark["returns it is of"]) for mark in marks]
    assert points == [("19 Jan", 60, "20"), ("26 Jan", Decimal("57.1"), "21"), ("9 Mar", 55, "20")]


def test_return_rates():
    """A month's rate is of the units sold in it whose days are over."""
    rates = {
        "shop": ["a", "a", "b"],
        "currency": ["USD"] * 3,
        "month": [date(2026, 1, 1), date(2026, 2, 1), date(2026, 1, 1)],
    }
    rates |= {"sold_30": [10, 0, 30], "returned_30": [3, 0, 5], "sold_60": [10, 0, 0], "returned_60": [4, 0, 0]}
    table = pa.table(rates | {"sold_90": [0] * 3, "returned_90": [0] * 3})
    data = Data(datetime.now(UTC), date(2026, 1, 1), dict.fromkeys(QUERIES, pa.table({})) | {"rates": table})
    marks = shown(figures.return_rates(data), ("", "USD", "", "", "submitted", "2026-01-15", "2026-02-15"))
    found = {(mark["period"], mark["within"]): (number(mark["share"]), mark["units sold"]) for mark in marks}
    assert found == {("January 2026", "within 30 days"): (20, "40"), ("January 2026", "within 60 days"): (40, "10")}


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice[4] == "submitted"])
def test_durations(shop: Shop, choice: Choice):
    """The shares are of the returns whose days fct_returns knows, and each share holds the one before it."""
    pipeline, data = shop
    columns = "count(days_to_deliver), count(days_to_refund), count(days_to_close)"
    found = asked(pipeline, choice, columns)
    expected = dict(zip(figures.parts.STEPS, found[0] if found else (0, 0, 0), strict=True))
    marks = shown(figures.durations(data), choice)
    known = {mark["step"]: number(mark["returns for which it is known"]) for mark in marks}
    assert known == {step: count for step, count in expected.items() if count}
    for step in known:
        of_step = sorted((mark for mark in marks if mark["step"] == step), key=lambda mark: int(mark["up_to"]))
        shares = [number(mark["share"]) for mark in of_step]
        assert shares == sorted(shares)
        assert shares[-1] <= 100


@pytest.mark.parametrize("choice", CHOICES)
def test_right_now(shop: Shop, choice: Choice):
    """What is coming and what waits is as in the forecast and in the ages, whatever days are chosen."""
    pipeline, data = shop
    whose = f"coalesce(currency, '(none)') = '{choice[1]}'" + (f" AND shop = '{choice[0]}'" if choice[0] else "")
    there = f" AND destination_id = '{choice[3]}'" if choice[3] else ""
    coming = dict(select(pipeline, f"SELECT stage, sum(units) FROM rpt_inbound_forecast WHERE {whose}{there} GROUP BY ALL"))
    assert sums(shown(figures.coming(data), choice), "stage", "units") == coming
    sql = f"SELECT age_bucket, sum(returns), sum(returned_value) FROM rpt_return_aging WHERE {whose} GROUP BY ALL"
    waiting = select(pipeline, sql)
    marks = shown(figures.waiting(data), choice)
    assert sums(marks, "age", "returns") == {row[0]: row[1] for row in waiting}
    assert sums(marks, "age", "returned value") == {row[0]: row[2] for row in waiting if row[2]}


@pytest.mark.long
def test_a_large_catalogue(tmp_path: Path):
    """Of a catalogue of thousands the 200 products that came back most are told apart; the others are one."""
    returns = [ret("R1", "closed", "refund", "01-10 00:00", return_total="5")]
    many = [line(f"L{n}", "R1", f"P{n}", f"V{n}", "5", title=f"Product {n}") for n in range(2000)]
    _, data = made(tmp_path, {"returns": returns, "return_line_items": [*many, line("L", "R1", "P7", "V7", "5")]})
    units = dict(zip(data.column("products", "product"), data.column("products", "units"), strict=True))
    assert (len(units), units["P7"], units["(other products)"]) == (201, 2, 1800)


@pytest.mark.long
def test_products_have_a_name(tmp_path: Path):
    """A product is called what the titles of its variants begin with, never by half a word."""
    titles = {
        "A": ("Shirt Blue - S", "Shirt Blue - XL"),
        "B": ("Sock small", "Socks"),
        "C": ("Mug",),
        "D": ("Red", "Blue"),
        "E": ("",),
    }
    lines = [
        line(f"{one}{n}", "R1", one, f"{one}{n}", "5", title=title)
        for one, all_ in titles.items()
        for n, title in enumerate(all_)
    ]
    _, data = made(tmp_path, {"returns": [ret("R1", "closed", "refund", "01-10 00:00")], "return_line_items": lines})
    assert product_names(data) == {
        ("north", "A"): "Shirt Blue",
        ("north", "B"): "Socks",
        ("north", "C"): "Mug",
        ("north", "D"): "Red",
        ("north", "E"): "E",
    }


@pytest.mark.long
def test_many_countries(tmp_path: Path):
    """Countries beyond those with most returns are added up as others, so that the page stays small; none is lost."""
    returns = [
        ret(f"R{n}-{k}", "closed", "refund", "01-10 00:00", origin_country_code=f"X{chr(65 + n)}")
        for n in range(20)
        for k in range(n)
    ]
    _, data = made(tmp_path, {"returns": returns})
    assert len(data.most("country")) == 13
    assert sum(row["returns"] for row in data.plain("daily")) == len(returns)


@pytest.mark.long
def test_memory_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the memory that the report keeps to is too little, it takes more and finds the same."""
    _, ample = made(tmp_path, abroad(3))
    monkeypatch.setattr(data_module, "_MEGABYTES", 1)
    scarce = read_data(find_target(file=str(tmp_path / "test.duckdb")), days=EVER)
    for name in QUERIES:
        assert scarce.plain(name) == ample.plain(name), name


@pytest.mark.long
def test_days_covered(tmp_path: Path):
    """Returns older than the days that were asked for are left out, except where it is about now."""
    _, data = made(tmp_path, random_shop(3), days=0)
    assert not any(
        data.tables[name].num_rows for name in ("daily", "durations", "reasons", "products", "carriers", "refunds")
    )
    assert data.tables["waiting"].num_rows


@pytest.mark.long
def test_the_page_opens_with_days_to_compare(tmp_path: Path):
    """It opens with the last 12 months, 90 or 30 days, whichever has as many days before it; else with all."""
    today = datetime.now(UTC).replace(hour=12)
    for days, opens in ((800, 364), (300, 89), (70, 29), (20, 20)):
        old = [
            ret(f"R{n}", "closed", "refund", "01-01 00:00") | {"created_at": today - timedelta(days=n)} for n in (0, days)
        ]
        (tmp_path / str(days)).mkdir()
        _, data = made(tmp_path / str(days), {"returns": old})
        assert data.start == (today - timedelta(days=opens)).date()


def test_no_returns():
    """Every figure can be drawn of a shop without returns."""
    data = Data(datetime.now(UTC), date(2026, 1, 1))
    for figure in figures.FIGURES:
        assert shown(figure(data), ("", "USD", "", "", "submitted", "2026-01-01", "2026-02-01")) == []


@pytest.mark.long
def test_postgres(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch):
    """On PostgreSQL the same rows give the same figures."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    ran = {"shop": "north", "run_id": "r", "command": "reconcile", "exit_code": 3, "outcome": "drift"}
    times = {"started_at": at("01-01 00:00"), "finished_at": at("01-01 00:00")}
    runs = [ran | times | {"run_id": table, "rows_new": json.dumps({table: 3})} for table in ("returns", "return_labels")]
    tables = abroad(4) | {"_loop_sync_runs": runs}
    pipeline = postgres_pipeline(postgres, tmp_path / "pg", dataset="reported")
    load(pipeline, tables)
    marts.refresh(pipeline)
    theirs = read_data(find_target(destination="postgres", dataset="reported"), days=EVER)
    _, ours = made(tmp_path, tables)
    for name in QUERIES[:-3]:
        assert sorted(map(repr, theirs.plain(name))) == sorted(map(repr, ours.plain(name))), name
        assert packed(theirs.tables[name]).keys() == packed(ours.tables[name]).keys()
    assert theirs.column("runs", "outcome") == ["drift", "drift"]
    assert sorted(map(json.loads, theirs.column("runs", "rows_new")), key=str) == [{"return_labels": 3}, {"returns": 3}]
