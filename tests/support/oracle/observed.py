"""Reads a sandbox over HTTP as a run would, and keeps what it can see: states that changed, scans, returns that are gone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx

from tests.support.mirror import moment
from tests.support.oracle.others import Others
from tests.support.oracle.parsed import Notice, Return, Row, lower
from tests.support.oracle.shops import Change, Key, Report, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.support.driving import Driver

STATES = ("open", "closed", "cancelled", "expired", "review")
WINDOW = timedelta(days=100)


@dataclass
class Observer:
    """What somebody knows of a shop who looks at it at every run, and at no other time."""

    driver: Driver
    name: str
    bodies: dict[str, Row] = field(default_factory=dict)
    gone: dict[str, Row] = field(default_factory=dict)
    notices: list[Row] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    runs: list[Any] = field(default_factory=list)
    reports: dict[Key, set[Report]] = field(default_factory=lambda: defaultdict(set))
    others: Others = field(default_factory=Others)

    def look(self, run: Any, *, closely: bool = False) -> None:
        """Looks at the shop as it is while the run has just been done; `closely` also at each return by itself."""
        now, client = self.driver.shop.now, self._client()
        found = {str(body["id"]): body for body in self._returns(client, now)}
        for one, body in found.items():
            before = self.bodies.get(one)
            if before is not None and before["state"] != body["state"]:
                at = moment(body["updated_at"])
                assert at is not None
                self.changes.append(Change(one, before["state"], body["state"], at, now))
        self.gone |= {one: body for one, body in self.bodies.items() if one not in found}
        self.bodies, self.notices = found, list(self._notices(client, now))
        for one, body in found.items():
            self._report("returns", one, "", body)
        for row in self.notices:
            self._report("advanced_shipping_notices", str(row["id"]), str(row["return_line_item_id"]), row)
        self.others.look(client)
        if closely:
            self.others.look_closely(client, list(found))
        self.runs.append(run)

    def shop(self) -> Shop:
        """The shop as it is known now."""
        return Shop(
            self.name,
            [Return(self.name, body) for body in self.bodies.values()],
            [Return(self.name, body) for body in self.gone.values()],
            [Notice(row) for row in self.notices],
            self.changes,
            self.runs,
            ZoneInfo(self.driver.settings["timezone"]),
            self.reports,
            self.others,
        )

    def _report(self, table: str, one: str, unit: str, row: Row) -> None:
        self.reports[table, one, unit].add((lower(row["label_status"]), moment(row["label_updated_at"])))

    def _client(self) -> httpx.Client:
        sandbox = self.driver.sandbox
        return httpx.Client(base_url=sandbox.url, headers={"X-Authorization": sandbox.api_key}, trust_env=False)

    def _windows(self, now: datetime) -> Iterator[tuple[str, str]]:
        start = now - timedelta(days=500)
        while start <= now:
            yield start.strftime("%Y-%m-%dT%H:%M:%SZ"), (start + WINDOW).strftime("%Y-%m-%dT%H:%M:%SZ")
            start += WINDOW

    def _returns(self, client: httpx.Client, now: datetime) -> Iterator[Row]:
        """Each return once, though windows share their edges; without `paginate` the answer is everything."""
        for start, end in self._windows(now):
            for state in STATES:
                yield from self._get(client, "/warehouse/return/list", {"from": start, "to": end, "state": state})

    def _notices(self, client: httpx.Client, now: datetime) -> Iterator[Row]:
        seen = set()
        for start, end in self._windows(now):
            for row in self._get(client, "/warehouse/reporting/asn", {"from": start[:10], "to": end[:10]}):
                if (key := (row["id"], row["return_line_item_id"])) not in seen:
                    seen.add(key)
                    yield row

    @staticmethod
    def _get(client: httpx.Client, path: str, params: dict[str, str]) -> list[Row]:
        answer = client.get(path, params=params)
        answer.raise_for_status()
        rows: list[Row] = answer.json()
        return rows
