"""What a mart costs grows with the shop, not with its square: PostgreSQL, too, compares no row with every other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from loop_returns import marts
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import TABLES
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from pathlib import Path

RETURNS = 2500
AT_MOST = {"handled": 40, "compared in vain": 4.5}  # for each row of the tables


def work(plan: dict[str, Any]) -> dict[str, float]:
    """How many rows the nodes of a plan handled, and how many pairs were compared in vain."""
    loops, vain = plan.get("Actual Loops", 1), plan.get("Rows Removed by Join Filter", 0)
    handled = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0) + vain
    own = {"handled": handled * loops, "compared in vain": vain * loops}
    below = [work(one) for one in plan.get("Plans", ())]
    return {name: value + sum(one[name] for one in below) for name, value in own.items()}


@pytest.mark.long
def test_work_grows_with_the_shop(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    """No mart works on its rows again and again, as it would where PostgreSQL takes what a part of a query gives for few."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=5, returns=RETURNS, days=200, now=NOW)
    driver = Driver(shop, home, settings={"marts": "views"}, address=postgres, dataset="work").start()
    driver.sync()
    driver.stop()
    found = {}
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {driver.dataset}; ANALYZE")
        cursor.execute(f"SELECT {' + '.join(f'(SELECT count(*) FROM {name})' for name in TABLES)}")
        ((rows,),) = cursor.fetchall()
        for mart in marts.all_marts():
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) SELECT * FROM {mart.name}")
            (([explained],),) = cursor.fetchall()
            found[mart.name] = {name: value / rows for name, value in work(explained["Plan"]).items()}
    assert rows > RETURNS
    too_much = {name: each for name, each in found.items() if any(value > AT_MOST[what] for what, value in each.items())}
    assert too_much == {}
