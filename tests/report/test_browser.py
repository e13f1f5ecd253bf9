"""The report in a real browser: it draws, its filters change its numbers, and it fetches nothing."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

from loop_returns import marts
from loop_returns.report import write_report
from loop_returns.warehouse.destination import find_target
from tests.marts.test_totals import random_shop
from tests.support.chromium import PROGRAM, Page, browser
from tests.support.golden_shop import at, line, ret
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import dlt

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"),
]
CHARTS = {
    "returns_over_time", "value_over_time", "durations", "reasons", "products", "carriers", "coming", "waiting",
}  # fmt: skip
SETTLED = "views.then((all) => Promise.all(all.map((view) => view.runAsync()))).then(() => true)"
TITLE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, str]:
    folder = tmp_path_factory.mktemp("shop")
    tables = random_shop(5)
    for row in tables["returns"]:
        row["currency"] = row["currency"] or "USD"
    for row in tables["advanced_shipping_notices"]:
        row["closed_at"] = at("06-10 00:00")
    tables["returns"].append(ret("R", "closed", "refund", "06-30 00:00", shop="south", return_total="9"))
    tables["returns"].append(
        ret("W", "closed", "refund", "03-01 00:00", shop="west", return_total="7") | {"currency": "GBP"}
    )
    tables["return_line_items"] += [line(f"L{n}", "R", "T", "T", "9", shop="south", title=TITLE) for n in range(400)]
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
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
    assert [address for address in page.fetched if not address.startswith(("file:", "data:", "about:"))] == []


def show(page: Page, address: str, **window: Any) -> None:
    """Opens a report and waits until it has drawn."""
    page.open(address, **window)
    page.run("views.then(() => true)")


def choose(page: Page, name: str, value: str) -> None:
    """Changes a field as a person would, and waits for what follows."""
    page.run(f"choose({json.dumps(name)}, {json.dumps(value)}); {SETTLED}")


def number(page: Page, name: str) -> Decimal | None:
    """The number in a tile; None where it says that there is none."""
    text: str = page.run(f"document.querySelector('[data-measure={name}] .value').textContent")
    return None if text == "–" else Decimal(text.replace(",", ""))


def drawn(page: Page) -> set[str]:
    """The charts that have marks with some extent."""
    return set(
        page.run("""[...document.querySelectorAll(".chart")].filter((chart) =>
        [...chart.querySelectorAll(".role-mark path")].some((mark) => mark.getBoundingClientRect().height > 1)
    ).map((chart) => chart.id)""")
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 375])
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


def test_filters(shop: tuple[dlt.Pipeline, str], page: Page):
    """For every shop, currency and range of days the tiles say what rpt_returns_daily adds up to, to the cent."""
    pipeline, address = shop
    show(page, address)
    seen = set()
    for name in ("", "north", "south"):
        for currency in ("USD", "EUR"):
            for first, last in (("2026-01-01", "2026-05-31"), ("2026-02-10", "2026-03-04"), ("2026-04-01", "2026-04-01")):
                for field, value in (("shop", name), ("currency", currency), ("from", first), ("to", last)):
                    choose(page, field, value)
                whose = f"AND shop = '{name}'" if name else ""
                ((*expected,),) = select(
                    pipeline,
                    "SELECT sum(returns), sum(units_returned), sum(returned_value), sum(retained_revenue), sum(refunded)"
                    " FROM rpt_returns_daily WHERE date_basis = 'submitted' AND returns > 0"
                    f" AND currency = '{currency}' AND day BETWEEN '{first}' AND '{last}' {whose}",
                )
                found = [number(page, measure) for measure in ("returns", "units", "returned", "retained", "refunded")]
                assert found == expected, (name, currency, first, last)
                seen.add(tuple(expected))
    assert len(seen) > 10


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
    assert drawn(page) == {"coming", "waiting"}
    said = page.run("getComputedStyle(document.getElementById('reasons'), '::before').content")
    assert "Nothing to show" in said
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
    """A product that is called like markup is shown with that name, also in a tooltip."""
    show(page, shop[1])
    choose(page, "shop", "south")
    choose(page, "currency", "USD")
    assert TITLE[:20] in page.run("document.getElementById('products').textContent")
    page.run("""document.querySelectorAll("#products .role-mark path").forEach((bar) =>
        bar.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 })))""")
    assert page.run("document.images.length") == 0


def test_on_paper(shop: tuple[dlt.Pipeline, str], page: Page):
    """Printed, the charts are as wide as their cards at most."""
    show(page, shop[1])
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.run("""[...document.querySelectorAll(".chart svg")].every((chart) =>
        chart.getBoundingClientRect().width <= chart.parentElement.clientWidth + 1)""")
    page.send("Emulation.setEmulatedMedia", media="")


def test_every_field_has_a_name(shop: tuple[dlt.Pipeline, str], page: Page):
    """Fields, charts and areas that scroll have names for screen readers."""
    show(page, shop[1])
    assert page.run("[...document.querySelectorAll('select, input')].every((one) => one.labels.length)")
    assert page.run("[...document.querySelectorAll('.chart > [role], [role=region]')].every((one) => one.ariaLabel)")


def test_empty(page: Page, tmp_path: Path):
    """Of a shop without returns the page says so, and what to do."""
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, {})
    marts.refresh(pipeline)
    built = write_report(find_target(file=str(tmp_path / "test.duckdb")), output=tmp_path / "report.html")
    show(page, built.as_uri())
    assert page.run("document.body.innerText").count("loop-returns sync") == 1
    assert page.run("getComputedStyle(document.querySelector('main')).display") == "none"
