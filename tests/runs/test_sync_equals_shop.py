"""A sync makes the warehouse what the shop is, from the documentation's own bodies to a shop of 3,000 returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.sandbox import Shop
from tests.support import SAMPLES
from tests.support.driving import NOW
from tests.support.mirror import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

TYPES = {
    "returns": {
        "id": "VARCHAR",
        "total": "DECIMAL(18,4)",
        "created_at": "TIMESTAMP WITH TIME ZONE",
        "multi_currency": "BOOLEAN",
        "destination_id": "VARCHAR",
        "label_rate": "DECIMAL(18,4)",
        "presentment": "JSON",
        "outcomes_processed_at_return_processed": "TIMESTAMP WITH TIME ZONE",
    },
    "return_line_items": {"line_item_id": "VARCHAR", "price": "DECIMAL(18,4)", "condition_images": "JSON"},
    "return_exchanges": {"exchange_id": "VARCHAR", "out_of_stock": "BOOLEAN"},
    "return_labels": {"label_index": "BIGINT", "rate": "DECIMAL(18,4)", "line_items": "JSON"},
    "return_refunds": {"refund_id": "VARCHAR", "provider_refund_id": "VARCHAR"},
    "advanced_shipping_notices": {"id": "VARCHAR", "closed_at": "TIMESTAMP WITH TIME ZONE"},
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


@pytest.fixture
def samples() -> Shop:
    bodies = [*sample("returns_list_page.json")["returns"], *sample("returns_list_array.json")]
    unique = {body["id"]: body for body in bodies}
    return Shop.from_samples(returns=list(unique.values()), asn=sample("asn.json"), now=NOW)


def test_samples(samples: Shop, drive: Callable[..., Driver]):
    """The bodies of the API's documentation, served over HTTP, land in all six tables, value by value."""
    driver = drive(samples, settings={"start_date": NOW.replace(year=2022), "asn_horizon_days": 1500})
    run = driver.sync()
    assert run.outcome == "done"
    driver.assert_equal()
    assert all(driver.count(table) for table in TABLES)
    check_types_and_keys(driver)


def check_types_and_keys(driver: Driver) -> None:
    """Columns have the types of the contract, every table has the shop's name, and keys are never null."""
    columns = driver.query("SELECT table_name, column_name, data_type FROM information_schema.columns")
    held = {(table, column): kind for table, column, kind in columns}
    for table, key in TABLES.items():
        assert {name: held[table, name] for name in TYPES[table]} == TYPES[table]
        assert held[table, "shop"] == "VARCHAR"
        assert driver.count(table, " OR ".join(f"{name} IS NULL" for name in ("shop", *key))) == 0
        assert not [name for of, name in held if of == table and "__" in name]


@pytest.mark.long
def test_a_shop_of_three_thousand(drive: Callable[..., Driver]):
    """3,000 returns are the same on both sides; again after 100 have changed, 30 are new and 10 have lost a line."""
    driver = drive(Shop.generate(seed=4, returns=3000, now=NOW))
    assert driver.sync().tally.new["returns"] == 3000
    driver.assert_equal()
    driver.shop.change(100)
    driver.shop.add_returns(30)
    driver.shop.remove_line_items(5)
    driver.shop.remove_line_items(5, all_of_it=True)
    run = driver.sync()
    assert run.tally.new["returns"] == 30
    assert 100 <= run.tally.changed["returns"] <= 110
    driver.assert_equal()
    assert not driver.sync().tally.changed


@pytest.mark.long
def test_nothing_new(drive: Callable[..., Driver]):
    """A sync that finds nothing new changes no row, and says so."""
    driver = drive(Shop.generate(seed=5, returns=40, now=NOW))
    driver.sync()
    loads = driver.query("SELECT DISTINCT _dlt_load_id FROM returns")
    run = driver.sync()
    assert not run.tally.new
    assert not run.tally.changed
    assert run.tally.unchanged >= 1
    assert driver.query("SELECT DISTINCT _dlt_load_id FROM returns") == loads
    driver.assert_equal()


def test_the_comparison_sees_everything(drive: Callable[..., Driver]):
    """A value that is off, a row too many, too few, twice or without a parent: all these tests rest on this."""
    driver = drive(Shop.generate(seed=6, returns=12, now=NOW))
    driver.sync()
    harm = {
        "UPDATE returns SET total = total + 0.0001 WHERE id = '40000001'": "returns ('40000001',).total",
        "UPDATE returns SET was_processed = NOT was_processed WHERE id = '40000002'": "returns ('40000002',).was_processed",
        "UPDATE returns SET updated_at = updated_at + INTERVAL 1 SECOND WHERE id = '40000003'": "('40000003',).updated_at",
        "UPDATE returns SET _deleted_at = now() WHERE id = '40000004'": "returns ('40000004',): marked as deleted",
        "INSERT INTO returns SELECT * FROM returns WHERE id = '40000005'": "returns ('40000005',): 2 times",
        "UPDATE return_line_items SET return_id = 'none' WHERE return_id = '40000006'": "orphaned",
        "DELETE FROM return_labels WHERE return_id = '40000007'": "return_labels ('40000007', 0): lost",
        "UPDATE advanced_shipping_notices SET id = 'other' WHERE id = '40000008'": "stale, the shop has no such row",
    }
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute("USE loop_returns")
        for statement in harm:
            connection.execute(statement)
    found = "\n".join(driver.differences())
    assert [told for told in harm.values() if told not in found] == []
