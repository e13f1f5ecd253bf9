"""`sync`: brings the warehouse up to date. The first run reads everything, later ones what changed since the cursor."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loop_returns.extract.days import DAY
from loop_returns.extract.planning import horizon, notices_plan, requests_of, sync_plan
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.finish import finish
from loop_returns.runs.notices import planned, read_notices
from loop_returns.runs.session import session
from loop_returns.runs.status import remembered

if TYPE_CHECKING:
    from loop_returns.config import Settings
    from loop_returns.extract.planning import PlannedRequest
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session


def sync(settings: Settings | None = None, options: Options | None = None, *, progress: Progress | None = None) -> Run:
    """Reads what changed at Loop and loads it; returns the account of the run.

    Without settings they are resolved the dlt way; without options everything goes into `loop.duckdb`, without a word.

    The cursor is the greatest `updated_at` of what is loaded without a gap, and moves window by window, oldest first, with
    the rows that it stands for. Raises LoopReturnsError; the ledger is written by then.
    """
    with session("sync", settings, options, progress) as opened:
        run = opened.run
        run.cursor_before = run.cursor_after = opened.state.cursor
        compare = Comparison(opened)
        if opened.options.wants("returns"):
            opened.read(sync_plan(opened.settings, opened.state, now=opened.now), compare)
            run.cursor_after, run.synced_up_to = opened.state.cursor, opened.now
        if opened.options.wants("advanced_shipping_notices"):
            _read_notices(opened, compare)
        finish(opened)
        return run


def plan(settings: Settings, options: Options) -> list[PlannedRequest]:
    """The requests that a sync would send at least; asks nothing of Loop."""
    state = remembered(settings, options)
    now = datetime.now(UTC)
    requests: list[PlannedRequest] = []
    if options.wants("returns"):
        requests += requests_of(sync_plan(settings, state, now=now), settings)
    if options.wants("advanced_shipping_notices"):
        notices = notices_plan(settings, *horizon(settings, state, now=now), due=state.days_due)
        requests += requests_of(notices, settings)
    return requests


def _read_notices(opened: Session, compare: Comparison) -> None:
    """Reads the rolling horizon, stretched back to the last time, and the days of older returns that changed."""
    first, last = horizon(opened.settings, opened.state, now=opened.now)
    read_notices(opened, planned(opened, first, last, due=opened.state.days_due, read=last - DAY), compare)
