"""The report in a real browser: it draws, its filters change its numbers, and it fetches nothing."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from loop_returns.report import build
from loop_returns.warehouse.destination import find_target

from .chromium import PROGRAM, Page, browser
from .golden_shop import at, line, ret
from .test_marts_totals import random_shop
from .warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import dlt

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"),
]
CHARTS = ("outcomes", "retained", "ratio", "closing", "carriers", "reasons", "coming", "waiting")
TITLE = "</script><img src=x onerror=alert(1)>"
SHOWN = "getComputedStyle(document.querySelector('main')).display !== 'none'"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, str]:
    folder = tmp_path_factory.mktemp("shop")
    tables = random_shop(5)
    for row in tables["returns"]:
        row["currency"] = row["currency"] or "USD"
    for row in tables["advanced_shipping_notices"]:
        row["closed_at"] = at("06-10 00:00")
    tables["returns"].append(ret("R", "closed", "refund", "06-30 00:00", shop="south", return_total="9"))
    tables["return_line_items"] += [line(f"L{n}", "R", "T", "T", "9", shop="south", title=TITLE) for n in range(400)]
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
    page = build(find_target(file=str(folder / "test.duckdb")), path=folder / "report.html", days=30_000)
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


def choose(page: Page, name: str, value: str) -> None:
    """Changes a filter as a person would: by what an option says, or by a date."""
    page.run(f"""(() => {{
        const field = document.getElementById({json.dumps(name)});
        const option = [...(field.options ?? [])].find((one) => one.text === {json.dumps(value)});
        field.value = option ? option.value : {json.dumps(value)};
        field.dispatchEvent(new Event("change", {{ bubbles: true }}));
    }})()""")


def tile(page: Page, name: str) -> str:
    """The number in a tile."""
    text: str = page.run(f"document.querySelector('[data-tile={name}] .value').textContent")
    return text


def number(page: Page, name: str) -> Decimal:
    return Decimal(tile(page, name).replace(",", ""))


def drawn(page: Page) -> list[str]:
    """The charts whose canvas has been painted on."""
    found: list[str] = page.run("""[...document.querySelectorAll("[data-chart] canvas")].filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size > 5;
    }).map((canvas) => canvas.closest("[data-chart]").dataset.chart)""")
    return found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_draws(shop: tuple[dlt.Pipeline, str], page: Page, *, width: int, dark: bool):
    """On a desk and on a phone, light and dark, every chart is painted and nothing is wider than the window."""
    page.open(shop[1], width=width, dark=dark)
    assert drawn(page) == list(CHARTS)
    assert page.run("document.documentElement.scrollWidth") == width
    red = re.findall(r"\d+", page.run("getComputedStyle(document.body).backgroundColor"))[0]
    assert (int(red) < 60) == dark


def test_filters(shop: tuple[dlt.Pipeline, str], page: Page):
    """For every shop, currency and range of dates the tiles say what rpt_returns_daily adds up to, to the cent."""
    pipeline, address = shop
    page.open(address)
    seen = set()
    for name in ("All", "north", "south"):
        for currency in ("USD", "EUR"):
            for first, last in (("2026-01-01", "2026-05-31"), ("2026-02-10", "2026-03-04"), ("2026-04-01", "2026-04-01")):
                choose(page, "shop", name)
                choose(page, "currency", currency)
                choose(page, "from", first)
                choose(page, "to", last)
                whose = "" if name == "All" else f"AND shop = '{name}'"
                ((*expected,),) = select(
                    pipeline,
                    "SELECT coalesce(sum(returns), 0), coalesce(sum(units_returned), 0), sum(returned_value),"
                    " sum(retained_revenue), sum(refunded) FROM rpt_returns_daily WHERE date_basis = 'submitted'"
                    f" AND currency = '{currency}' AND day BETWEEN '{first}' AND '{last}' {whose}",
                )
                assert [int(number(page, tile)) for tile in ("returns", "units")] == expected[:2]
                if expected[2] is not None:
                    amounts = [number(page, tile) for tile in ("returned", "retained", "refunded")]
                    assert amounts == [Decimal(amount) for amount in expected[2:]]
                seen.add(tuple(expected))
    assert len(seen) > 10


def test_several_currencies(shop: tuple[dlt.Pipeline, str], page: Page):
    """With all currencies chosen each amount stands by itself, and what would add them up is not drawn."""
    page.open(shop[1])
    choose(page, "currency", "All, not added up")
    lines: Any = page.run("[...document.querySelectorAll('[data-tile=returned] .value')].map((line) => line.textContent)")
    assert sorted(text[:3] for text in lines) == ["EUR", "USD"]
    assert drawn(page) == [name for name in CHARTS if name not in {"retained", "ratio"}]
    assert "never added up" in page.run("document.querySelector('[data-chart=ratio]').textContent")


def test_a_choice_is_kept_in_the_address(shop: tuple[dlt.Pipeline, str], page: Page):
    """A page that is opened at the address of another shows the same."""
    page.open(shop[1])
    choose(page, "shop", "north")
    choose(page, "currency", "EUR")
    choose(page, "from", "2026-02-01")
    before, address = tile(page, "returned"), page.run("location.href")
    page.open(shop[1])
    assert tile(page, "returned") != before
    page.open(address)
    assert tile(page, "returned") == before


def test_presets(shop: tuple[dlt.Pipeline, str], page: Page):
    """The buttons set the dates, and the one whose dates are shown is pressed."""
    page.open(shop[1])
    page.run("[...document.querySelectorAll('#presets button')].find((one) => one.textContent === 'All').click()")
    assert page.run("document.querySelector('#presets [aria-pressed=true]').textContent") in {"12 months", "All"}
    every = number(page, "returns")
    choose(page, "to", "2026-02-01")
    assert number(page, "returns") < every
    assert page.run("document.querySelector('#presets [aria-pressed=true]')") is None


def test_names_are_text(shop: tuple[dlt.Pipeline, str], page: Page):
    """A product that is called like markup is shown with that name."""
    page.open(shop[1])
    choose(page, "currency", "USD")
    assert TITLE in page.run("document.querySelector('#products').textContent")
    assert page.run("document.images.length") == 0


def test_every_field_has_a_name(shop: tuple[dlt.Pipeline, str], page: Page):
    """Fields, charts and areas that scroll have names for screen readers, and every chart has its numbers as a table."""
    page.open(shop[1])
    assert page.run("[...document.querySelectorAll('select, input')].every((one) => one.labels.length)")
    assert page.run("[...document.querySelectorAll('canvas, [role=region]')].every((one) => one.ariaLabel)")
    assert page.run("[...document.querySelectorAll('[data-chart]')].every((one) => one.querySelector('details td'))")


def test_empty(page: Page, tmp_path: Path):
    """Before the first sync the page says so, and what to do."""
    built = build(find_target(file=str(tmp_path / "none.duckdb")), path=tmp_path / "report.html")
    page.open(built.as_uri())
    assert page.run("document.body.innerText").count("loop-returns sync") == 1
    assert not page.run(SHOWN)
