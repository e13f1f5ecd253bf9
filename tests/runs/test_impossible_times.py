"""A time that nothing can calculate with stops no run, neither while it is in the shop nor once the warehouse has it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.runs.status import status
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import arrow_schema
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.load import Warehouse
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

ZERO, END, BC = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0044-03-15 (BC) 00:00:00+00"
START = NOW - timedelta(days=61)


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def driver(request: pytest.FixtureRequest, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A shop mirrored into a DuckDB file, or into a PostgreSQL whose sessions are far east of UTC."""
    shop = Shop.generate(seed=4, returns=12, days=60, now=NOW)
    if request.param == "duckdb":
        return drive(shop, settings={"start_date": START})
    address = request.getfixturevalue("postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    return drive(shop, address=address, dataset=f"impossible_{os.urandom(4).hex()}", settings={"start_date": START})


def edit(shop: Shop, number: str, **fields: Any) -> None:
    """Changes fields of a return."""
    with shop.lock:
        shop._edit_all([number], lambda ret, _: ret.body.update(fields))


def labelled(shop: Shop) -> str:
    """A return with a label."""
    return next(number for number in shop.ids() if shop.body(number)["labels"])


@pytest.mark.long
def test_it_stops_no_run(driver: Driver):
    """A label in year 1, a return created in year 9999: every run goes through, and takes the mended values."""
    shop = driver.shop
    one, other = labelled(shop), shop.ids()[0]
    good, labels = shop.body(other)["created_at"], shop.body(one)["labels"]
    edit(shop, one, labels=[{**labels[0], "updated_at": ZERO}, *labels[1:]])
    edit(shop, other, created_at=END)
    for _ in range(2):
        assert driver.sync().outcome == "done"
        assert driver.backfill(START, NOW).outcome == "done"
    assert driver.query(f"SELECT created_at, _unparsed IS NULL FROM returns WHERE id = '{other}'") == [(None, False)]
    edit(shop, one, labels=labels)
    edit(shop, other, created_at=good)
    assert driver.sync().outcome == "done"
    driver.assert_equal()


def remember(driver: Driver, **state: Any) -> None:
    """Gives the shop's state to the warehouse, as an older version may have left it."""
    with Warehouse(driver.options().target()) as warehouse:
        warehouse.restore()
        before = warehouse.state("default")
        warehouse.load_tables({RUNS.name: arrow_schema(RUNS.name).empty_table()}, shop="default", state=before | state)


def run_sql(driver: Driver, *statements: str) -> None:
    """Changes the warehouse, as an older version may have left it."""
    with Warehouse(driver.options().target()) as warehouse:
        warehouse.restore()
        with warehouse.reader() as reader:
            for statement in statements:
                reader.execute(statement.format(**{name: reader.name(name) for name in ("returns", "return_labels")}))


@pytest.mark.long
@pytest.mark.parametrize(
    ("driver", "stored"),
    [
        ("duckdb", BC),
        ("duckdb", END),
        ("postgres", BC),
        ("postgres", ZERO),
        ("postgres", "20000-01-01"),
    ],
    indirect=["driver"],
)
def test_a_warehouse_that_holds_one_goes_on(driver: Driver, stored: str):
    """What an older version loaded and remembered is read back without an error, and a mended value takes its place."""
    shop = driver.shop
    one = labelled(shop)
    driver.sync()
    if driver.address is not None:
        stored = stored.replace(" (BC) 00:00:00+00", " 00:00:00+00 BC")
    run_sql(
        driver,
        f"UPDATE {{returns}} SET updated_at = '{stored}', created_at = '{stored}' WHERE id = '{one}'",
        f"UPDATE {{returns}} SET label_updated_at = '{stored}' WHERE id = '{one}'",
        f"UPDATE {{return_labels}} SET updated_at = '{stored}' WHERE return_id = '{one}'",
    )
    days = ["0001-01-01/0001-01-01", "2026-10-01/2026-10-02", "9999-12-31/9999-12-31"]
    remember(driver, asn_days=days, asn_read="9999-12-31")
    assert driver.backfill(START, NOW).outcome == "done"
    assert status(driver.resolved(), driver.options()).tables
    edit(shop, one, state="closed")
    shop.tick(60)
    assert driver.sync().outcome == "done"
    driver.assert_equal()
    run_sql(driver, f"UPDATE {{returns}} SET updated_at = '{stored}', edited_at = '{stored}' WHERE id = '{one}'")
    assert driver.reconcile().drift["returns"]["changed"] == 1
    driver.assert_equal()


@pytest.mark.parametrize(
    "cursor", ["9999-12-31T23:59:59+00:00", pytest.param("0001-01-01T00:00:00+00:00", marks=pytest.mark.long)]
)
def test_a_cursor_that_nothing_can_calculate_with(drive: Callable[..., Driver], cursor: str):
    """A cursor out of bounds says nothing: everything is read again."""
    driver = drive(Shop.generate(seed=4, returns=12, days=60, now=NOW), settings={"start_date": START})
    driver.sync()
    driver.shop.tick(86_400 * 3)
    driver.shop.change(5)
    remember(driver, cursor=cursor)
    run = driver.sync()
    assert (run.outcome, run.cursor_before) == ("done", None)
    driver.assert_equal()


def test_a_time_from_the_future_is_mended(drive: Callable[..., Driver]):
    """A return that claimed to have been updated in 2036 is mended like any other, though its time goes back."""
    driver = drive(Shop.generate(seed=4, returns=12, days=60, now=NOW), settings={"start_date": START})
    shop, odd = driver.shop, driver.shop.ids()[0]
    with shop.lock:
        shop._edit_all([odd], lambda ret, _: ret.body.update(updated_at="2036-01-01T00:00:00.000Z"), silent=True)
    driver.backfill(START, NOW)
    assert driver.count("returns", "updated_at > '2030-01-01'") == 1
    edit(shop, odd, state="closed")
    driver.sync()
    driver.assert_equal()
