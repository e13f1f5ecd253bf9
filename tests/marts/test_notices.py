"""A shipping notice belongs to one return, whatever its id stands for and wherever else its unit was returned before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.golden_shop import at, line, notice, ret
from tests.support.warehouses import (
    duckdb_pipeline,
    load,
    postgres,  # noqa: F401 - a fixture
    postgres_pipeline,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver

ORDERS = {"10": "O1", "11": "O2", "12": "O3", "13": "O3", "14": None}  # return -> its order, in both shops
LINES = [("A", "10"), ("A", "11"), ("B", "12"), ("B", "13"), ("C", "14"), ("D", "10")]
NOTICES: dict[str, list[tuple[str, str, str | None, str, str | None]]] = {  # id, unit, order, submitted, its return
    "by return": [
        ("10", "A", "O1", "01-10 00:00", "10"),
        ("10", "D", "O1", "01-10 00:00", "10"),
        ("11", "A", "O2", "01-11 00:00", "11"),
        ("12", "B", "O3", "01-12 00:00", "12"),
        ("13", "B", "O3", "01-13 00:00", "13"),
        ("99", "B", "O3", "01-09 00:00", "99"),  # of a return that the warehouse does not have
    ],
    "by row": [
        ("11", "A", "O1", "01-10 00:00", "10"),  # the id is by chance that of another return
        ("10", "A", "O2", "01-11 00:00", "11"),
        ("12", "B", "O3", "01-12 00:00", "12"),  # of one order: the return that was there already, and not the later one
        ("14", "B", "O3", "01-13 00:00", "13"),
        ("15", "C", "O9", "01-14 00:00", "14"),  # nothing is known of the return's order
        ("16", "D", None, "01-10 00:00", "10"),
        ("17", "D", "O2", "01-10 00:00", None),  # the unit is on no return of that order
    ],
}


def shops() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {"returns": [], "return_line_items": [], "advanced_shipping_notices": []}
    for shop, notices in NOTICES.items():
        for one, order in ORDERS.items():
            tables["returns"].append(ret(one, "closed", "refund", f"01-{one} 00:00", shop=shop, order_id=order))
        tables["return_line_items"] += [line(unit, of, "P", "V", "1", shop=shop) for unit, of in LINES]
        for number, unit, order, submitted, _ in notices:
            times = {"created_at": at(submitted), "date_delivered": at(submitted), "updated_at": at(submitted)}
            tables["advanced_shipping_notices"].append(
                notice(unit, "01-01 00:00", shop=shop, number=number, order_id=order, **times)
            )
    return tables


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_which_return_a_notice_is_about(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    """The id tells where it is that of the return in the shop's own rows; elsewhere the unit and its order do."""
    pipeline = duckdb_pipeline(tmp_path)
    if kind == "postgres":
        pipeline = postgres_pipeline(request.getfixturevalue("postgres"), tmp_path, dataset="notices")
    load(pipeline, shops())
    marts.refresh(pipeline)
    found = select(pipeline, "SELECT shop, notice_id, line_item_id, return_id, is_newest FROM fct_return_notices")
    expected = [(shop, number, unit, of) for shop, rows in NOTICES.items() for number, unit, _, _, of in rows if of]
    assert sorted(row[:4] for row in found) == sorted(expected)
    assert all(row[4] for row in found)
    days = select(pipeline, "SELECT shop, return_id, days_to_deliver FROM fct_returns WHERE days_to_deliver <> 0")
    assert days == []


@pytest.mark.long
def test_both_kinds_of_ids(drive: Callable[..., Driver], tmp_path: Path):
    """A shop whose notices have ids of their own has the same marts, also where units are submitted again."""
    drivers = []
    for kind in ("return", "row"):
        shop = Shop.generate(seed=8, returns=80, days=90, now=NOW, notice_ids=kind)
        shop.submit_again(8)
        shop.change_label(60)
        folder = tmp_path / kind
        folder.mkdir()
        drivers.append(drive(shop, settings={"marts": "views"}, folder=folder))
        drivers[-1].sync()
        drivers[-1].assert_equal()
    own, others = drivers
    again = "SELECT count(*) FROM return_line_items GROUP BY line_item_id HAVING count(*) > 1"
    assert len(own.query(again)) > 8
    assert own.count("fct_return_notices") == others.count("fct_return_notices") == own.count("advanced_shipping_notices")
    for mart in marts.all_marts():
        columns = ", ".join(set(mart.columns) - {"notice_id", "notice_key", "mismatch_key"})
        if mart.name not in {"rpt_sync_freshness", "rpt_sync_resources"}:  # which tell when the runs were
            sql = f"SELECT {columns} FROM {mart.name}"
            assert sorted(others.query(sql), key=str) == sorted(own.query(sql), key=str), mart.name
