"""The report says what the marts say, to the cent, in one file that needs nothing else and names nobody."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from loop_returns.api.errors import ChangeSettings, WarehouseTrouble
from loop_returns.report import build, write_report
from loop_returns.report.queries import QUERIES, TOP_PRODUCTS
from loop_returns.runs.session import Options
from loop_returns.warehouse.destination import Target, find_target

from .golden_shop import SHOP, at, line, ret
from .test_marts_totals import random_shop
from .warehouses import duckdb_pipeline, load, postgres_pipeline, select

if TYPE_CHECKING:
    from pathlib import Path

    import dlt


EVER = 30_000  # days: the rows of the tests have fixed dates
Sums = dict[tuple[Any, ...], tuple[Any, ...]]


def record(page: Path) -> dict[str, Any]:
    """What is embedded in the page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    embedded: dict[str, Any] = json.loads(found[1])
    return embedded


def rows(embedded: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a table as the page reads them: words for their numbers, ISO days, amounts as decimals."""
    kinds = QUERIES[name].columns
    assert list(kinds) == embedded["tables"][name]["columns"]

    def plain(kind: str, value: Any) -> Any:
        if value is not None and kind in embedded["words"]:
            return embedded["words"][kind][value]
        return Decimal(value) / {"money": 10_000, "days": 100}[kind] if kind in {"money", "days"} else value

    return [
        {column: plain(kinds[column], value) for column, value in zip(kinds, row, strict=True)}
        for row in embedded["tables"][name]["rows"]
    ]


def sums(found: list[dict[str, Any]], by: str, *columns: str) -> Sums:
    """The sums of columns by others."""
    added: dict[tuple[Any, ...], list[Any]] = {}
    for row in found:
        into = added.setdefault(tuple(row[name] for name in by.split()), [0] * len(columns))
        for place, name in enumerate(columns):
            into[place] += row[name]
    return {key: tuple(values) for key, values in added.items()}


def asked(pipeline: dlt.Pipeline, by: int, sql: str) -> Sums:
    """The rows of a query, the first `by` columns as the key."""
    return {tuple(row[:by]): tuple(row[by:]) for row in select(pipeline, sql)}


def made(folder: Path, tables: Any, **options: Any) -> tuple[dlt.Pipeline, Path]:
    """A warehouse with these tables, and the report on it."""
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
    return pipeline, build(target(folder), path=folder / "report.html", **{"days": EVER, **options})


def target(folder: Path) -> Target:
    return find_target(file=str(folder / "test.duckdb"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, dict[str, Any]]:
    pipeline, page = made(tmp_path_factory.mktemp("report"), random_shop(3))
    return pipeline, record(page)


Shop = tuple["dlt.Pipeline", dict[str, Any]]


def test_days(shop: Shop):
    """Each day's counts and amounts are those of rpt_returns_daily, and its outcomes add up to its returns."""
    pipeline, embedded = shop
    columns = list(QUERIES["daily"].columns)[3:]
    expected = asked(
        pipeline,
        3,
        "SELECT shop, day - DATE '1970-01-01', currency, returns, returns_cancelled, returns_expired, units_returned,"
        " returned_value, retained_revenue, retained_as_exchange, retained_as_credit, refunded, upsell"
        " FROM rpt_returns_daily WHERE date_basis = 'submitted'",
    )
    found = sums(rows(embedded, "daily"), "shop day currency", *columns)
    assert found == expected
    kinds = sums(rows(embedded, "steps"), "shop day currency", "exchange", "credit", "refund", "mixed", "other")
    assert {key: sum(counts) for key, counts in kinds.items()} == {k: v[0] for k, v in found.items() if v[0]}


def test_durations(shop: Shop):
    """Means made from the embedded sums are those of rpt_returns_daily, and the groups of days count each return once."""
    pipeline, embedded = shop
    steps = rows(embedded, "steps")
    expected = asked(
        pipeline,
        3,
        "SELECT shop, day - DATE '1970-01-01', currency, avg_days_to_close, returns_close_known, avg_days_to_deliver,"
        " returns_delivered, avg_days_to_refund, returns_refunded"
        " FROM rpt_returns_daily WHERE date_basis = 'submitted' AND returns > 0",
    )
    columns = ("close_days", "closed", "deliver_days", "delivered", "refund_days", "paid")
    for key, found in sums(steps, "shop day currency", *columns).items():
        for (total, known), (mean, number) in zip(_pairs(found), _pairs(expected[key]), strict=True):
            assert known == number
            assert known == 0 or abs(total / known - mean) <= Decimal("0.005"), key
    grouped = [name for name in QUERIES["steps"].columns if re.fullmatch(r"close_\d", name)]
    assert all(sum(row[name] for name in grouped) == row["closed"] for row in steps)


def _pairs(values: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))


def test_reasons_products_carriers(shop: Shop):
    """Reasons, products and carriers add up to their marts."""
    pipeline, embedded = shop
    assert sums(rows(embedded, "reasons"), "shop currency parent reason", "units", "returned", "refunded") == asked(
        pipeline,
        4,
        "SELECT shop, currency, parent_reason, reason, sum(units_returned), sum(returned_value), sum(refunded)"
        " FROM rpt_return_reasons GROUP BY ALL",
    )
    assert sums(rows(embedded, "products"), "shop currency product", "units", "swapped", "returned") == asked(
        pipeline,
        3,
        "SELECT shop, currency, product_id || '/' || variant_id || '/' || sku, units_returned, units_swapped, returned_value"
        " FROM rpt_product_returns",
    )
    labels = ("labels", "delivered", "on_the_way", "problems", "not_sent", "void", "measured")
    assert sums(rows(embedded, "carriers"), "shop currency carrier", *labels) == asked(
        pipeline,
        3,
        "SELECT shop, currency, carrier, sum(labels), sum(delivered), sum(on_the_way), sum(problems), sum(not_sent),"
        " sum(void), sum(measured) FROM rpt_carrier_performance GROUP BY ALL",
    )


def test_right_now(shop: Shop):
    """What is coming and what waits is as in the forecast and in the ages."""
    pipeline, embedded = shop
    assert sums(rows(embedded, "coming"), "shop currency stage overdue", "returns", "units", "returned") == asked(
        pipeline,
        4,
        "SELECT shop, currency, stage, is_overdue, sum(returns), sum(units), sum(returned_value)"
        " FROM rpt_inbound_forecast GROUP BY ALL",
    )
    assert sums(rows(embedded, "waiting"), "shop currency state age stage", "returns", "returned", "refund_due") == asked(
        pipeline,
        5,
        "SELECT shop, currency, state, age_bucket, stage, sum(returns), sum(returned_value), sum(refund_due)"
        " FROM rpt_return_aging GROUP BY ALL",
    )


def run(one: str, command: str, code: int, moment: str, **more: Any) -> dict[str, Any]:
    outcome = {0: "done", 1: "failed", 3: "drift"}[code]
    times = {"started_at": at(moment), "finished_at": at(moment)}
    return {"shop": "north", "run_id": one, "command": command, "exit_code": code, "outcome": outcome, **times} | more


def test_runs(tmp_path: Path):
    """The latest runs are there, and the last reconcile that ended well, however long ago, with the drift it found."""
    drift = '{"returns": {"missing": 2, "changed": 1, "deleted": 0}}'
    ledger = [run("r0", "reconcile", 3, "01-01 00:00", drift=drift), run("r1", "reconcile", 1, "01-01 05:00")]
    ledger += [run(f"s{n:02}", "sync", 0, f"02-{n + 1:02} 00:00", rows_new='{"returns": 7}') for n in range(20)]
    _, page = made(tmp_path, SHOP | {"_loop_sync_runs": ledger})
    found = rows(record(page), "runs")
    assert [row["started_at"] for row in found if row["command"] == "sync"] == [
        f"2026-02-{20 - n:02}T00:00:00Z" for n in range(12)
    ]
    assert [(row["outcome"], row["drift"]) for row in found if row["command"] == "reconcile"] == [
        ("drift", json.loads(drift))
    ]
    assert found[0]["rows_new"] == {"returns": 7}


def test_days_covered(tmp_path: Path):
    """Returns older than the days that were asked for are left out, newer ones are not."""
    _, page = made(tmp_path, random_shop(3), days=0)
    embedded = record(page)
    assert not any(embedded["tables"][name]["rows"] for name in ("daily", "steps", "reasons", "products", "carriers"))
    assert embedded["tables"]["waiting"]["rows"]


TITLES = ("</script><script>alert(1)</script>", "<!--<script>", "{{page.css}}", "a\u2028b\\", '"\\u003c', "ß 日本 🙂")


def test_titles_stay_text(tmp_path: Path):
    """Whatever a product is called, its name comes back as it was, and no character of it can end the data."""
    lines = [line(f"L{n}", "R1", f"P{n}", f"V{n}", "5", title=title) for n, title in enumerate(TITLES)]
    _, page = made(tmp_path, {"returns": [ret("R1", "closed", "refund", "01-10 00:00")], "return_line_items": lines})
    text = page.read_text("utf-8")
    assert {row["title"] for row in rows(record(page), "catalogue")} == set(TITLES)
    assert Counter(re.findall(r"</?script\b", text)) == {"<script": 3, "</script": 3}
    assert "<" not in text.split('id="data">')[1].split("</script>")[0]


def test_nobody_is_named(tmp_path: Path):
    """No e-mail address, comment, order or tracking number of a shopper gets into the page."""
    returned = ret("R1", "open", "refund", "01-10 00:00", customer="zoe@example.com", order_name="#zoe", order_id="zoe")
    unit = line("L1", "R1", "P", "V", "5", title="Socks", return_comment="Zoe does not like them")
    label = {"shop": "north", "return_id": "R1", "label_index": 0, "tracking_number": "ZOE1", "carrier": "UPS"}
    _, page = made(tmp_path, {"returns": [returned], "return_line_items": [unit], "return_labels": [label]})
    embedded = json.dumps(record(page)).lower()
    assert "socks" in embedded
    assert "zoe" not in embedded


def test_nothing_is_fetched(tmp_path: Path):
    """The page has no address to fetch from, and forbids the browser to ask for anything."""
    _, page = made(tmp_path, SHOP)
    text = page.read_text("utf-8")
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'" in text
    assert "{{" not in re.sub(r'id="data">.*?</script>|<script>.*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(r"<(?:link|img|iframe|script[^>]*src|object|embed)\b|@import|url\(|sourceMappingURL", text)


def test_light(tmp_path: Path):
    """The page is the library and little more; of a catalogue of thousands it takes the most returned of each month."""
    returns = [ret("R1", "closed", "refund", "01-10 00:00", return_total="5")]
    many = [line(f"L{n}", "R1", f"P{n}", f"V{n}", "5", title=f"Product {n}") for n in range(2000)]
    _, page = made(tmp_path, {"returns": returns, "return_line_items": [*many, line("L", "R1", "P7", "V7", "5")]})
    found = rows(record(page), "catalogue")
    assert len(found) == TOP_PRODUCTS
    assert found[0]["units"] == 2
    assert page.stat().st_size < 300_000


@pytest.mark.parametrize("there", ["nothing", "a file", "tables"])
def test_empty(tmp_path: Path, there: str):
    """Before the first sync, or of a shop without returns, there is a page all the same."""
    if there == "a file":
        duckdb_pipeline(tmp_path).run([{"n": 1}], table_name="other")
    if there == "tables":
        load(duckdb_pipeline(tmp_path), {})
    page = build(target(tmp_path), path=tmp_path / "report.html")
    embedded = record(page)
    assert not any(table["rows"] for table in embedded["tables"].values())
    assert "Nothing here yet" in page.read_text("utf-8")


def test_no_marts(tmp_path: Path):
    """Data without marts is an error that says what to set."""
    load(duckdb_pipeline(tmp_path), SHOP)
    with pytest.raises(ChangeSettings, match="Set `marts`"):
        build(target(tmp_path), path=tmp_path / "report.html")


def test_a_file_that_is_no_warehouse(tmp_path: Path):
    """What is no DuckDB file is said to be unreadable, and an older page stays."""
    (tmp_path / "test.duckdb").write_text("no database")
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(WarehouseTrouble, match="cannot be read"):
        build(target(tmp_path), path=tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"


def test_places(tmp_path: Path):
    """A place where no file can be is refused with advice; an older page is replaced."""
    for wrong in (tmp_path, tmp_path / "missing" / "report.html"):
        with pytest.raises(ChangeSettings, match="name a file in a folder that exists"):
            build(target(tmp_path), path=wrong)
    (tmp_path / "report.html").write_text("old")
    build(target(tmp_path), path=tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert not list(tmp_path.glob(".*part"))


def test_command(home: Path, monkeypatch: pytest.MonkeyPatch):
    """The command needs no key, writes into the current folder, and chooses the shop that the settings name."""
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__SHOP", "south")
    made(home, SHOP)
    page = write_report(Options(file="test.duckdb").target())
    assert page == home / "loop_returns_report.html"
    assert record(page)["shop"] == "south"


def test_postgres(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch):
    """On PostgreSQL the same rows give the same page."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    tables = random_shop(4) | {"_loop_sync_runs": [run("r", "reconcile", 3, "01-01 00:00", drift='{"returns": {}}')]}
    pipeline = postgres_pipeline(postgres, tmp_path / "pg", dataset="reported")
    load(pipeline, tables)
    marts.refresh(pipeline)
    theirs = build(find_target(destination="postgres", dataset="reported"), path=tmp_path / "pg.html", days=EVER)
    _, ours = made(tmp_path, tables)
    for name in QUERIES:
        pages = [sorted(map(repr, rows(record(page), name))) for page in (ours, theirs)]
        assert pages[0] == pages[1], name
