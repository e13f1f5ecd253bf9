"""The report in a real browser: it draws, its filters change its numbers, and it fetches nothing."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

from loop_returns import marts
from loop_returns.marts.outside import Given
from loop_returns.report import write_report
from loop_returns.warehouse.destination import find_target
from tests.marts.test_totals import random_shop
from tests.support.chromium import PROGRAM, Page, browser
from tests.support.golden_shop import at, line, ret
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dlt

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"),
]
CHARTS = {"returns_over_time", "value_over_time", "retained_share", "return_rates", "durations", "coming", "waiting"}
ORDERS = """
    SELECT 'north' AS shop, n AS order_id, n AS order_line_id, 'A' AS product_id, 'x' AS variant_id, 3 AS units,
           30 AS amount, 'USD' AS currency, CAST('2026-01-01' AS TIMESTAMP) + INTERVAL (n % 5) DAY AS ordered_at
    FROM range(90) t(n)
"""
SETTLED = "views.then((all) => Promise.all(all.map((view) => view.runAsync()))).then(() => true)"
TITLE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, str]:
    folder = tmp_path_factory.mktemp("shop")
    tables = random_shop(5)
    for row in tables["returns"]:
        row["currency"] = row["currency"] or "USD"
        row["updated_at"] = at("06-30 00:00")
    for row in tables["advanced_shipping_notices"]:
        row["closed_at"] = at("06-10 00:00")
    tables["returns"].append(ret("R", "closed", "refund", "06-30 00:00", shop="south", return_total="9"))
    tables["returns"].append(
        ret("W", "closed", "refund", "03-01 00:00", shop="west", return_total="7") | {"currency": "GBP"}
    )
    tables["return_line_items"] += [line(f"L{n}", "R", "T", "T", "9", shop="south", title=TITLE) for n in range(400)]
    tables["return_line_items"] += [line(f"M{n}", "R", f"Q{n}", "T", "9", shop="south", title="=1+1") for n in range(12)]
    for place, row in enumerate(tables["returns"]):
        row["origin_country_code"] = (None, "US", "DE")[place % 3]
        row["destination_id"] = ("D1", "D2")[place % 2]
    run = {"shop": "north", "run_id": "r", "command": "sync", "exit_code": 0, "outcome": "done"}
    times = dict.fromkeys(("started_at", "finished_at", "cursor_after"), at("06-30 00:00"))
    tables["_loop_sync_runs"] = [run | times]
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    with pipeline.sql_client() as client:
        client.execute_sql(f"CREATE VIEW sold AS {ORDERS}")
    marts.refresh(pipeline, given=Given({"orders": "loop_returns.sold"}))
    page = write_report(find_target(file=str(folder / "test.duckdb")), output=folder / "report.html", days=30_000)
    return pipeline, page.as_uri()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quiet(page: Page) -> Iterator[None]:
    """After each test: the console was silent, and nothing was fetched but the page and pictures inside it."""
    page.said.clear()
    page.fetched.clear()
    yield
    assert page.said == []
    assert [address for address in page.fetched if not address.startswith(("file:", "data:", "about:", "blob:"))] == []


def show(page: Page, address: str, **window: Any) -> None:
    """Opens a report and waits until it has drawn."""
    page.open(address, **window)
    page.run("views.then(() => true)")


def choose(page: Page, name: str, value: str) -> None:
    """Changes a field as a person would, and waits for what follows."""
    page.run(f"choose({json.dumps(name)}, {json.dumps(value)}); {SETTLED}")


def number(page: Page, name: str) -> Decimal | None:
    """The number in a tile; None where it says that there is none."""
    text: str = page.run(f"document.querySelector('[data-measure={name}]:not([data-source]) .value').textContent")
    return None if text == "–" else Decimal(text.replace(",", ""))


def drawn(page: Page) -> set[str]:
    """The charts that have marks with some extent."""
    return set(
        page.run("""[...document.querySelectorAll(".chart")].filter((chart) =>
        [...chart.querySelectorAll(".role-mark path")].some((mark) => mark.getBoundingClientRect().height > 1)
    ).map((chart) => chart.id)""")
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_draws(shop: tuple[dlt.Pipeline, str], page: Page, *, width: int, dark: bool):
    """On a desk and on a phone, light and dark, every chart is drawn and nothing is wider than the window."""
    show(page, shop[1], width=width, dark=dark)
    assert drawn(page) == CHARTS
    assert page.run("document.documentElement.scrollWidth") == width
    ground, text = (
        int(re.findall(r"\d+", page.run(f"getComputedStyle(document.querySelector({place!r})).{what}"))[0])
        for place, what in (("body", "backgroundColor"), (".chart svg text", "fill"))
    )
    assert (ground < 60, text > 200) == (dark, dark)


TILES = {
    "returns": "count(*)", "units": "sum(units_returned)", "returned": "sum(returned_value)", "refunded": "sum(refunded)",
    "retained": "sum(retained_revenue)", "upsell": "sum(upsell)", "fees": "sum(handling_fee)",
}  # fmt: skip


def test_filters(shop: tuple[dlt.Pipeline, str], page: Page):
    """For every choice of shop, currency, country, destination, date basis and days the tiles add up fct_returns exactly."""
    pipeline, address = shop
    show(page, address)
    seen = set()
    for name, currency, country, place, basis, first, last in (
        ("", "USD", "", "", "submitted", "2026-01-01", "2026-05-31"),
        ("north", "USD", "", "", "submitted", "2026-02-10", "2026-03-04"),
        ("north", "EUR", "US", "", "submitted", "2026-01-01", "2026-05-31"),
        ("south", "USD", "(none)", "D1", "submitted", "2026-01-01", "2026-05-31"),
        ("south", "EUR", "", "D2", "submitted", "2026-04-01", "2026-04-01"),
        ("", "USD", "DE", "", "ordered", "2026-01-01", "2026-01-01"),
        ("", "EUR", "", "D1", "ordered", "2025-12-01", "2026-01-31"),
    ):
        wanted = {"shop": name, "currency": currency, "country_code": country, "destination_id": place}
        for field, value in zip(("shop", "currency", "country", "destination"), wanted.values(), strict=True):
            choose(page, field, value)
        for field, value in (("basis", basis), ("from", first), ("to", last)):
            choose(page, field, value)
        tests = [f"coalesce({column}, '(none)') = '{value}'" for column, value in wanted.items() if value]
        tests += ["NOT is_void", f"{basis}_date BETWEEN '{first}' AND '{last}'"]
        ((*expected,),) = select(
            pipeline, f"SELECT {', '.join(TILES.values())} FROM fct_returns WHERE {' AND '.join(tests)}"
        )
        assert [number(page, measure) for measure in TILES] == (expected if expected[0] else [None] * 7), wanted
        seen.add(tuple(expected))
    assert len(seen) == 7


def test_beside_before(shop: tuple[dlt.Pipeline, str], page: Page):
    """Tiles and tables say what as many days before had; where the data do not go back so far, nothing is said."""
    pipeline, address = shop
    show(page, address)
    choose(page, "currency", "USD")
    choose(page, "from", "2026-03-11")
    choose(page, "to", "2026-03-20")
    sql = "SELECT count(*) FROM fct_returns WHERE NOT is_void AND currency = 'USD' AND submitted_date BETWEEN {} AND {}"
    ((before,),) = select(pipeline, sql.format("'2026-03-01'", "'2026-03-10'"))
    assert f"on {before}" in page.run("document.querySelector('[data-measure=returns] .change').textContent")
    assert before == sum(int(row["Before"] or 0) for row in saved(page, "countries"))
    choose(page, "from", "2026-01-02")
    assert page.run("document.querySelector('[data-measure=returns] .change').textContent") == ""
    assert {row["Before"] for row in saved(page, "countries")} == {""}


def saved(page: Page, table: str) -> list[dict[str, str]]:
    """The rows of the file that a table's button saves."""
    with tempfile.TemporaryDirectory() as folder:
        page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=folder)
        click = f"document.querySelector('[data-table={table}] .save').click()"
        page.send("Runtime.evaluate", expression=click, userGesture=True)  # else Chromium stops after ten
        file = Path(folder) / f"{table}.csv"
        for _ in range(200):
            if file.exists():
                break
            page.run("new Promise((done) => setTimeout(done, 50))")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return list(csv.DictReader(opened))


def test_csv(shop: tuple[dlt.Pipeline, str], page: Page):
    """A table's CSV has all its rows, also those that are cut from the page, and the sums of the facts, in full."""
    pipeline, address = shop
    show(page, address)
    choose(page, "shop", "south")
    choose(page, "currency", "USD")
    choose(page, "from", "2026-01-01")
    choose(page, "to", "2026-12-31")
    rows = saved(page, "products")
    assert (
        page.run("document.querySelector('[data-table=products] .under').firstChild.textContent")
        == f"10 of {len(rows)} rows."
    )
    sql = "SELECT product_id, count(*), sum(returned_value) FROM fct_return_lines"
    found = select(pipeline, f"{sql} WHERE NOT is_void AND shop = 'south' AND currency = 'USD' GROUP BY ALL")
    assert sorted((int(row["Units"]), Decimal(row["Returned, USD"])) for row in rows) == sorted(row[1:] for row in found)
    assert {row["Product"] for row in rows} >= {TITLE, "'=1+1"}
    page.run("document.querySelector('[data-table=products] .more').click()")
    assert page.run("document.querySelectorAll('[data-table=products] tbody tr').length") == len(rows)


def test_every_table_can_be_saved(shop: tuple[dlt.Pipeline, str], page: Page):
    """Each table that has rows has a CSV with as many columns in each row."""
    show(page, shop[1])
    names = page.run("[...document.querySelectorAll('[data-table]:has(.save)')].map((one) => one.dataset.table)")
    assert {"attention", "refunds", "countries", "products", "reasons", "rates", "carriers", "states", "shops"} <= set(names)
    for name in names:
        show(page, shop[1])  # a page may save ten files
        rows = saved(page, name)
        assert rows, name
        assert all(None not in row and None not in row.values() for row in rows), name


def test_sorting(shop: tuple[dlt.Pipeline, str], page: Page):
    """A click on a heading sorts by it, a second the other way round, and the keyboard stays where it was."""
    show(page, shop[1])
    heading = (
        "[...document.querySelectorAll('[data-table=carriers] th button')].find((one) => one.innerText === 'Delivered')"
    )
    for direction in ("descending", "ascending"):
        page.run(f"{heading}.focus(), {heading}.click()")
        assert page.run(f"{heading}.closest('th').ariaSort") == direction
        assert page.run("document.activeElement.textContent") == "Delivered"
        found = [int(row["Delivered"]) for row in saved(page, "carriers")]
        assert found == sorted(found, reverse=direction == "descending")


def test_what_a_filter_does_not_reach(shop: tuple[dlt.Pipeline, str], page: Page):
    """Where a table does not follow a filter that is set, its card says so."""
    show(page, shop[1])
    scope = "document.querySelector('[data-table=rates]').parentElement.querySelector('.scope').textContent"
    assert page.run(scope) == ""
    choose(page, "country", "US")
    assert page.run(scope) == "Counts all countries."


def test_attention(shop: tuple[dlt.Pipeline, str], page: Page):
    """What needs attention is counted as the marts count it, and names the returns."""
    pipeline, address = shop
    show(page, address)
    choose(page, "currency", "USD")
    found = {row["What"]: int(row["How many"]) for row in saved(page, "attention")}
    sql = "SELECT 'Refunds: ' || status, count(*) FROM rpt_refund_reconciliation WHERE currency = 'USD'"
    refunds = select(pipeline, f"{sql} AND status NOT IN ('fine', 'waiting', 'paid before inspection') GROUP BY ALL")
    assert {name: count for name, count in found.items() if name.startswith("Refunds")} == dict(refunds)
    overdue = select(pipeline, "SELECT sum(units) FROM rpt_inbound_forecast WHERE currency = 'USD' AND is_overdue")
    assert found["Units overdue at the warehouse"] == overdue[0][0]
    named = [row for row in saved(page, "cases") if row["Why"].startswith("Refunds")]
    assert len(named) == sum(min(count, 50) for _, count in refunds)


def test_a_shop_without_the_currency(shop: tuple[dlt.Pipeline, str], page: Page):
    """Choosing a shop that has nothing in the chosen currency chooses the currency it has most of."""
    show(page, shop[1])
    choose(page, "currency", "EUR")
    choose(page, "shop", "west")
    assert page.run("document.getElementById('currency').value") == "GBP"
    assert number(page, "returned") == 7


def test_nothing_for_a_choice(shop: tuple[dlt.Pipeline, str], page: Page):
    """Days without returns leave the charts empty, and they say so."""
    show(page, shop[1])
    choose(page, "to", "2026-01-01")
    choose(page, "from", "2026-05-01")
    assert drawn(page) <= {"coming", "waiting", "return_rates"}
    said = page.run("getComputedStyle(document.getElementById('value_over_time'), '::before').content")
    assert "Nothing to show" in said
    assert "Nothing to show" in page.run("document.querySelector('[data-table=reasons]').textContent")
    assert number(page, "returns") is None


def test_presets(shop: tuple[dlt.Pipeline, str], page: Page):
    """The buttons set the days, up to the last one."""
    show(page, shop[1])
    choose(page, "to", "2026-02-01")
    some = number(page, "returns")
    page.run("[...document.querySelectorAll('.starts button')].at(-1).click(); " + SETTLED)
    every = number(page, "returns")
    assert some is not None
    assert every is not None
    assert some < every


def test_names_are_text(shop: tuple[dlt.Pipeline, str], page: Page):
    """A product that is called like markup is shown with that name."""
    show(page, shop[1])
    choose(page, "shop", "south")
    choose(page, "currency", "USD")
    assert TITLE in page.run("document.querySelector('[data-table=products]').textContent")
    assert page.run("document.images.length") == 0


def test_on_paper(shop: tuple[dlt.Pipeline, str], page: Page):
    """Printed on a sheet, the charts are as wide as their cards at most, and no table is wider than the sheet."""
    show(page, shop[1], width=794)
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.run("document.documentElement.scrollWidth") == 794
    assert page.run("""[...document.querySelectorAll(".chart svg")].every((chart) =>
        chart.getBoundingClientRect().width <= chart.parentElement.clientWidth + 1)""")
    page.send("Emulation.setEmulatedMedia", media="")


def test_every_field_has_a_name(shop: tuple[dlt.Pipeline, str], page: Page):
    """Fields, charts and areas that scroll have names for screen readers."""
    show(page, shop[1])
    assert page.run("[...document.querySelectorAll('select, input')].every((one) => one.labels.length)")
    assert page.run("[...document.querySelectorAll('.chart > [role], [role=region]')].every((one) => one.ariaLabel)")


def test_what_is_missing_says_why(page: Page, tmp_path: Path):
    """Of a shop without notices, labels, orders and rates each part says in a line why it has nothing, and what gives it."""
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, {"returns": [ret("R", "closed", "refund", "06-30 00:00", return_total="9")]})
    marts.refresh(pipeline)
    built = write_report(find_target(file=str(tmp_path / "test.duckdb")), output=tmp_path / "report.html", days=30_000)
    show(page, built.as_uri())
    said = page.run("[...document.querySelectorAll('.none .scope')].map((one) => one.textContent)")
    assert any("“orders”" in one for one in said)
    assert all(said)
    assert page.run("document.getElementById('basis').options[1].disabled")
    assert "Nothing that the marts can see" in page.run("document.querySelector('[data-table=attention]').textContent")


def test_empty(page: Page, tmp_path: Path):
    """Of a shop without returns the page says so, and what to do."""
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, {})
    marts.refresh(pipeline)
    built = write_report(find_target(file=str(tmp_path / "test.duckdb")), output=tmp_path / "report.html")
    show(page, built.as_uri())
    assert page.run("document.body.innerText").count("loop-returns sync") == 1
    assert page.run("getComputedStyle(document.querySelector('main')).display") == "none"
