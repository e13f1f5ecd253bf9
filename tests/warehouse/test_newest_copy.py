"""However often and in whatever order a return is read, its newest copy stays, with that copy's own children."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_returns.sandbox import Shop
from loop_returns.tables.shape import Shaper
from loop_returns.warehouse.deduplicate import KNOWN, newest_returns
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox import SeenRequest
    from tests.support.driving import Driver

MINUTE = timedelta(minutes=1)
copies = st.tuples(st.sampled_from("AB"), st.integers(0, 4), st.integers(0, 3))  # return, minute of the change, lines


def body(number: str, minute: int, lines: int, *, mark: int) -> dict[str, Any]:
    """A copy of a return that changed in that minute; `mark` tells it from all others."""
    return {
        "id": number,
        "state": "open",
        "updated_at": f"{NOW + minute * MINUTE:%Y-%m-%d %H:%M:%S}",
        "order_name": f"copy {mark}",
        "line_items": [{"line_item_id": f"{number}{place}", "title": f"copy {mark}"} for place in range(lines)],
    }


@settings(max_examples=40)
@given(
    st.lists(st.lists(copies, max_size=4), min_size=1, max_size=4), st.dictionaries(st.sampled_from("AB"), st.integers(0, 4))
)
def test_newest_copy_with_its_own_lines(pages: list[list[tuple[str, int, int]]], held: dict[str, int]):
    """Of all copies in a load the newest lands, of equally new ones the one read last, and none older than what is held."""
    shaper, read = Shaper("default"), []
    shaped = []
    for place, page in enumerate(pages):
        bodies = [body(*copy, mark=10 * place + row) for row, copy in enumerate(page)]
        read += [(copy[0], copy[1], 10 * place + row, copy[2]) for row, copy in enumerate(page)]
        shaped.append(shaper.returns(bodies, first_copy=10 * place))
    known = pa.Table.from_pylist(
        [
            {"id": one, "updated_at": NOW + minute * MINUTE, "state": "open", "row_hash": "another", "outdated": False}
            for one, minute in held.items()
        ],
        schema=KNOWN["returns"],
    )
    with duckdb.connect() as db:
        chunk = newest_returns(db, shaped, known, shop="default", observed_at=NOW)
    settled = {name: chunk.table(name) for name in chunk.rows}
    wanted = {}
    for number, minute, mark, lines in sorted(read, key=lambda copy: (copy[1], copy[2])):
        if minute >= held.get(number, 0):
            wanted[number] = (mark, lines)
    rows = settled["returns"].select(["id", "order_name"]).to_pylist() if "returns" in settled else []
    assert {row["id"]: row["order_name"] for row in rows} == {one: f"copy {mark}" for one, (mark, _) in wanted.items()}
    assert len(rows) == len(wanted)
    lines_of: dict[str, list[str]] = {one: [] for one in wanted}
    for row in settled["return_line_items"].to_pylist() if "return_line_items" in settled else []:
        if not row["_removed"]:
            lines_of[row["return_id"]].append(row["title"])
        else:
            assert row["return_id"] in held, "only what is held has to be removed"
    assert lines_of == {one: [f"copy {mark}"] * lines for one, (mark, lines) in wanted.items()}


def test_twice_in_one_load(drive: Callable[..., Driver]):
    """A return that two overlapping windows both show, and that changed in between, is its newer copy only."""
    border = NOW - timedelta(days=2)
    shop = Shop(seed=1, now=border - timedelta(seconds=1))
    shop.add_returns(3, same_second=True)
    shop.now = NOW
    driver = drive(shop, settings={"start_date": NOW - timedelta(days=4), "window_days": 2, "max_concurrency": 1})

    lists = []

    def live(request: SeenRequest) -> None:
        if request.params.get("state") == "cancelled" and not lists:  # the first window's open ones have been read
            shop.remove_line_items(3, silent=True)
            lists.append(request)

    driver.sandbox.on_request = live
    run = driver.sync()
    assert lists
    assert run.tally.new["returns"] == 3
    driver.assert_equal()


def test_an_older_copy_never_wins(drive: Callable[..., Driver]):
    """A server that still shows an older state of a return does not undo what a newer answer said."""
    shop = Shop.generate(seed=2, returns=12, days=20, now=NOW)
    driver = drive(shop)
    yesterday = Shop.from_samples(returns=shop.returns_snapshot(), asn=shop.asn_snapshot(), now=NOW)
    changed = {*shop.change(5), *shop.remove_line_items(3, all_of_it=True)}
    driver.sync()
    behind = drive(yesterday)
    run = behind.backfill(NOW - timedelta(days=30), NOW, only="returns")
    assert run.tally.older == len(changed)
    assert not any(run.tally.changed.values())
    driver.assert_equal()


@pytest.mark.long
def test_a_backfill_after_newer_syncs(drive: Callable[..., Driver]):
    """A backfill of an old range after newer syncs leaves what they loaded, and brings what they could not see."""
    shop = Shop.generate(seed=3, returns=25, days=60, now=NOW)
    driver = drive(shop, settings={"start_date": NOW - timedelta(days=3)})
    cursor = driver.sync().cursor_after
    shop.change(6)
    driver.backfill(NOW - timedelta(days=61), shop.now, newest_first=True)
    driver.assert_equal()
    assert driver.sync().cursor_before == cursor
    driver.assert_equal()
