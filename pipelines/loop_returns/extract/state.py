"""What runs remember about a shop: it travels in dlt's state, in the warehouse, with the rows that it stands for.

The keys are those of version 0.1.0, so that a warehouse made by it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from loop_returns.api.windows import DAY, DayWindow, joined

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True)
class ShopState:
    """One shop's state; every change makes a new one.

    Attributes:
        cursor: the greatest `updated_at` up to which everything is loaded.
        backfills: unfinished backfills: the range -> labels of the windows that are loaded.
        days_due: days of returns that changed and whose shipping notices have not been read since.
        notices_read: the day up to which the shipping notices were read.
        verified: the version of the program that found marts and data in order after the last load.
    """

    cursor: datetime | None = None
    backfills: Mapping[str, frozenset[str]] = field(default_factory=dict)
    days_due: frozenset[date] = frozenset()
    notices_read: date | None = None
    verified: str | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> ShopState:
        """The state that `written` wrote."""
        cursor, read = stored.get("cursor"), stored.get("asn_read")
        return cls(
            cursor=None if cursor is None else datetime.fromisoformat(cursor),
            backfills={name: frozenset(done) for name, done in stored.get("backfills", {}).items()},
            days_due=frozenset(_unpack(stored.get("asn_days", ()))),
            notices_read=None if read is None else datetime.fromisoformat(read).date(),
            verified=stored.get("finished"),
        )

    def written(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        every = {
            "cursor": self.cursor and self.cursor.isoformat(),
            "backfills": {name: sorted(done) for name, done in self.backfills.items()},
            "asn_days": _pack(self.days_due),
            "asn_read": self.notices_read and self.notices_read.isoformat(),
            "finished": self.verified,
        }
        return {name: value for name, value in every.items() if value}

    def after_load(self, days: Iterable[date]) -> ShopState:
        """Rows were loaded: their notices are due, and marts and checks are behind."""
        return replace(self, days_due=self.days_due | frozenset(days), verified=None)

    def up_to(self, newest: datetime, *, now: datetime) -> ShopState:
        """Everything up to `newest` is loaded. The cursor never goes back, and never lies ahead of Loop's clock."""
        return replace(self, cursor=max(newest, min(self.cursor or newest, now)))

    def with_backfill(self, name: str, done: Collection[str]) -> ShopState:
        """These windows of the backfill are loaded too; with none, the backfill is over."""
        others = {key: labels for key, labels in self.backfills.items() if key != name}
        return replace(
            self, backfills={**others, name: self.backfills.get(name, frozenset()) | set(done)} if done else others
        )

    def with_notices(self, due: Collection[date], *, read: date | None) -> ShopState:
        """The notices of these days were read again; `read` is the day up to which all of them were."""
        return replace(self, days_due=self.days_due - set(due), notices_read=read or self.notices_read)


def _pack(days: Iterable[date]) -> list[str]:
    """Days as stretches, `2024-01-01/2024-01-31`, so that many take little room in the state."""
    return [f"{window.first}/{window.last}" for window in joined([DayWindow(day, day) for day in days])]


def _unpack(packed: Iterable[str]) -> set[date]:
    days: set[date] = set()
    for stretch in packed:
        first, last = map(date.fromisoformat, stretch.split("/"))
        days |= {first + DAY * n for n in range((last - first).days + 1)}
    return days
