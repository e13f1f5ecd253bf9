"""`backfill`: reads everything that was submitted in a range again. The sync cursor does not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loop_returns.api.windows import Window, split
from loop_returns.extract.days import DAY
from loop_returns.runs.asn import read_notices
from loop_returns.runs.finish import finish
from loop_returns.runs.plan import PlannedRequest, changed_days, planned_notices, planned_returns
from loop_returns.runs.session import session
from loop_returns.runs.walking import walk_returns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loop_returns.config import Settings
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.loading import Memory
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session


def backfill(
    settings: Settings | None = None,
    options: Options | None = None,
    *,
    start: datetime,
    end: datetime,
    progress: Progress | None = None,
    newest_first: bool = False,
    restart: bool = False,
) -> Run:
    """Reads all returns created from `start` to `end`, and their shipping notices; returns the account of the run.

    Windows that are loaded are remembered in the warehouse, so a killed backfill goes on where it was; `restart` starts
    over. Settings and options default as in `sync`. Raises LoopReturnsError; the ledger is written by then.
    """
    with session("backfill", settings, options, progress) as opened:
        now, options = opened.now, opened.options
        end = max(min(end, now), start)
        if options.wants("returns"):
            _read_returns(opened, start, end, newest_first=newest_first, restart=restart)
        if options.wants("advanced_shipping_notices"):
            _read_notices(opened, start, end)
        finish(opened)
        return opened.run


def plan(settings: Settings, options: Options, *, start: datetime, end: datetime) -> list[PlannedRequest]:
    """The requests that a backfill would send at least; asks nothing of Loop."""
    end = max(min(end, datetime.now(UTC)), start)
    planned: list[PlannedRequest] = []
    if options.wants("returns"):
        windows = backfill_windows(settings, start=start, end=end, newest_first=False)
        planned += planned_returns(settings, windows, column="created_at")
    if options.wants("advanced_shipping_notices"):
        first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date() + DAY
        planned += planned_notices(settings, first=first, last=last)
    return planned


def backfill_windows(settings: Settings, *, start: datetime, end: datetime, newest_first: bool) -> list[Window]:
    """What a backfill has to read of the returns list by `created_at`, in its order."""
    windows = split(start, end, width=timedelta(days=settings.window_days))
    return windows[::-1] if newest_first else windows


def _read_returns(opened: Session, start: datetime, end: datetime, *, newest_first: bool, restart: bool) -> None:
    name = f"{start.isoformat()}/{end.date().isoformat()}"
    earlier = opened.warehouse.state(opened.shop).get("backfills", {}).get(name, ())
    finished = set() if restart else set(earlier)
    every = backfill_windows(opened.settings, start=start, end=end, newest_first=newest_first)
    windows = [window for window in every if _label(window) not in finished]
    if len(windows) < len(every):
        opened.run.notices.append(f"Went on with a backfill that had {len(every) - len(windows)} of {len(every)} windows.")

    def done(memory: Memory, positions: Sequence[int]) -> None:
        finished.update(_label(windows[position]) for position in positions)
        memory.setdefault("backfills", {})[name] = sorted(finished)

    walk_returns(opened, windows, column="created_at", done=done)

    def forget(memory: Memory) -> None:
        memory.get("backfills", {}).pop(name, None)

    opened.then_remember(forget)


def _read_notices(opened: Session, start: datetime, end: datetime) -> None:
    extra = changed_days(opened.warehouse.state(opened.shop))
    first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date() + DAY
    read_notices(opened, first=first, last=last, extra=extra, to_now=False)

    def remember(memory: Memory) -> None:
        memory.pop("asn_days", None)

    opened.then_remember(remember)


def _label(window: Window) -> str:
    return f"{window.start.isoformat()}/{window.end.isoformat()}"
