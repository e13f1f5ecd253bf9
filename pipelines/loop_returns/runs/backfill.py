"""`backfill`: reads everything that was submitted in a range again. The sync cursor does not move."""

from datetime import UTC, date, datetime

from loop_returns.api.windows import DAY
from loop_returns.extract.planning import (
    NO_RETURNS,
    Plan,
    PlannedRequest,
    backfill_plan,
    notices_plan,
    request_of,
    requests_of,
)
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.ledger import Run
from loop_returns.runs.notices import read_with_notices
from loop_returns.runs.opening import open_session
from loop_returns.runs.others import Others, due_tasks
from loop_returns.runs.privacy import redact, review
from loop_returns.runs.progress import Progress, counted
from loop_returns.runs.session import Options
from loop_returns.runs.status import shop_state
from loop_returns.settings import Settings


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

    Windows that are loaded are noted in the warehouse, so a killed backfill goes on where it was; `restart` starts
    over. Settings and options default as in `sync`. Raises LoopReturnsError; the ledger is written by then.
    """
    with open_session("backfill", settings, options, progress) as session:
        options, run = session.options, session.run
        compare, returns = Comparison(session), NO_RETURNS
        end = max(min(end, session.clock.latest), start)
        if options.wants("returns"):
            returns, loaded = backfill_plan(
                session.settings, session.state, start, end, newest_first=newest_first, restart=restart
            )
            if restart:
                session.state = session.state.with_backfill(str(returns.backfill), ())
            if loaded:
                every = counted(loaded + len(returns.windows), "window")
                run.notices.append(f"Went on with a backfill that had {loaded} of {every}.")
        others = Others(session, compare, start=start, end=end)
        if options.wants("advanced_shipping_notices"):
            read_with_notices(session, compare, returns, *_days(start, end), to_now=False, others=others.tasks, watch=others)
        else:
            session.read(compare, returns=returns, others=others.tasks, watch=others)
        others.finish()
        redact(session, start, end)
        review(session)
        session.finish()
        return run


def plan(settings: Settings, options: Options, *, start: datetime, end: datetime) -> list[PlannedRequest]:
    """The requests that a backfill would send at least; sends no request."""
    state = shop_state(settings, options)
    end = max(min(end, datetime.now(UTC)), start)
    plans: list[Plan] = []
    if options.wants("returns"):
        plans.append(backfill_plan(settings, state, start, end)[0])
    if options.wants("advanced_shipping_notices"):
        plans.append(notices_plan(settings, *_days(start, end), due=state.days_due))
    others = due_tasks(settings, options, state, end, start=start)
    return [*(request for one in plans for request in requests_of(one, settings)), *map(request_of, others)]


def _days(start: datetime, end: datetime) -> tuple[date, date]:
    return start.astimezone(UTC).date(), end.astimezone(UTC).date() + DAY
