"""`sync`: brings the warehouse up to date. The first run reads everything, later ones what changed since the cursor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loop_returns.api.windows import Window, split
from loop_returns.extract.days import DAY
from loop_returns.runs.asn import read_notices
from loop_returns.runs.finish import finish
from loop_returns.runs.plan import (
    PlannedRequest,
    changed_days,
    horizon,
    planned_notices,
    planned_returns,
    remembered,
)
from loop_returns.runs.session import session
from loop_returns.runs.walking import walk_returns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loop_returns.config import Settings
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.loading import Memory
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session


def sync(settings: Settings | None = None, options: Options | None = None, *, progress: Progress | None = None) -> Run:
    """Reads what changed at Loop and loads it; returns the account of the run.

    Without settings they are resolved the dlt way; without options everything goes into `loop.duckdb`, without a word.

    The cursor is the server's own time at the start of the run, and it moves window by window, oldest first, with the rows
    it stands for. Raises LoopReturnsError; the ledger is written by then.
    """
    with session("sync", settings, options, progress) as opened:
        now, options = opened.now, opened.options
        memory = opened.warehouse.state(opened.shop)
        cursor = read_cursor(memory)
        opened.run.cursor_before = opened.run.cursor_after = cursor
        if options.wants("returns"):
            _read_returns(opened, sync_windows(opened.settings, cursor=cursor, now=now))
        if options.wants("advanced_shipping_notices"):
            _read_notices(opened)
        finish(opened)
        return opened.run


def plan(settings: Settings, options: Options) -> list[PlannedRequest]:
    """The requests that a sync would send at least; asks nothing of Loop."""
    memory = remembered(settings, options)
    now = datetime.now(UTC)
    planned: list[PlannedRequest] = []
    if options.wants("returns"):
        windows = sync_windows(settings, cursor=read_cursor(memory), now=now)
        planned += planned_returns(settings, windows, column="updated_at")
    if options.wants("advanced_shipping_notices"):
        first, last = horizon(settings, memory, now=now)
        planned += planned_notices(settings, first=first, last=last, extra=changed_days(memory))
    return planned


def sync_windows(settings: Settings, *, cursor: datetime | None, now: datetime) -> list[Window]:
    """What a sync has to read of the returns list by `updated_at`, oldest first."""
    start = settings.start_date if cursor is None else min(cursor, now) - settings.lookback
    return split(min(start, now), now, width=timedelta(days=settings.window_days))


def read_cursor(memory: Memory) -> datetime | None:
    """The cursor that a shop's memory holds."""
    text = memory.get("cursor")
    return None if text is None else datetime.fromisoformat(text)


def _read_returns(opened: Session, windows: Sequence[Window]) -> None:
    read: set[int] = set()
    run = opened.run

    def done(memory: Memory, positions: Sequence[int]) -> None:
        """The cursor moves over windows that are whole, as far as they adjoin."""
        read.update(positions)
        reached = 0
        while reached in read:
            reached += 1
        if reached:
            end = windows[reached - 1].end
            before = read_cursor(memory)
            memory["cursor"] = (end if before is None else max(before, end)).isoformat()

    walk_returns(opened, windows, column="updated_at", done=done)
    run.cursor_after = max(windows[-1].end, run.cursor_before or windows[-1].end)


def _read_notices(opened: Session) -> None:
    """Reads the rolling horizon, stretched back to the last time, and the days of older returns that changed."""
    memory = opened.warehouse.state(opened.shop)
    first, last = horizon(opened.settings, memory, now=opened.now)
    read_notices(opened, first=first, last=last, extra=changed_days(memory))

    def remember(kept: Memory) -> None:
        kept.pop("asn_days", None)
        kept["asn_read"] = (last - DAY).isoformat()

    opened.then_remember(remember)
