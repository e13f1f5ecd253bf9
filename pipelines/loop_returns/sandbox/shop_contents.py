"""What the shop holds and what time it is there: all that the endpoints read."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from loop_returns.sandbox import catalogue, other_records
from loop_returns.sandbox.clock import Clock
from loop_returns.sandbox.store import Store

if TYPE_CHECKING:
    from datetime import datetime

    from loop_returns.sandbox.shipments import Shipment
    from loop_returns.sandbox.store import NoticeIds


class ShopContents:
    """Returns, smaller records and a clock; thread-safe."""

    def __init__(self, now: datetime | None = None, *, notice_ids: NoticeIds = "return") -> None:
        self.lock = threading.RLock()
        self.store = Store(notice_ids)
        self.clock = Clock(now)
        self.destinations: list[dict[str, Any]] = [dict(destination) for destination in catalogue.DESTINATIONS]
        self.allowlist = other_records.allowlist()
        self.blocklist = other_records.blocklist()
        self.label_requests: list[dict[str, Any]] = []
        self.shipments: list[Shipment] = []
        self.webhooks = other_records.webhooks()

    @property
    def now(self) -> datetime:
        """The shop's time, UTC."""
        return self.clock.read()

    @now.setter
    def now(self, moment: datetime) -> None:
        self.clock.fix(moment)

    def tick(self, seconds: float) -> None:
        """Let time pass at once."""
        with self.lock:
            self.clock.tick(seconds)

    def __len__(self) -> int:
        return len(self.store)

    def ids(self, state: str | None = None) -> list[str]:
        """Ids of the returns, oldest submission last added; of one state if given."""
        with self.lock:
            return self.store.ids(state)

    def body(self, number: str) -> dict[str, Any]:
        """The canonical body of one return.

        Raises:
            KeyError: there is no such return.
        """
        with self.lock:
            body: dict[str, Any] = msgspec.json.decode(self.store.raw(number))
            return body

    def returns_snapshot(self) -> list[dict[str, Any]]:
        """Canonical bodies of all returns in all states; copies."""
        return [self.body(number) for number in self.ids()]

    def asn_snapshot(self) -> list[dict[str, Any]]:
        """Canonical ASN rows of everything; copies."""
        with self.lock:
            return [msgspec.json.decode(raw) for notice in self.store.notices() for raw in notice.rows()]
