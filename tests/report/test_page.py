"""The page is one file that fetches nothing and names nobody, whatever is in the warehouse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("altair", reason="the report's extra is not installed: pip install -e '.[report]'")

import pyarrow as pa

from loop_returns import marts
from loop_returns.errors import ConfigurationError
from loop_returns.report import write_report
from loop_returns.report.data import plain
from loop_returns.report.packing import packed
from loop_returns.runs.session import Options
from loop_returns.warehouse.destination import Target, find_target
from tests.support.golden_shop import SHOP, at, line, ret
from tests.support.warehouses import duckdb_pipeline, load

if TYPE_CHECKING:
    from pathlib import Path

EVER = 30_000  # days: the rows of the tests have fixed dates
WITHOUT = "import sys; sys.modules['altair'] = None; from loop_returns.cli import main; main()"


def target(folder: Path) -> Target:
    return find_target(file=str(folder / "test.duckdb"))


def written(folder: Path, tables: Any, **options: Any) -> str:
    """The page on a warehouse with these tables."""
    pipeline = duckdb_pipeline(folder)
    load(pipeline, tables)
    marts.refresh(pipeline)
    return write_report(target(folder), output=folder / "report.html", days=EVER, **options).read_text("utf-8")


def record(page: str) -> dict[str, Any]:
    """What is embedded in the page."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    embedded: dict[str, Any] = json.loads(found)
    return embedded


def unpacked(column: dict[str, Any]) -> list[Any]:
    """The values of a column as the page reads them."""
    if "numbers" in column:
        return [number * column["unit"] for number in column["numbers"]]
    steps = [step for step, times in zip(*[iter(column["runs"])] * 2, strict=True) for _ in range(times)]
    return [column["words"][place] for place in accumulate(steps)]


@pytest.mark.parametrize(
    "values",
    [
        [3, 9, -6, 0], [0, 0], [5], [], [None, 7, None],
        ["b", None, "a", "a", None, "b"], [Decimal("1.5"), None, Decimal("-0.25")],
        [date(2026, 1, 1) + timedelta(days=n % 40) for n in range(400)],
    ],
)  # fmt: skip
def test_columns_come_back(values: list[Any]):
    """What is packed for the page is unpacked to the same values, days in ISO format and decimals as ten-thousandths."""
    packed_ = json.loads(json.dumps(packed(pa.table({"column": values}))["column"]))
    assert unpacked(packed_) == [plain(value) for value in values]
    if len(values) > 100:
        assert len(json.dumps(packed_)) < 10 * 100


def frame(page: str) -> str:
    """The page without what is inside its script elements."""
    return re.sub(r"(<script[^>]*>).*?(</script>)", r"\1\2", page, flags=re.DOTALL)


TITLES = ("</script><script>alert(1)</script>", "<!--<script>", "{{ data }}", "a\u2028b\\", '"\\u003c', "ß 日本 🙂")


def test_titles_stay_text(tmp_path: Path):
    """Whatever a product is called, its name comes back as it was, and no character of it can end the data."""
    lines = [line(f"L{n}", "R1", f"P{n}", f"V{n}", "5", title=title, sku="") for n, title in enumerate(TITLES)]
    page = written(tmp_path, {"returns": [ret("R1", "closed", "refund", "01-10 00:00")], "return_line_items": lines})
    assert set(record(page)["names"]["north"].values()) >= set(TITLES)
    assert Counter(re.findall(r"</?script\b", page)) == {"<script": 3, "</script": 3}
    assert "<" not in page.split('id="data">')[1].split("</script>")[0]


@pytest.mark.long
def test_shops_and_errors_stay_text(tmp_path: Path):
    """A shop, a currency and an error message that look like markup are written as they are."""
    evil = "<img src=x onerror=alert(1)>"
    ran = {"shop": evil, "run_id": "r", "command": "sync", "exit_code": 1, "outcome": "failed", "error_message": evil}
    returned = ret("R1", "closed", "refund", "01-10 00:00", shop=evil) | {"currency": evil}
    ledger = [ran | {"started_at": at("01-01 00:00"), "finished_at": at("01-01 00:00")}]
    page = written(tmp_path, {"returns": [returned], "_loop_sync_runs": ledger})
    assert "<img" not in frame(page)
    assert unescape(frame(page)).count(evil) >= 4


@pytest.mark.long
def test_nobody_is_named(tmp_path: Path):
    """No e-mail address, comment, order or tracking number of a shopper gets into the page."""
    returned = ret("R1", "open", "refund", "01-10 00:00", customer="zoe@example.com", order_name="#zoe", order_id="zoe")
    unit = line("L1", "R1", "P", "V", "5", title="Socks", return_comment="Zoe does not like them")
    label = {"shop": "north", "return_id": "R1", "label_index": 0, "tracking_number": "ZOE1", "carrier": "UPS"}
    page = written(tmp_path, {"returns": [returned], "return_line_items": [unit], "return_labels": [label]})
    said = (json.dumps(record(page)) + frame(page)).lower()
    assert "socks" in said
    assert "zoe" not in said


@pytest.mark.long
def test_nothing_is_fetched(tmp_path: Path):
    """The page has no address to fetch from, forbids the browser to ask for anything, and is not too big to be sent."""
    page = written(tmp_path, SHOP)
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'" in page
    assert not re.search(r"<(?:link|img|iframe|script[^>]*src|object|embed)\b|@import|url\(|https?:", frame(page))
    assert "{{" not in frame(page)
    assert len(page.encode()) < 6_000_000


@pytest.mark.long
def test_runs(tmp_path: Path):
    """The latest runs are there, and the last reconcile that ended well, however long ago, with what it found."""

    def run(one: str, command: str, code: int, moment: str, **more: Any) -> dict[str, Any]:
        outcome = {0: "done", 1: "failed", 3: "drift"}[code]
        times = {"started_at": at(moment), "finished_at": at(moment)}
        return {"shop": "north", "run_id": one, "command": command, "exit_code": code, "outcome": outcome, **times} | more

    drift = '{"returns": {"missing": 2, "changed": 1, "deleted": 0}, "return_labels": {"missing": 0}}'
    checks = '[{"table": "returns", "message": "sums differ"}]'
    ledger = [run("r0", "reconcile", 3, "01-01 00:00", drift=drift), run("r1", "reconcile", 1, "01-01 05:00")]
    ledger += [run(f"s{n:02}", "sync", 0, f"02-{n + 1:02} 00:00", rows_new='{"returns": 7}') for n in range(20)]
    ledger.append(run("c", "sync", 3, "03-01 00:00", checks=checks))
    text = " ".join(re.sub(r"<[^>]+>", " ", frame(written(tmp_path, SHOP | {"_loop_sync_runs": ledger}))).split())
    assert re.findall(r"(\d\d \w+) 2026, 00:00 UTC north sync done", text) == [f"{day} Feb" for day in range(20, 9, -1)]
    assert "01 Jan 2026, 00:00 UTC north reconcile drift 0 s 0 0 returns: 2 missing, 1 changed" in text
    assert "returns: sums differ" in text
    assert "reconcile failed" not in text


@pytest.mark.long
def test_what_the_key_may_read(tmp_path: Path):
    """Each resource is there with its scope, its rows and when it was last read; a scope that the key lacks is named."""
    ran = {
        "shop": "north",
        "run_id": "r",
        "command": "sync",
        "exit_code": 0,
        "outcome": "done",
        "resources": '{"destinations": "read", "allowlist_items": "refused"}',
    }
    ran |= {"started_at": at("03-01 00:00"), "finished_at": at("03-01 00:01")}
    page = written(tmp_path, SHOP | {"_loop_sync_runs": [ran], "destinations": [{"shop": "north", "id": "D1"}]})
    text = " ".join(re.sub(r"<[^>]+>", " ", frame(page)).split())
    assert "north destinations 1 01 Mar 2026, 00:01 UTC Destinations (Read) north" in text
    assert "north allowlist items 0 never Orders not given north" in text
    assert "north return notes 0 never Returns north" in text


@pytest.mark.long
def test_empty(tmp_path: Path):
    """Of a shop without returns there is a page all the same."""
    page = written(tmp_path, {})
    assert "charts" not in record(page)
    assert '<body class="empty">' in page


@pytest.mark.long
def test_the_warehouse_is_not_written_to(tmp_path: Path):
    """The database file is the same, to the byte, and nothing lies beside it but the page."""
    written(tmp_path, SHOP)
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    write_report(target(tmp_path), output=tmp_path / "report.html", days=EVER)
    after = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert after.keys() == before.keys()
    assert after[tmp_path / "test.duckdb"] == before[tmp_path / "test.duckdb"]


@pytest.mark.long
def test_no_marts(tmp_path: Path):
    """Data without marts is an error that says what to set."""
    load(duckdb_pipeline(tmp_path), SHOP)
    with pytest.raises(ConfigurationError, match="Set `marts`"):
        write_report(target(tmp_path), output=tmp_path / "report.html")


def test_a_file_that_is_no_warehouse(tmp_path: Path):
    """What is no DuckDB file is said to be unreadable, and an older page stays."""
    (tmp_path / "test.duckdb").write_text("no database")
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(ConfigurationError, match="cannot be read as a database"):
        write_report(target(tmp_path), output=tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"


@pytest.mark.long
def test_places(tmp_path: Path):
    """A place where no file can be is refused with advice; an older page is replaced."""
    written(tmp_path, SHOP)
    for wrong in (tmp_path, tmp_path / "missing" / "report.html"):
        with pytest.raises(ConfigurationError, match="name a file in a folder that exists"):
            write_report(target(tmp_path), output=wrong)
    (tmp_path / "report.html").write_text("old")
    write_report(target(tmp_path), output=tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.long
def test_command(home: Path, monkeypatch: pytest.MonkeyPatch):
    """The command needs no key, writes into the current folder, and chooses the shop that the settings name."""
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__SHOP", "south")
    written(home, SHOP)
    page = write_report(Options(file="test.duckdb").target())
    assert page == home / "loop_returns_report.html"
    assert '<option value="south" selected>' in page.read_text("utf-8")


@pytest.mark.long
def test_without_the_extra(home: Path):
    """Without the extra the report says in a sentence how to get it (exit code 2), and the demo says so and goes on."""

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *arguments], cwd=home, capture_output=True, text=True, check=False
        )

    refused, demo = ran("report"), ran("demo", "--returns", "20")
    assert (refused.returncode, demo.returncode) == (2, 0)
    for said in (refused.stderr, demo.stdout):
        assert "pip install 'loop-returns[report]'" in " ".join(said.split())
        assert "pip install -e '.[report]'" in " ".join(said.split())
    assert "The warehouse stays in loop_demo.duckdb" in demo.stdout
    assert not list(home.glob("*.html"))
