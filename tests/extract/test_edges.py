"""Rows that share the second of a page's edge all arrive, however the server pages, and at no needless cost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from loop_returns.api.windows import split
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.scheduler import Answered
from loop_returns.extract.tasks import is_recheck, list_tasks
from loop_returns.sandbox import Quirks, Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

Column = Literal["created_at", "updated_at"]
ORDERS = ("asc", "desc")
CURSORS = ("timestamp", "tiebreaker", "opaque")
BORDERS = (True, False)


def tied(*groups: int, seed: int = 1) -> Shop:
    """A shop whose returns were submitted in groups that share a second each, and were all changed in one second later."""
    shop = Shop(seed=seed, now=NOW)
    for size in groups:
        shop.add_returns(size, same_second=True)
    shop.tick(3600)
    shop.bulk_change(len(shop))
    shop.tick(3600)
    return shop


def walked(driver: Driver, column: Column, **settings: Any) -> tuple[list[str], int]:
    """Ids in the order of arrival, of a whole walk by that column, and how many seconds were read again."""
    ids: list[str] = []
    checks = 0
    with ApiReader(driver.resolved(**settings), driver.folder / "pages") as reader:
        windows = split(NOW - timedelta(days=1), driver.shop.now, width=timedelta(hours=13))
        for event in reader.read(list_tasks(windows, column=column)):
            if isinstance(event, Answered):
                checks += is_recheck(event.task)
                if event.page.tables:
                    ids += event.page.tables["returns"].column("id").to_pylist()
    return ids, checks


@pytest.mark.parametrize("column", ["created_at", "updated_at"])
@pytest.mark.parametrize("paged_by", ["filter", "created_at"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cursor", CURSORS)
def test_every_way_of_paging(drive: Callable[..., Driver], cursor: str, order: str, paged_by: str, column: Column):
    """Ties of every size around the page's arrive at page sizes 1, 3 and 10, with borders inclusive or not."""
    shop = tied(1, 9, 10, 11, 2, 1)
    driver = drive(shop)
    for inclusive in BORDERS:
        for size in (1, 3, 10):
            driver.quirk(cursor=cursor, order=order, cursor_column=paged_by)
            driver.quirk(from_inclusive=inclusive, to_inclusive=inclusive)
            ids, checks = walked(driver, column, page_size=size)
            assert set(ids) == set(shop.ids()), f"pages of {size}, inclusive borders: {inclusive}"
            assert cursor != "tiebreaker" or checks == 0


@pytest.fixture(scope="module")
def nightly() -> Shop:
    """5,000 returns that a nightly job stamped with one second; half of them were submitted in one second as well."""
    return tied(2500, *[25] * 100)


@pytest.mark.parametrize("size", [100, 750])
@pytest.mark.parametrize("column", ["created_at", "updated_at"])
@pytest.mark.parametrize(
    "paging",
    [
        {"order": "desc", "cursor": "timestamp", "cursor_column": "filter"},
        pytest.param({"order": "asc", "cursor": "opaque", "cursor_column": "created_at"}, marks=pytest.mark.long),
    ],
)
def test_a_nightly_job(nightly: Shop, drive: Callable[..., Driver], paging: dict[str, Any], column: Column, size: int):
    """Of 5,000 returns stamped with one second none is lost, by either filter, and the run can tell what that took."""
    driver = drive(nightly, quirks=Quirks(gzip=False, **paging))
    ids, checks = walked(driver, column, page_size=size)
    assert set(ids) == set(nightly.ids())
    assert 0 < checks <= len(driver.sandbox.requests) / 2


def test_a_nightly_job_with_a_tiebreaker(nightly: Shop, drive: Callable[..., Driver]):
    """A cursor with a tiebreaker loses nothing, so no second is read again and no row is read twice."""
    driver = drive(nightly, quirks=Quirks(cursor="tiebreaker", cursor_column="filter", gzip=False))
    ids, checks = walked(driver, "updated_at", page_size=750)
    assert sorted(ids) == sorted(nightly.ids())
    assert checks == 0


@pytest.mark.long
def test_sync_and_backfill(drive: Callable[..., Driver]):
    """A sync after the nightly job, and a backfill, land every return, and say how many seconds they read again."""
    shop = tied(40, 41, 2)
    driver = drive(shop, settings={"page_size": 20})
    run = driver.sync()
    assert run.edge_checks > 0
    driver.assert_equal()
    shop.bulk_change(83)
    assert driver.sync().edge_checks > 0
    driver.assert_equal()
    run = driver.backfill(NOW - timedelta(days=2), shop.now)
    assert run.edge_checks > 0
    driver.assert_equal()
    recorded = driver.query("SELECT edge_checks FROM _loop_sync_runs WHERE command = 'backfill'")
    assert recorded == [(run.edge_checks,)]


def test_a_server_that_goes_in_circles(drive: Callable[..., Driver]):
    """A next link that repeats its cursor ends in smaller windows, not in an endless walk, and loses nothing."""
    shop = tied(3, 5, 4, 1)
    driver = drive(shop, quirks=Quirks(stuck_cursor=True))
    for column in ("created_at", "updated_at"):
        ids, _ = walked(driver, column, page_size=2)  # type: ignore[arg-type]
        assert set(ids) == set(shop.ids())


def test_the_key_stays_with_its_host(drive: Callable[..., Driver]):
    """Of the next link only the cursor is used: a link to another host changes nothing."""
    shop = tied(5, 5)
    driver = drive(shop, quirks=Quirks(link_host="foreign"))
    ids, _ = walked(driver, "created_at", page_size=3)
    assert set(ids) == set(shop.ids())
