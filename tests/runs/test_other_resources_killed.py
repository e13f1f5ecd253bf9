"""Whenever a run is killed while it reads or loads the other resources, the next one makes the warehouse the shop again."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loop_returns.extract.reading import LIMITS
from loop_returns.sandbox import Faults, Quirks, Shop
from tests.support.driving import NOW
from tests.support.killing import run_and_kill
from tests.support.others import COLUMNS, differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

EACH = "return_notes, return_details"
FAULTS = Faults(too_many=0.05, server_error=0.05, reset=0.05, truncate=0.05, html_200=0.05)


def step(shop: Shop, rng: random.Random) -> None:
    """Something happens to the smaller records of the shop."""
    happenings: list[Callable[[], object]] = [
        lambda: shop.add_destination(f"Warehouse {rng.random()}"),
        lambda: shop.change_destination(rng.choice(shop.destinations)["id"], name=f"Renamed {rng.random()}"),
        lambda: shop.remove_destination(shop.destinations[-1]["id"]) if len(shop.destinations) > 1 else None,
        lambda: shop.add_entry(rng.choice(["allowlist", "blocklist"]), front=rng.random() < 0.5),
        lambda: shop.remove_entry(rng.choice(["allowlist", "blocklist"])),
        lambda: shop.add_label_requests(2),
        lambda: shop.settle_label_requests(2),
        lambda: shop.add_shipment(rng.sample(shop.ids(), 2)),
        lambda: shop.add_shipment_items(2) if shop.shipments else None,
        lambda: shop.add_note(rng.choice(shop.ids())),
        shop.add_webhook,
        lambda: shop.change(2),
    ]
    rng.choice(happenings)()
    shop.tick(rng.choice([60, 3600, 86_400]))


@pytest.mark.long
def test_a_random_shop(drive: Callable[..., Driver]):
    """Through changes, faults of the API and kills at any moment, what a good run leaves is the shop."""
    rng = random.Random(1)
    shop = Shop.generate(seed=1, returns=8, days=60, now=NOW)
    driver = drive(shop, quirks=Quirks(list_page=4), others=True, settings={"extra_resources": EACH})
    driver.limits = replace(LIMITS, rows=60, idle_rows=10)  # many loads
    kills = 0
    for _ in range(2):
        for _ in range(rng.randint(1, 6)):
            step(shop, rng)
        kills += run_and_kill(driver.sync, at=rng.randint(20, 400))
        driver.quirk(faults=FAULTS)
        shop.tick(86_400)
        driver.sync()
        driver.quirk(faults=Faults())
        shop.change(len(shop))  # a note moves no `updated_at`, so notes of closed returns come with their next change
        shop.tick(60)
        driver.sync()
        assert not differences(driver, (*COLUMNS,))
    assert kills
