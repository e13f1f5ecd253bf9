"""The marts count and date the same under every policy on personal data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns import marts
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.golden_shop import at, line, notice, ret
from tests.support.warehouses import duckdb_pipeline, load, postgres_pipeline, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver

KEY = "0123456789abcdef0123456789abcdef"
PERSONAL = {"customer", "customer_key", "tracking_number", "comment_text"}
BY_SHOPPER = {"rpt_customer_returns", "dim_customers"}  # has no rows without shoppers
RUNS = {"rpt_sync_freshness", "rpt_sync_resources"}  # tell when a run was
COMMENTS = "comments"  # how many units have one: nobody knows without them


@pytest.fixture
def shop() -> Shop:
    made = Shop.generate(seed=11, returns=40, days=90, now=NOW)
    made.live(30)
    return made


@pytest.mark.long
def test_same_under_every_policy(drive: Callable[..., Driver], shop: Shop, tmp_path: Path):
    """Every mart has the same rows as with everything kept, but for what is personal; shipments have dates."""
    settings = {"marts": "views", "pii_key": KEY, "extra_resources": "return_notes,return_details"}
    kept = drive(shop, settings=settings, others=True)
    kept.sync()
    assert kept.count("fct_return_shipments", "delivered_at IS NOT NULL AND service IS NOT NULL") > 0
    shipments_are_those_of_their_tracking_numbers(kept)
    for policy in ("hash", "drop"):
        (tmp_path / policy).mkdir()
        other = drive(shop, settings=settings, others=True, folder=tmp_path / policy)
        other.sync(pii=policy)
        for mart in marts.all_marts():
            if mart.name in RUNS or (mart.name in BY_SHOPPER and policy == "drop"):
                continue
            hidden = PERSONAL | ({COMMENTS} if policy == "drop" else set())
            columns = ", ".join(name for name in mart.columns if name not in hidden)
            sql = f"SELECT {columns} FROM {mart.name}"
            assert sorted(other.query(sql), key=str) == sorted(kept.query(sql), key=str), (policy, mart.name)


def shipments_are_those_of_their_tracking_numbers(driver: Driver) -> None:
    """Where tracking numbers are kept, each label has the delivery that the notices with its number tell."""
    by_number = driver.query(
        "SELECT b.return_id, b.label_index, min(n.date_delivered) FROM return_labels b"
        " JOIN return_line_items l USING (return_id) JOIN advanced_shipping_notices n"
        " ON n.return_line_item_id = l.line_item_id AND n.tracking_number = b.tracking_number"
        " WHERE n._deleted_at IS NULL GROUP BY ALL HAVING min(n.date_delivered) IS NOT NULL"
    )
    told = {
        (one, index): at
        for one, index, at in driver.query("SELECT return_id, label_index, delivered_at FROM fct_return_shipments")
    }
    assert len(by_number) > 10
    assert [row for row in by_number if told[row[:2]] != row[2]] == []


LABELS = [  # a second label for the same units, then a parcel each, then labels that do not say what they are for
    {"return_id": "A", "label_index": 0, "status": "delivered", "updated_at": at("01-05 10:00"), "line_items": "[1, 12]"},
    {
        "return_id": "A",
        "label_index": 1,
        "status": "pre_transit",
        "updated_at": at("01-06 10:00"),
        "line_items": '["1","12"]',
    },
    {"return_id": "B", "label_index": 0, "status": "in_transit", "updated_at": at("01-07 10:00"), "line_items": "[2]"},
    {"return_id": "B", "label_index": 1, "status": "in_transit", "updated_at": at("01-07 10:00"), "line_items": "[ 3 ]"},
    {"return_id": "C", "label_index": 0, "status": "new", "updated_at": at("01-02 10:00")},
    {"return_id": "C", "label_index": 1, "status": "in_transit", "updated_at": at("01-08 10:00")},
]
NOTICES = [
    notice(
        "1", "01-01 00:00", number="N1", label_updated_at=at("01-05 10:00"), date_delivered=at("01-05 09:00"), service="Air"
    ),
    notice(
        "12", "01-01 00:00", number="N1", label_updated_at=at("01-05 10:00"), date_delivered=at("01-05 09:00"), service="Air"
    ),
    notice(
        "2", "01-01 00:00", number="N2", label_updated_at=at("01-07 11:00"), date_delivered=at("01-07 11:00"), service="Sea"
    ),
    notice("3", "01-01 00:00", number="N2", label_updated_at=at("01-07 12:00"), service="Road"),
    notice("4", "01-01 00:00", number="N3", date_delivered=at("01-09 00:00"), service="Rail"),
    notice("4", "01-01 00:00", number="N4", date_delivered=at("01-03 00:00"), _deleted_at=at("01-04 00:00")),
]
SHIPMENTS = [
    ("A", 0, 2, "Air", at("01-05 09:00")),
    ("A", 1, 2, None, None),
    ("B", 0, 1, "Sea", at("01-07 11:00")),
    ("B", 1, 1, "Road", None),
    ("C", 0, None, None, None),
    ("C", 1, None, "Rail", at("01-09 00:00")),
]


@pytest.mark.parametrize("kind", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def test_which_label_a_notice_is_about(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    """A notice belongs to the label of its unit whose last scan it tells, else to the one that was scanned last."""
    pipeline = duckdb_pipeline(tmp_path)
    if kind == "postgres":
        pipeline = postgres_pipeline(request.getfixturevalue("postgres"), tmp_path, dataset="shipments")
    returns = [ret(one, "closed", "refund", "01-01 00:00", return_total="1") for one in "ABC"]
    units = [("1", "A"), ("12", "A"), ("2", "B"), ("3", "B"), ("4", "C")]
    lines = [line(one, of, "P", "V", "1") for one, of in units]
    labels = [{"shop": "north", **label} for label in LABELS]
    tables = {"returns": returns, "return_line_items": lines, "return_labels": labels, "advanced_shipping_notices": NOTICES}
    load(pipeline, tables)
    marts.refresh(pipeline)
    found = select(pipeline, "SELECT return_id, label_index, units, service, delivered_at FROM fct_return_shipments")
    assert sorted(found, key=lambda row: row[:2]) == SHIPMENTS
