"""A text that some database cannot hold lands in all of them, the same, and is no difference afterwards."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.mirror import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

WIRE = rb"a\u0000b\ud800'\\%s{}\u0001\u2028"  # with what a statement could take for its own
SEEN = "a\u2400b\ufffd'\\%s{}\x01\u2028"
SETTINGS = {"start_date": NOW - timedelta(days=61)}
IDS = re.compile(rb'"(id|return_line_item_id|line_item_id)":"?(\d+)"?')


@pytest.fixture(params=["duckdb", "postgres"])
def driver(request: pytest.FixtureRequest, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A shop with such texts in every kind of place, mirrored into either database."""
    shop = Shop.generate(seed=4, returns=12, days=60, now=NOW)
    with shop.lock:
        shop._edit_all(shop.ids(), lambda ret, _: spoil(ret.body))
    shop.add_field("odd^notice", "^", where="asn")
    for notice in shop.store._notices.values():
        notice.encoded = [on_the_wire(row) for row in notice.rows()]
    for number, entry in shop.store._entries.items():
        shop.store._entries[number] = replace(entry, raw=on_the_wire(entry.raw))
    shop.store._order.clear()
    if request.param == "duckdb":
        return drive(shop, settings=SETTINGS)
    address = request.getfixturevalue("postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    return drive(shop, address=address, dataset=f"unstorable_{os.urandom(4).hex()}", settings=SETTINGS)


def spoil(body: dict[str, Any]) -> None:
    """Marks what is to be such a text: texts, JSON, names of fields, and where a number or a time is expected."""
    body |= {"customer": "^", "odd^name": "^", "odd_object": {"^": ["^", 1e308]}, "presentment": {"^": {"^": "^"}}}
    body |= {"total": "^", "edited_at": {"date": "^"}}
    for line in body["line_items"]:
        line |= {"title": "^", "odd^": "^"}
    for label in body["labels"]:
        label["line_items"] = ["^", {"^": "\\u0000"}]


def on_the_wire(row: bytes) -> bytes:
    """The row with the marks replaced, and with such a text in its ids."""
    return IDS.sub(rb'"\1":"\2^"', row).replace(b"^", WIRE)


def test_it_lands_everywhere(driver: Driver):
    """NUL and half a surrogate pair, in ids, texts, JSON, undeclared names and unreadable values, land visibly."""
    assert driver.sync().outcome == "done"
    rows = driver.rows("returns")
    assert len(rows) == 12
    assert driver.count("return_labels")
    for row in rows:
        assert row["id"].endswith(SEEN)
        assert row["customer"] == SEEN
        assert undeclared(row) == SEEN
        assert json_of(row["presentment"]) == {SEEN: {SEEN: SEEN}}
        assert json_of(row["_unparsed"]) == {"total": SEEN, "edited_at": {"date": SEEN}}
    lines, notices = driver.rows("return_line_items"), driver.rows("advanced_shipping_notices")
    assert {(row["title"], row["line_item_id"].endswith(SEEN)) for row in lines} == {(SEEN, True)}
    assert len(lines) == len(notices)
    assert {(undeclared(row), row["return_line_item_id"].endswith(SEEN)) for row in notices} == {(SEEN, True)}


def undeclared(row: dict[str, Any]) -> Any:
    """The value of the field whose name held such a text."""
    (value,) = (value for name, value in row.items() if name.startswith("odda"))
    return value


def json_of(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.long
@pytest.mark.parametrize("driver", ["postgres", "duckdb"], indirect=True)
def test_it_is_no_difference_afterwards(driver: Driver):
    """The next sync and a backfill find nothing new, and a reconcile no drift."""
    driver.sync()
    before = {name: driver.count(name) for name in TABLES}
    for run in (driver.sync(), driver.backfill(SETTINGS["start_date"], NOW), driver.reconcile()):
        assert (run.outcome, run.drift, run.tally.new, run.tally.changed) == ("done", {}, {}, {})
    assert {name: driver.count(name) for name in TABLES} == before
