"""The synthetic shop: how it is made, and what happens in it between two runs."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, Any

from loop_returns.sandbox import events, label_requests, shipments
from loop_returns.sandbox.bodies import Return, submit, submit_again
from loop_returns.sandbox.history import history
from loop_returns.sandbox.lines import Numbers
from loop_returns.sandbox.oddities import ODDITIES
from loop_returns.sandbox.shop_records import ShopRecords
from loop_returns.sandbox.times import DAY, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from loop_returns.sandbox.store import NoticeIds


class Shop(ShopRecords):
    """A shop whose returns can also be changed, by tests and demos; thread-safe.

    With a fixed clock (`now` given or set) every change that is not asked to share a second takes one
    second, so time passes; with the real clock changes are stamped with the second in which they are made.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        now: datetime | None = None,
        customers: int = 60,
        currency: str = "USD",
        notice_ids: NoticeIds = "return",
    ) -> None:
        super().__init__(now, notice_ids=notice_ids, seed=seed)
        self._rng = random.Random(seed)  # noqa: S311  # synthetic data, repeatable by its seed
        self._numbers = Numbers(customers=max(1, customers), currency=currency)

    @classmethod
    def generate(
        cls,
        *,
        seed: int = 1,
        returns: int = 100,
        days: int = 400,
        now: datetime | None = None,
        currency: str = "USD",
        notice_ids: NoticeIds = "return",
    ) -> Shop:
        """A shop with `returns` returns submitted in the last `days` days, each with its events up to now.

        Args:
            seed: the same seed, sizes and `now` make the same shop.
            returns: how many.
            days: age of the oldest.
            now: fixes the shop's clock; by default it is the real clock.
            currency: the shop's, in which all amounts are; some shoppers see another.
            notice_ids: whether shipping notices have the id of their return or one of their own: nothing documents it.
        """
        shop = cls(seed=seed, now=now, customers=returns * 2 // 3, currency=currency, notice_ids=notice_ids)
        end = int(shop.now.timestamp())
        rng = shop._rng
        bodies = {}
        for ret in history(rng, shop._numbers, returns, start=end - days * DAY, end=end):
            shop.store.put(ret)
            bodies[str(ret.body["id"])] = ret.body
        shop.label_requests = label_requests.past_requests(rng, shop._more, bodies, end=end)
        shop.shipments = shipments.past_shipments(shop._more, bodies.values(), end=end)
        return shop

    @classmethod
    def from_samples(
        cls,
        *,
        returns: Sequence[dict[str, Any]],
        asn: Sequence[dict[str, Any]] = (),
        now: datetime | None = None,
    ) -> Shop:
        """A shop that serves the given bodies as they are, found by their own timestamps and state.

        The ASN rows stay as given whatever happens to the returns; changes work on returns as far as they
        have the fields.
        """
        shop = cls(now=now)
        shop.store.give(returns, asn)
        return shop

    # What happens in it

    def _second(self) -> int:
        return self.clock.second(apart=True)

    def _pick(self, n: int, fits: Callable[[str], bool] | None = None) -> list[str]:
        ids = self.store.ids()
        if fits is None:
            return self._rng.sample(ids, min(n, len(ids)))
        self._rng.shuffle(ids)
        return list(islice(filter(fits, ids), n))

    def _edit(self, number: str, change: Callable[[Return, int], object], *, at: int, silent: bool = False) -> None:
        ret = self.store.take(number)
        change(ret, at)
        if not silent:
            ret.body["updated_at"] = iso(at)
        self.store.put(ret)

    def _edit_all(
        self,
        ids: list[str],
        change: Callable[[Return, int], object],
        *,
        silent: bool = False,
        same_second: bool = False,
    ) -> list[str]:
        at = self._second()
        for index, number in enumerate(ids):
            if index and not same_second:
                at = self._second()
            self._edit(number, change, at=at, silent=silent)
        return ids

    def change(self, n: int, *, silent: bool = False, same_second: bool = False) -> list[str]:
        """Change up to n returns: state, parcel, outcome, money, inspection or refund, one thing each.

        Args:
            n: how many.
            silent: leave `updated_at` as it was.
            same_second: stamp all of them with one second.

        Returns:
            Their ids.
        """
        with self.lock:
            return self._edit_all(
                self._pick(n),
                lambda ret, at: events.change_at_random(ret, self._rng, self._numbers, at=at),
                silent=silent,
                same_second=same_second,
            )

    def bulk_change(self, n: int) -> list[str]:
        """A nightly job: up to n returns change and all are stamped with one second; returns their ids."""
        return self.change(n, same_second=True)

    def change_label(self, n: int, *, touch_return: bool = True) -> list[str]:
        """The parcels of up to n returns move on: `label_status`, `label_updated_at`; returns their ids.

        Args:
            n: how many; parcels that have arrived are left alone.
            touch_return: whether the return's `updated_at` moves as well, which is not known of the real API.
        """
        with self.lock:
            return self._edit_all(
                self._pick(n, lambda number: self.body(number)["label_status"] != "delivered"),
                lambda ret, at: events.next_label(ret, self._rng, at=at),
                silent=not touch_return,
            )

    def move_state(self, number: str, state: str, *, silent: bool = False) -> None:
        """Move one return to a state."""
        with self.lock:
            self._edit_all([number], lambda ret, at: events.move_state(ret, state, at=at), silent=silent)

    def remove_line_items(self, n: int, *, silent: bool = False, all_of_it: bool = False) -> list[str]:
        """Remove a line item (or all of them) from each of up to n returns; returns the returns' ids."""

        def remove(ret: Return, at: int) -> None:
            while events.drop_line(ret, self._rng, at=at) and all_of_it:
                pass

        with self.lock:
            return self._edit_all(self._pick(n, lambda number: bool(self.body(number)["line_items"])), remove, silent=silent)

    def add_returns(self, n: int, *, same_second: bool = False) -> list[str]:
        """Shoppers submit n returns now; returns their ids."""
        with self.lock:
            at, added = self._second(), []
            for index in range(n):
                if index and not same_second:
                    at = self._second()
                ret = submit(self._rng, self._numbers, at=at)
                self.store.put(ret)
                added.append(str(ret.body["id"]))
            return added

    def submit_again(self, n: int) -> list[str]:
        """Up to n open returns are cancelled and submitted anew with the same units, their ids too; returns the new ids."""
        with self.lock:
            added = []
            for number in self._pick(n, lambda number: self.body(number)["state"] == "open"):
                self.move_state(number, "cancelled")
                ret = submit_again(self.store.take(number), self._rng, self._numbers, at=self._second())
                self.store.put(ret)
                added.append(str(ret.body["id"]))
            return added

    def grow_odd(self) -> dict[str, str]:
        """One return with several units gets each of `ODDITIES`; returns the returns' ids by the names of the functions."""
        with self.lock:
            picked = self._pick(len(ODDITIES), lambda number: len(self.body(number)["line_items"]) > 1)
            odd = dict(zip((oddity.__name__ for oddity in ODDITIES), picked, strict=False))
            for oddity, number in zip(ODDITIES, picked, strict=False):
                self._edit_all([number], lambda ret, at, change=oddity: change(ret, self._rng, at=at))  # type: ignore[misc]  # mypy can't infer a default
            return odd

    def delete_returns(self, n: int) -> list[str]:
        """Up to n returns are deleted with their ASN rows, and no field shows it; returns their ids."""
        with self.lock:
            deleted = self._pick(n)
            for number in deleted:
                self.store.remove(number)
            return deleted

    def add_field(self, name: str, value: object, *, where: str = "return") -> None:
        """From now on every body carries a field nobody declared; `updated_at` does not move.

        Args:
            name: the field.
            value: its value, or a function of the return's id.
            where: "return", "line_item" or "asn".
        """
        with self.lock:
            self.store.add_field(name, value, where)

    def live(self, n: int = 10) -> None:
        """Some events of every kind: about n returns are touched."""
        with self.lock:
            self.add_returns(max(1, n // 5))
            self.change(n)
            self.change_label(max(1, n // 3), touch_return=False)
            self.change(max(1, n // 10), silent=True)
            self.remove_line_items(max(1, n // 10))
            self.live_elsewhere(max(1, n // 10))
