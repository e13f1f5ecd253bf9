"""Two random shops in one warehouse in which nothing is tidy, synced several times while they live on."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from loop_returns.sandbox import Shop
from loop_returns.sandbox.store import NoticeEntry
from loop_returns.sandbox.times import DAY, iso, second_of
from tests.support.driving import Driver
from tests.support.oracle import beside
from tests.support.oracle.observed import Observer
from tests.support.oracle.oddities import ODD
from tests.support.oracle.shops import Group

if TYPE_CHECKING:
    from pathlib import Path


SHOPS = {
    "north": ("return", "USD", "America/New_York"),
    "south": ("row", "EUR", "Australia/Sydney"),
}
MARTS = {"marts": "views", "label_rate_unit": "cents"} | {name: f"beside.{name}" for name in ("orders", "refunds", "rates")}


@dataclass
class Life:
    """The shops, the warehouse that mirrors them, and what somebody knows who looks at every run."""

    drivers: list[Driver]
    seen: list[Observer]
    beside: beside.Tables

    def group(self) -> Group:
        driver = self.drivers[0]
        ((now,),) = driver.query("SELECT current_timestamp")
        orders, refunds, rates = self.beside
        amounts = {(row["shop"], row["refund_id"]): row["amount"] for row in refunds}
        return Group([one.shop() for one in self.seen], orders, amounts, rates, 100, now.astimezone(UTC))


def live(seed: int, folder: Path, *, returns: int, address: str | None = None, marts: str = "views") -> Life:
    """Two shops of half as many returns each, some months old: two syncs, a reconcile and a sync in eleven weeks."""
    rng, end = random.Random(seed), datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    life = Life([], [], ([], [], []))
    try:
        for name, (ids, currency, zone) in SHOPS.items():
            shop = Shop.generate(
                seed=rng.randrange(10**6), returns=returns // 2, days=200, now=end - timedelta(days=80),
                currency=currency, notice_ids=ids,
            )  # fmt: skip
            more = {"address": address, "dataset": f"odd_{seed}_{marts}"} if address else {}
            driver = Driver(
                shop, folder, settings={"shop": name, "timezone": zone}, allow_deletions=True, others=True, **more
            ).start()
            life.drivers.append(driver)
            life.seen.append(Observer(driver, name))
        _grow(life, rng, end, marts)
    except BaseException:
        for driver in life.drivers:
            driver.stop()
        raise
    return life


def _grow(life: Life, rng: random.Random, end: datetime, marts: str) -> None:
    for driver, seen in zip(life.drivers, life.seen, strict=True):
        _make_odd(driver.shop, rng)
        seen.look(driver.sync(timezone="UTC"))  # another zone than later: the newest counts
        # a month has begun in UTC and in the south, and not yet in the north
        driver.shop.now = (end - timedelta(days=45)).replace(day=1, hour=1)
        driver.shop.add_returns(len(driver.shop) // 3)
        for _ in range(4):  # new, sent off, on their way
            driver.shop.change_label(len(driver.shop))
        seen.look(driver.sync())
        driver.shop.now = end - timedelta(days=40)
        driver.shop.change_label(len(driver.shop), touch_return=False)  # which only a reconcile sees
        _go_on(driver.shop, rng)
        driver.shop.delete_returns(3)
        with driver.shop.lock:
            driver.shop.store.remove(max(driver.shop.ids()))  # the newest of all
        seen.look(driver.reconcile())
    for driver, seen in zip(life.drivers, life.seen, strict=True):
        _go_on(driver.shop, rng)
        _make_odd(driver.shop, rng)
        driver.shop.now = end - timedelta(days=1)
        _go_on(driver.shop, rng)
        _borrow_units(driver.shop, rng)
        _odd_notices(driver.shop, rng, own_ids=seen.name == "south")
        if seen.name == "south":
            driver.shop.remove_destination(12346)  # which returns still name
        driver.shop.now = max(end, driver.shop.now + timedelta(seconds=1))
    life.beside = beside.of([(seen.name, driver.shop) for driver, seen in zip(life.drivers, life.seen, strict=True)], rng)
    beside.write(life.drivers[0], life.beside)
    for driver, seen in zip(life.drivers, life.seen, strict=True):
        is_last = driver is life.drivers[-1]
        more = {"extra_resources": "return_notes,return_details"} | (MARTS | {"marts": marts} if is_last else {})
        seen.look(driver.sync(**more), closely=True)


def _go_on(shop: Shop, rng: random.Random) -> None:
    """What happens in a shop in some weeks."""
    some = len(shop) // 8
    shop.add_returns(some)
    shop.change(some * 2)
    shop.change_label(some * 2)
    shop.remove_line_items(some // 4)
    shop.submit_again(4)
    shop.grow_odd()
    shop.live_elsewhere(6)
    for number in rng.sample(shop.ids(), some // 2):  # some are opened again
        shop.move_state(number, rng.choice(("open", "review", "closed")))


def _make_odd(shop: Shop, rng: random.Random) -> None:
    """Each of many returns gets something odd of its own."""
    for number in shop.ids():
        if rng.random() < 0.5:
            continue
        with shop.lock:
            ret = shop.store.take(number)
            at = shop.clock.second(apart=True)
            for _ in range(rng.choice((1, 1, 2, 3))):
                rng.choice(ODD)(ret.body, rng, at)
            if rng.random() < 0.2:
                submitted = second_of(ret.body["created_at"]) or at
                ret.unlisted = replace(
                    ret.unlisted,
                    ordered=rng.choice((ret.unlisted.ordered, submitted + 3 * DAY)),
                    delivered=rng.choice((None, ret.unlisted.delivered, submitted + rng.randrange(40) * 7919)),
                    closed=rng.choice((None, ret.unlisted.closed, submitted + rng.randrange(-1, 20) * 7919)),
                )
            ret.body["updated_at"] = iso(at)
            shop.store.put(ret)


def _borrow_units(shop: Shop, rng: random.Random) -> None:
    """Ids of units come again in returns of other orders."""
    with shop.lock:
        for lender, number in zip(*[iter(rng.sample(shop.ids(), 40))] * 2, strict=True):
            given, ret = shop.body(lender)["line_items"], shop.store.take(number)
            if given and ret.body["line_items"]:
                ret.body["line_items"][0]["line_item_id"] = given[0]["line_item_id"]
                ret.body["updated_at"] = iso(shop.clock.second(apart=True))
                shop.store.put(ret)


def _odd_notices(shop: Shop, rng: random.Random, *, own_ids: bool) -> None:
    """Notices that are missing, that say something else, of units that no return has, older ones, and without a date."""
    store, horizon = shop.store, int(shop.now.timestamp()) - 85 * DAY  # older ones need not be read again
    for index, entry in enumerate(list(store.notices())):
        draw = rng.random()
        if draw < 0.05:
            if (entry.created_at or 0) > horizon:
                del store._notices[str(entry.number)]
        elif draw < 0.2 and (rows := [msgspec.json.decode(row) for row in entry.rows()]):
            row: dict[str, Any] = rows[0] | {
                "purchase_price": "1.23",
                "outcome": "refund",
                "state": "open",
                "order_id": None,
            }
            row["order_id"] = None
            if draw < 0.1:
                row["return_line_item_id"] = f"9{index}"
            elif own_ids:
                row |= {"id": 70_000_000 + index, "date_delivered": None, "updated_at": iso((entry.updated_at or 0) - DAY)}
            else:
                continue
            store._notices[f"odd {index}"] = replace(entry, encoded=[msgspec.json.encode(row)])
        elif draw < 0.4:
            rows = [msgspec.json.decode(row) | {"created_at": None} for row in entry.rows()]
            store._notices[str(entry.number)] = replace(entry, encoded=[msgspec.json.encode(row) for row in rows])
    assert all(isinstance(entry, NoticeEntry) for entry in store.notices())
