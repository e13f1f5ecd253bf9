"""What runs remember about a shop: it travels in dlt's state, in the warehouse, with the rows that it stands for.

The keys are those of version 0.1.0, so that a warehouse made by it goes on.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Self

from loop_returns.api.windows import DAY, DayWindow, joined
from loop_returns.dates import EARLIEST, LATEST, parse_timestamp
from loop_returns.errors import ConfigurationError
from loop_returns.tables.privacy import Privacy


@dataclass(frozen=True)
class ShopState:
    """One shop's state; every change makes a new one.

    Attributes:
        cursor: the greatest `updated_at` up to which everything is loaded.
        since: from when on it is: the earliest `start_date` that was read.
        backfills: unfinished backfills: the range -> labels of the windows that are loaded.
        days_due: days of returns that changed and whose shipping notices have not been read since.
        notices_read: the day up to which the shipping notices were read.
        resources: up to when each of the other resources was read.
        verified: the version of the program that found marts and data in order after the last load, and where marts were.
        pii: the mark of the policy on personal data, and of its key, that the last run had.
        pii_key: the mark of the key of the fingerprints in the warehouse.
        pii_clean: whether the warehouse was seen to hold nothing that the policy does not let land.
    """

    cursor: datetime | None = None
    since: datetime | None = None
    backfills: Mapping[str, frozenset[str]] = field(default_factory=dict)
    days_due: frozenset[date] = frozenset()
    notices_read: date | None = None
    resources: Mapping[str, datetime] = field(default_factory=dict)
    verified: str | None = None
    pii: str = "keep"
    pii_key: str | None = None
    pii_clean: bool = False

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The state that `written` wrote."""
        read = _moment(stored.get("asn_read"))
        return cls(
            cursor=_moment(stored.get("cursor")),
            since=_moment(stored.get("since")),
            backfills={name: frozenset(done) for name, done in stored.get("backfills", {}).items()},
            days_due=frozenset(_unpack(stored.get("asn_days", ()))),
            notices_read=read and read.date(),
            resources={name: at for name, text in stored.get("resources", {}).items() if (at := _moment(text)) is not None},
            verified=stored.get("finished"),
            pii=stored.get("pii", "keep"),
            pii_key=stored.get("pii_key"),
            pii_clean=stored.get("pii_clean", False),
        )

    def written(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        every = {
            "cursor": self.cursor and self.cursor.isoformat(),
            "since": self.since and self.since.isoformat(),
            "backfills": {name: sorted(done) for name, done in self.backfills.items()},
            "asn_days": _pack(self.days_due),
            "asn_read": self.notices_read and self.notices_read.isoformat(),
            "resources": {name: at.isoformat() for name, at in self.resources.items()},
            "finished": self.verified,
            "pii": self.pii,
            "pii_key": self.pii_key,
            "pii_clean": self.pii_clean,
        }
        return {name: value for name, value in every.items() if value}

    def under(self, privacy: Privacy) -> Self:
        """The state for a run with this policy and key. Raises ConfigurationError for another key than the warehouse's.

        When they have changed, windows that a backfill has read before are to be read again.
        """
        if privacy.key_mark and self.pii_key not in {None, privacy.key_mark}:
            raise ConfigurationError(
                "The fingerprints in this dataset were made with another `pii_key`: with this one columns would no longer "
                "join. Nothing was loaded. Set the former key again; to change it on purpose, sync into another dataset "
                "(--dataset NAME)."
            )
        if self.pii == privacy.mark:
            return self
        return replace(self, pii=privacy.mark, pii_key=privacy.key_mark or self.pii_key, pii_clean=False, backfills={})

    def after_load(self, days: Iterable[date]) -> Self:
        """Rows were loaded: their notices are due, and marts and checks are behind."""
        return replace(self, days_due=self.days_due | frozenset(days), verified=None)

    def up_to(self, newest: datetime, *, since: datetime) -> Self:
        """Everything from `since` to `newest` is loaded, or was before: the cursor never goes back."""
        return replace(self, cursor=max(newest, self.cursor or newest), since=self.since or since)

    def with_backfill(self, name: str, done: Collection[str]) -> Self:
        """These windows of the backfill are loaded too; with none, the backfill is over."""
        others = {key: labels for key, labels in self.backfills.items() if key != name}
        return replace(
            self, backfills={**others, name: self.backfills.get(name, frozenset()) | set(done)} if done else others
        )

    def with_notices(self, days: Collection[date]) -> Self:
        """The notices of these days were read again."""
        return replace(self, days_due=self.days_due - set(days))


def _moment(stored: str | None) -> datetime | None:
    """The moment that was stored; None for one that no plan can calculate with, so that everything is read again."""
    with suppress(ValueError):
        return parse_timestamp(stored)
    return None


def _pack(days: Iterable[date]) -> list[str]:
    """Days as stretches, `2024-01-01/2024-01-31`, so that many take little room in the state."""
    return [f"{window.first}/{window.last}" for window in joined([DayWindow(day, day) for day in days])]


def _unpack(packed: Iterable[str]) -> set[date]:
    days: set[date] = set()
    for stretch in packed:
        first, last = map(date.fromisoformat, stretch.split("/"))
        first, last = max(first, EARLIEST.date()), min(last, LATEST.date() - DAY)  # version 0.1.0 kept every day there is
        days |= {first + DAY * n for n in range((last - first).days + 1)}
    return days
