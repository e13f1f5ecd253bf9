"""A shop as the warehouse should know it, its history, and what else a warehouse holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.oracle.others import Others
from tests.support.oracle.parsed import known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo
    from decimal import Decimal

    from tests.support.oracle.parsed import Notice, Return, Row


DONE = (0, 3)  # exit codes
Key = tuple[str, str, str]  # table, return or notice, unit of the notice or nothing
Report = tuple[str | None, datetime | None]  # status of a label, and when a carrier reported it


@dataclass(frozen=True)
class Change:
    """A change of state that a run saw."""

    return_id: str
    before: str
    after: str
    at: datetime  # the return's `updated_at` in the new state
    seen: datetime


@dataclass
class Shop:
    """A shop as the warehouse should know it."""

    name: str
    returns: list[Return]
    gone: Sequence[Return]  # which Loop no longer has
    notices: list[Notice]
    changes: Sequence[Change]
    runs: Sequence[Any]  # what the commands answered, oldest first
    zone: tzinfo = UTC  # in which its days begin
    reports: Mapping[Key, set[Report]] = field(default_factory=dict)  # of carriers, as far as runs saw
    others: Others = field(default_factory=Others)

    @property
    def counted(self) -> list[Return]:
        """Without cancelled and expired ones."""
        return [one for one in self.returns if not one.is_void]

    @property
    def read_up_to(self) -> datetime:
        """The last sync, or the latest change of a return."""
        changes = [one.updated for one in (*self.returns, *self.gone)]
        return max(known([*(run.synced_up_to for run in self.runs), *changes]))

    @property
    def observed_from(self) -> datetime | None:
        """The first good sync: the moment up to which it read, else that at which it ended."""
        good = [run for run in self.runs if run.command == "sync" and run.exit_code in DONE]
        return min(known(run.synced_up_to or run.finished_at for run in good), default=None)


@dataclass
class Group:
    """Shops of one warehouse, and the tables beside them that settings name."""

    shops: list[Shop]
    orders: list[Row]
    refunds: dict[tuple[str, str], Decimal]  # amount by shop and Shopify refund
    rates: list[Row]
    labels_in_one: int  # label rates per unit of currency
    now: datetime
