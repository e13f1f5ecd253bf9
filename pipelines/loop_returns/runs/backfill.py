"""`backfill`: reads everything that was submitted in a range again. The sync cursor does not move."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loop_returns.extract.days import DAY
from loop_returns.extract.planning import backfill_plan, notices_plan, requests_of
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.finish import finish
from loop_returns.runs.notices import planned, read_notices
from loop_returns.runs.session import session
from loop_returns.runs.status import remembered

if TYPE_CHECKING:
    from datetime import date

    from loop_returns.config import Settings
    from loop_returns.extract.planning import PlannedRequest
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options


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
        options, run = opened.options, opened.run
        compare = Comparison(opened)
        end = max(min(end, opened.now), start)
        if options.wants("returns"):
            returns, loaded = backfill_plan(
                opened.settings, opened.state, start, end, newest_first=newest_first, restart=restart
            )
            if restart:
                opened.state = opened.state.with_backfill(str(returns.backfill), ())
            if loaded:
                whole = loaded + len(returns.windows)
                run.notices.append(f"Went on with a backfill that had {loaded} of {whole} windows.")
            opened.read(returns, compare)
        if options.wants("advanced_shipping_notices"):
            notices = planned(opened, *_days(start, end), due=opened.state.days_due)
            read_notices(opened, notices, compare, to_now=False)
        finish(opened)
        return run


def plan(settings: Settings, options: Options, *, start: datetime, end: datetime) -> list[PlannedRequest]:
    """The requests that a backfill would send at least; asks nothing of Loop."""
    state = remembered(settings, options)
    end = max(min(end, datetime.now(UTC)), start)
    requests: list[PlannedRequest] = []
    if options.wants("returns"):
        requests += requests_of(backfill_plan(settings, state, start, end)[0], settings)
    if options.wants("advanced_shipping_notices"):
        requests += requests_of(notices_plan(settings, *_days(start, end), due=state.days_due), settings)
    return requests


def _days(start: datetime, end: datetime) -> tuple[date, date]:
    return start.astimezone(UTC).date(), end.astimezone(UTC).date() + DAY
