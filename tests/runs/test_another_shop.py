"""A key of another shop under the same name loads nothing and marks nothing, whichever command has it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.errors import ConfigurationError
from loop_returns.runs.check import check, worst
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.mirror import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

ASN = "advanced_shipping_notices"
DETAILS = "/warehouse/return/details"
RUNS = {
    "sync": lambda driver: driver.sync(),
    "sync of notices": lambda driver: driver.sync(only=ASN),
    "sync that may delete": lambda driver: driver.sync(allow_deletions=True),
    "backfill": lambda driver: driver.backfill(NOW - timedelta(days=60), driver.shop.now),
    "reconcile": lambda driver: driver.reconcile(),
    "dry reconcile": lambda driver: driver.reconcile(dry_run=True),
}


def contents(driver: Driver) -> dict[str, list[dict[str, object]]]:
    return {table: driver.rows(table) for table in TABLES}


def asked(driver: Driver) -> int:
    """How often Loop was asked for one return since the log was cleared."""
    return sum(one.path == DETAILS for one in driver.sandbox.requests)


@pytest.mark.long
@pytest.mark.parametrize("same_ids", [True, False])
def test_nothing_is_loaded_or_marked(drive: Callable[..., Driver], same_ids: bool):
    """Every run is refused with exit code 2 before it loads anything, also where both shops use the same ids."""
    driver = drive(Shop.generate(seed=1, returns=40, days=50, now=NOW))
    driver.sync()
    before = contents(driver)
    other = Shop.generate(seed=2, returns=60, days=50, now=NOW)
    if not same_ids:
        for number in set(driver.shop.ids()) & set(other.ids()):
            other.store.remove(number)
    driver.shop = driver.sandbox.shop = other
    for name, work in RUNS.items():
        with pytest.raises(ConfigurationError, match="another shop") as refused:
            work(driver)
        assert refused.value.exit_code == 2
        assert "setting `shop`" in str(refused.value)
        assert contents(driver) == before, name


def test_check_says_so(drive: Callable[..., Driver]):
    """`check` ends with 2 and names the cause; with the right key all is well, for one request more."""
    driver = drive(Shop.generate(seed=1, returns=20, days=50, now=NOW))
    driver.sync()
    driver.sandbox.clear_log()
    assert worst(check(driver.resolved(), driver.options())) == 0
    assert len(driver.sandbox.requests) == 9  # one for each endpoint, and this one
    driver.sandbox.shop = Shop.generate(seed=2, returns=60, days=50, now=NOW)
    findings = check(driver.resolved(), driver.options())
    assert worst(findings) == 2
    assert [one.subject for one in findings if "another shop" in one.message] == ["warehouse"]


@pytest.mark.long
def test_one_request_is_enough(drive: Callable[..., Driver]):
    """A first sync has nothing to ask; later ones ask for one return, and for a few more where that one is gone."""
    shop = Shop.generate(seed=1, returns=30, days=50, now=NOW)
    driver = drive(shop)
    driver.sync()
    assert asked(driver) == 0
    driver.sandbox.clear_log()
    driver.sync()
    assert asked(driver) == 1
    newest = sorted(shop.ids(), key=lambda number: shop.body(number)["created_at"])[-2:]
    for number in newest:
        shop.store.remove(number)
    driver.sandbox.clear_log()
    driver.sync()
    assert asked(driver) == 2, "the newest is gone, the oldest is not"


@pytest.mark.parametrize("trouble", ["denied", "blank"])
def test_an_answer_that_tells_nothing(drive: Callable[..., Driver], trouble: str):
    """A run goes on where Loop won't say whether it has the return: that proves nothing."""
    driver = drive(Shop.generate(seed=1, returns=20, days=50, now=NOW))
    driver.sync()
    driver.shop.change(3)
    driver.quirk(**{trouble: frozenset({DETAILS})})
    assert driver.sync().outcome == "done"
    driver.assert_equal()


@pytest.mark.long
def test_all_returns_were_deleted(drive: Callable[..., Driver]):
    """Where a small shop really deleted all its returns, the command that the message names is the way on."""
    shop = Shop.generate(seed=3, returns=4, days=50, now=NOW)
    driver = drive(shop)
    driver.sync()
    shop.delete_returns(4)
    shop.add_returns(2)
    with pytest.raises(ConfigurationError, match="reconcile --days 4000 --allow-deletions"):
        driver.sync()
    assert driver.reconcile(4000, allow_deletions=True).drift["returns"]["deleted"] == 4
    assert driver.sync().outcome == "done"
    driver.assert_equal()
