"""Several shops live in one dataset, each for itself, also where their ids are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.mirror import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver


def test_two_shops(drive: Callable[..., Driver]):
    """Two shops whose ids are the same neither mix nor move each other's cursor, nor mark each other's rows."""
    north = drive(Shop.generate(seed=1, returns=20, days=30, now=NOW), settings={"shop": "north"})
    south = drive(Shop.generate(seed=2, returns=15, days=30, now=NOW), settings={"shop": "it's south"})
    assert set(south.shop.ids()) < set(north.shop.ids())
    assert north.sync().cursor_before is None
    assert south.sync().cursor_before is None, "a cursor belongs to its shop"
    north.shop.delete_returns(2)
    north.shop.change(3)
    south.shop.change(4)
    north.reconcile()
    south.sync()
    assert north.differences(shop="north") == []
    assert south.differences(shop="it's south") == []
    for table in TABLES:
        assert {shop for (shop,) in north.query(f"SELECT DISTINCT shop FROM {table}")} == {"north", "it's south"}
    assert north.query("SELECT shop, count(*) FROM returns WHERE _deleted_at IS NOT NULL GROUP BY 1") == [("north", 2)]
    commands = north.query("SELECT shop, command FROM _loop_sync_runs ORDER BY started_at")
    assert commands == [("north", "sync"), ("it's south", "sync"), ("north", "reconcile"), ("it's south", "sync")]
