"""Whatever the clocks say and whatever happens while pages are read: the cursor follows the data, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from loop_returns.sandbox import Quirks, Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.sandbox import SeenRequest
    from tests.support.driving import Driver

HOUR = timedelta(hours=1)
LIST = "/warehouse/return/list"


@pytest.mark.long
def test_this_machine_is_an_hour_off(drive: Callable[..., Driver]):
    """A client's clock an hour off either way changes nothing: the server's `Date` header bounds what is read."""
    driver = drive(Shop.generate(seed=1, returns=20, days=5, now=NOW), settings={"lookback": timedelta(0)})
    for off in (HOUR, -HOUR):
        with time_machine.travel(driver.shop.now + off):
            run = driver.sync()
        assert run.synced_up_to == driver.shop.now
        assert run.cursor_after is not None
        assert run.cursor_after <= newest(driver)
        driver.assert_equal()
        driver.shop.change(3)
        driver.shop.add_returns(2)


def newest(driver: Driver) -> datetime:
    """The greatest `updated_at` of the shop, in whole seconds."""
    return max(datetime.fromisoformat(body["updated_at"]) for body in driver.shop.returns_snapshot()).replace(microsecond=0)


@pytest.mark.long
def test_the_date_is_hours_ahead_of_the_data(drive: Callable[..., Driver]):
    """A replica that lags behind its own clock costs nothing: the cursor is what was seen, not what the clock says."""
    driver = drive(
        Shop.generate(seed=1, returns=20, days=5, now=NOW),
        quirks=Quirks(date_ahead=6 * 3600),
        settings={"lookback": timedelta(0)},
    )
    for _ in range(2):
        run = driver.sync()
        driver.assert_equal()
        assert run.cursor_after == newest(driver)
        driver.shop.tick(3600)
        driver.shop.change(5)
        driver.shop.add_returns(1)
    driver.sync()
    driver.assert_equal()


def test_a_return_from_the_future(drive: Callable[..., Driver]):
    """One return that claims to have been updated in 2036 does not move the cursor there."""
    shop = Shop.generate(seed=1, returns=20, days=5, now=NOW)
    odd = shop.ids()[0]
    shop.body(odd)["updated_at"] = "2036-01-01T00:00:00.000Z"
    driver = drive(shop, settings={"lookback": timedelta(0)})
    run = driver.sync()
    assert run.cursor_after is not None
    assert run.cursor_after <= NOW
    shop.tick(60)
    shop.change(5)
    driver.sync()
    assert {line for line in driver.differences() if f"'{odd}'" not in line} == set()


@pytest.mark.parametrize("off", [-3600.0, pytest.param(3600.0, marks=pytest.mark.long)])
def test_the_server_is_an_hour_off(drive: Callable[..., Driver], off: float):
    """A server whose clock is an hour off stamps and tells the same clock, so nothing is lost."""
    shop = Shop(seed=2)
    driver = drive(shop, quirks=Quirks(clock_skew=off), settings={"lookback": timedelta(0)})
    for _ in range(2):
        shop.add_returns(5)
        shop.change(3)
        run = driver.sync()
        assert run.cursor_after is not None
        assert run.cursor_after <= shop.now
        driver.assert_equal()


@pytest.mark.parametrize(
    "off", [pytest.param(-HOUR, marks=pytest.mark.long), pytest.param(0 * HOUR, marks=pytest.mark.long), HOUR]
)
def test_no_date_header(drive: Callable[..., Driver], off: timedelta):
    """Without the header the cursor stays behind the server's time even if this machine is an hour ahead of it."""
    shop = Shop.generate(seed=3, returns=20, days=5, now=NOW)
    driver = drive(shop, quirks=Quirks(date_header=False), settings={"lookback": timedelta(0)})
    with time_machine.travel(shop.now + off):
        run = driver.sync()
    assert run.cursor_after is not None
    assert run.cursor_after <= shop.now
    shop.change(3)
    shop.add_returns(2)
    shop.tick(2 * 3600)
    with time_machine.travel(shop.now + off):
        driver.sync()
    driver.assert_equal()


@pytest.mark.parametrize(
    ("order", "paged_by"),
    [
        ("asc", "filter"),
        pytest.param("desc", "created_at", marks=pytest.mark.long),
        pytest.param("asc", "created_at", marks=pytest.mark.long),
        pytest.param("desc", "filter", marks=pytest.mark.long),
    ],
)
def test_returns_change_while_they_are_read(drive: Callable[..., Driver], order: str, paged_by: str):
    """What changes, moves between states or is submitted between two pages is there after one more sync."""
    shop = Shop.generate(seed=4, returns=30, days=20, now=NOW)
    quirks = Quirks(order=order, cursor_column=paged_by)  # type: ignore[arg-type]
    settings = {"lookback": timedelta(0), "page_size": 4, "window_days": 7, "start_date": NOW - timedelta(days=21)}
    driver = drive(shop, quirks=quirks, settings=settings)

    def live(request: SeenRequest) -> None:
        if request.path == LIST and request.params.get("pageSize") == "4":  # not when the run asks for the time
            shop.change(2)
            shop.add_returns(1)
            shop.remove_line_items(1)

    began = shop.now
    driver.sandbox.on_request = live
    run = driver.sync()
    assert run.synced_up_to == began, "what was read is what there was before the first page"
    assert run.cursor_after is not None
    assert run.cursor_after <= began
    driver.sandbox.on_request = None
    driver.sync()
    driver.assert_equal()


@pytest.mark.parametrize("inclusive", [False, pytest.param(True, marks=pytest.mark.long)])
def test_windows_end_on_a_returns_own_second(drive: Callable[..., Driver], inclusive: bool):
    """Returns stamped with the very second of a window's border arrive, whether the API's borders are inclusive or not."""
    start = NOW - timedelta(days=30)
    shop = Shop(seed=5, now=start)
    for days in (0, 10, 20, 30):
        for seconds in (-1, 0, 1):
            shop.now = start + timedelta(days=days, seconds=seconds - 1)
            shop.add_returns(2, same_second=True)
    driver = drive(
        shop,
        quirks=Quirks(from_inclusive=inclusive, to_inclusive=inclusive),
        settings={"start_date": start - timedelta(seconds=1), "window_days": 10},
    )
    shop.now = NOW + timedelta(seconds=1)
    driver.sync()
    driver.assert_equal()
    driver.backfill(start, NOW)
    driver.assert_equal()


def test_a_change_in_the_second_of_the_cursor(drive: Callable[..., Driver]):
    """A return that changes in the cursor's own second, after it was read, is read again by the next sync."""
    shop = Shop.generate(seed=6, returns=10, days=5, now=NOW)
    driver = drive(shop, settings={"lookback": timedelta(0)})
    cursor = driver.sync().cursor_after
    assert cursor is not None
    shop.now = cursor - timedelta(seconds=1)
    (changed,) = shop.change(1)
    shop.now = NOW
    assert shop.body(changed)["updated_at"] == f"{cursor:%Y-%m-%dT%H:%M:%S}.000Z"
    driver.sync()
    driver.assert_equal()
