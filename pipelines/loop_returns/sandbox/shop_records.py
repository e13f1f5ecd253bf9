"""What happens to the shop's smaller records: destinations, lists, label requests, shipments, notes, webhook subscriptions.

Nothing here draws from the numbers that returns are made of, so a seed's returns are the same with or without it.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from loop_returns.sandbox import label_requests, other_records, shipments
from loop_returns.sandbox.shop_contents import ShopContents
from loop_returns.sandbox.times import bare, iso

if TYPE_CHECKING:
    from datetime import datetime

    from loop_returns.sandbox.quirks import PageShift
    from loop_returns.sandbox.store import NoticeIds

ListName = Literal["allowlist", "blocklist"]
_FIRST_DESTINATION: Final = 20_000  # of those that are added later
_ADDRESS: Final = {"address1": "5 New Rd", "address2": None, "city": "Omaha", "state": "Nebraska", "zip": "68102"}
_COUNTRY: Final = {"country": "United States", "country_code": "US"}
_NOTES: Final = (
    "Customer called about the label",
    "Refund agreed with ada.archer@example.com 🙁",
    "Box was damp.\nPhotos are in the folder.",
    'Said: "never arrived", see ticket 4711',
)


class ShopRecords(ShopContents):
    """A shop whose smaller records can be changed; thread-safe.

    `at` is the second at which something happens; by default now, and a fixed clock moves on by a second before.
    """

    def __init__(self, now: datetime | None = None, *, notice_ids: NoticeIds = "return", seed: int = 1) -> None:
        super().__init__(now, notice_ids=notice_ids)
        self._more = random.Random(f"other records of {seed}")  # noqa: S311  # synthetic data, repeatable by its seed
        self._ids = {
            "destinations": _FIRST_DESTINATION,
            "allowlist": 1_000,
            "blocklist": 1_000,
            "webhooks": 100,
            "notes": 900_000_000,
        }

    def _at(self, at: int | None) -> int:
        return self.clock.second(apart=True) if at is None else at

    def _id(self, kind: str) -> int:
        self._ids[kind] += 1  # no id is ever given twice, also when what had it is gone
        return self._ids[kind]

    # Destinations

    def add_destination(self, name: str = "New Warehouse", *, kind: str = "warehouse") -> int:
        """A destination is added; returns its id."""
        with self.lock:
            number = self._id("destinations")
            place = 42_500_000 + number if kind == "warehouse" else None
            row = {"id": number, "type": kind, "name": name, "enabled": True, "provider_location_id": place}
            self.destinations.append({**row, "address": _ADDRESS | _COUNTRY})
            return number

    def change_destination(self, number: int, **fields: object) -> None:
        """Rename, disable, move …: `name="…"`, `enabled=False`; with `address=None` the list is a 500 from now on."""
        with self.lock:
            next(row for row in self.destinations if row["id"] == number).update(fields)

    def remove_destination(self, number: int) -> None:
        """A destination is removed; returns that went there still say so."""
        with self.lock:
            self.destinations[:] = [row for row in self.destinations if row["id"] != number]

    # Allowlist and blocklist

    def entries(self, name: ListName) -> list[dict[str, Any]]:
        """The entries of a list, in its order, with `created_at`."""
        return self.allowlist if name == "allowlist" else self.blocklist

    def add_entry(
        self, name: ListName, kind: str = "email", value: str | None = None, *, front: bool = False, at: int | None = None
    ) -> int:
        """An entry is added at the end of a list, or at its front; returns its id."""
        with self.lock:
            number = self._id(name)
            row = other_records.list_entry(number, kind, value or f"someone.{number}@example.com", at=self._at(at))
            self.entries(name).insert(0 if front else len(self.entries(name)), row)
            return number

    def remove_entry(self, name: ListName, number: int | None = None) -> int:
        """An entry is removed, by default the first; returns its id, 0 from an empty list."""
        with self.lock:
            rows = self.entries(name)
            number = next((int(row["id"]) for row in rows), 0) if number is None else number
            rows[:] = [row for row in rows if row["id"] != number]
            return number

    def shift_list(self, name: ListName, how: PageShift) -> None:
        """What `Quirks.page_shift` lets happen to a list between two of its pages."""
        if how in ("remove", "swap"):
            self.remove_entry(name)
        if how in ("insert", "swap"):
            self.add_entry(name, front=how == "insert", at=self.clock.second(apart=False))

    # Label requests

    def add_label_requests(self, n: int = 1, *, at: int | None = None) -> list[str]:
        """Labels are requested for up to n returns; returns the requests' ids."""
        with self.lock:
            ids = self.store.ids()
            added = []
            for number in self._more.sample(ids, min(n, len(ids))):
                key = label_requests.next_key(self.label_requests)
                self.label_requests.append(label_requests.request(self._more, key, self.body(number), at=self._at(at)))
                added.append(str(key))
            return added

    def settle_label_requests(self, n: int = 1, status: str | None = None, *, at: int | None = None) -> list[str]:
        """The n oldest issued requests are fulfilled or cancelled, which no field tells the time of; returns their ids."""
        with self.lock:
            issued = [row for row in self.label_requests if row["status"] == "issued"][:n]
            for row in issued:
                label_requests.settle(row, status or label_requests.any_settled_status(self._more), at=self._at(at))
            return [str(row["id"]) for row in issued]

    def shift_label_requests(self, how: PageShift) -> None:
        """What `Quirks.page_shift` lets happen to label requests between two pages."""
        at = self.clock.second(apart=False)
        if how in ("remove", "swap"):
            self.settle_label_requests(at=at)
        if how in ("insert", "swap"):
            self.add_label_requests(at=at)

    # Happy Returns

    def add_shipment(self, returns: list[str] | None = None, *, at: int | None = None) -> int:
        """Units of these returns, or of one or two that waited, go on in a new shipment; returns Loop's id of it."""
        with self.lock:
            second = self._at(at)
            shipment = shipments.Shipment(shipments.next_number(self.shipments), second, second)
            for number in self._waiting()[:2] if returns is None else returns:
                body = self.body(number)
                shipment.add(body, body["line_items"], at=second)
            self.shipments.append(shipment)
            return shipment.number

    def _waiting(self) -> list[str]:
        """Returns, of the latest thousand, left at a return bar that are in no shipment."""
        gone = {str(item["return_id"]) for each in self.shipments for item in each.items}
        possible = [each for each in self.ids()[-1000:] if each not in gone and b'"happy_returns"' in self.store.raw(each)]
        return [number for number in possible if shipments.left_at_a_bar(self.body(number))]

    def add_shipment_items(
        self, n: int = 1, shipment: int | None = None, *, silent: bool = False, at: int | None = None
    ) -> int:
        """N units more are found in a shipment, by default the latest: of returns that waited, or exactly like its last one.

        Its `updated_at` moves, unless it is `silent`; returns Loop's id of it.
        """
        with self.lock:
            found = next(each for each in reversed(self.shipments) if shipment in (None, each.number))
            waiting = [
                (body, line) for number in self._waiting() for body in [self.body(number)] for line in body["line_items"]
            ]
            second = found.updated_at if silent else self._at(at)
            for body, line in waiting[:n]:
                found.add(body, [line], at=second)
            found.items += [dict(found.items[-1]) for _ in range(n - len(waiting)) if found.items]
            found.updated_at = second
            return found.number

    # Notes and webhook subscriptions

    def add_note(self, number: str, content: str | None = None, *, at: int | None = None) -> int:
        """Somebody writes a note on a return, whose `updated_at` does not move; returns the note's id."""
        with self.lock:
            key, second, ret = self._id("notes"), self._at(at), self.store.take(number)
            text = content if content is not None else self._more.choice(_NOTES)
            note = {"id": key, "content": text, "created_at": (iso if key % 2 else bare)(second)}
            ret.unlisted = replace(ret.unlisted, notes=(*ret.unlisted.notes, note))
            self.store.put(ret)
            return key

    def remove_notes(self, number: str) -> None:
        """All notes of a return are deleted; its `updated_at` does not move."""
        with self.lock:
            ret = self.store.take(number)
            ret.unlisted = replace(ret.unlisted, notes=())
            self.store.put(ret)

    def add_webhook(self, topic: str = "restock", trigger: str = "restock.requested", *, status: str = "active") -> int:
        """A subscription is made; returns its id."""
        with self.lock:
            number = self._id("webhooks")
            url = f"https://hooks.example.com/{topic}/{self._more.getrandbits(64):016x}"
            self.webhooks.append(other_records.webhook(number, topic, trigger, url, status))
            return number

    def change_webhook(self, number: int, **fields: object) -> None:
        """Activate, deactivate, point elsewhere: `status="inactive"`, `url="…"`."""
        with self.lock:
            next(row for row in self.webhooks if row["id"] == number).update(fields)

    def remove_webhook(self, number: int) -> None:
        """A subscription is deleted."""
        with self.lock:
            self.webhooks[:] = [row for row in self.webhooks if row["id"] != number]

    def live_elsewhere(self, n: int = 1) -> None:
        """Some events of every kind in the smaller records, all in the present second."""
        with self.lock:
            at, names = self.clock.second(apart=False), get_args(ListName)
            for name in names:
                self.remove_entry(name, self._more.choice(self.entries(name))["id"] if self.entries(name) else None)
                self.add_entry(name, at=at)
            self.add_label_requests(n, at=at)
            self.settle_label_requests(n, at=at)
            for number in self._more.sample(self.ids(), min(n, len(self))):
                self.add_note(number, at=at)
            if self.shipments:
                self.add_shipment_items(at=at)
            if self._waiting():
                self.add_shipment(at=at)
            self._change_destinations(at)
            for row in self._more.sample(self.webhooks, min(1, len(self.webhooks))):
                row["status"] = "inactive" if row["status"] == "active" else "active"

    def _change_destinations(self, at: int) -> None:
        """One is renamed, enabled or disabled; now and then one is added, or one that was added is removed."""
        added = [row["id"] for row in self.destinations if row["id"] > _FIRST_DESTINATION]
        step = self._more.choice(("rename", "enable", "add", "remove"))
        if step == "remove" and added:
            self.remove_destination(added[0])
        elif step == "add" or not self.destinations:
            self.add_destination()
        else:
            row = self._more.choice(self.destinations)
            name = f"{row['name'].partition(' (')[0]} ({bare(at)[:10]})"
            row.update({"enabled": not row["enabled"]} if step == "enable" else {"name": name})
