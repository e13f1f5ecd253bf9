"""The days of a shop begin where its setting `timezone` says, in every mart and both databases; the moments stay UTC."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from loop_returns import marts
from loop_returns.sandbox import Shop
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.driving import Driver

SYDNEY, NEW_YORK = "Australia/Sydney", "America/New_York"


@pytest.fixture(params=["duckdb", "postgres"])
def driver(request: pytest.FixtureRequest, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Shops in one warehouse, whose marts are views."""
    address = None
    if request.param == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    shop = Shop.generate(seed=12, returns=80, days=60, now=NOW)
    return drive(shop, settings={"marts": "views"}, address=address, dataset=request.node.originalname)


def by_day(times: list[tuple[datetime]], zone: str) -> Counter[str]:
    """How many of the times lie on each day of the zone."""
    return Counter(str(time.astimezone(ZoneInfo(zone)).date()) for (time,) in times if time is not None)


def reported(driver: Driver, shop: str, basis: str) -> dict[str, int]:
    """Returns by day, as rpt_returns_daily says."""
    sql = "SELECT day, sum(returns + returns_cancelled + returns_expired) FROM rpt_returns_daily"
    return {str(day): n for day, n in driver.query(f"{sql} WHERE shop = '{shop}' AND date_basis = '{basis}' GROUP BY day")}


@pytest.mark.long
def test_days_of_the_shop(driver: Driver):
    """Two shops in one warehouse have the days of their own zones, whichever ran last and however many runs follow."""
    driver.sync(shop="east", timezone=SYDNEY)
    driver.sync(shop="west", timezone=NEW_YORK)
    for basis in ("submitted", "ordered", "refunded", "closed"):
        for shop, zone in (("east", SYDNEY), ("west", NEW_YORK)):
            times = driver.query(f"SELECT {basis}_at FROM fct_returns WHERE shop = '{shop}'")
            assert reported(driver, shop, basis) == by_day(times, zone), (shop, basis)
    submitted = driver.query("SELECT submitted_at FROM fct_returns WHERE shop = 'east'")
    assert by_day(submitted, SYDNEY) != by_day(submitted, NEW_YORK), "the zone makes no difference in this shop"
    utc = driver.query("SELECT submitted_date_utc, count(*) FROM fct_returns WHERE shop = 'east' GROUP BY 1")
    assert {str(day): n for day, n in utc} == by_day(submitted, "UTC")
    months = driver.query(
        "SELECT month, sum(units_returned) FROM rpt_product_returns WHERE shop = 'east'"
        " AND date_basis = 'submitted' GROUP BY 1"
    )
    lines = driver.query("SELECT submitted_at FROM fct_return_lines WHERE shop = 'east' AND NOT is_void")
    expected = Counter[str]()
    for day, units in by_day(lines, SYDNEY).items():
        expected[f"{day[:8]}01"] += units
    assert {str(month): n for month, n in months} == expected


@pytest.mark.long
def test_another_zone_in_a_quiet_shop(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """A changed zone takes effect with the next run, though nothing is new; the run after that leaves the marts alone."""
    driver.sync()
    submitted = driver.query("SELECT submitted_at FROM fct_returns")
    assert reported(driver, "default", "submitted") == by_day(submitted, "UTC")
    driver.sync(timezone=SYDNEY)
    assert reported(driver, "default", "submitted") == by_day(submitted, SYDNEY)
    made = []
    refresh = marts.refresh
    monkeypatch.setattr(marts, "refresh", lambda *args, **more: made.append(refresh(*args, **more)))
    driver.sync(timezone=SYDNEY)
    assert made == []
    driver.sync(timezone="UTC")
    assert reported(driver, "default", "submitted") == by_day(submitted, "UTC")
