"""`sync`: brings the warehouse up to date. The first run reads everything, later ones what changed since the cursor."""

from loop_returns.extract.clocks import Clocks
from loop_returns.extract.planning import (
    NO_RETURNS,
    Plan,
    PlannedRequest,
    horizon,
    notices_plan,
    request_of,
    requests_of,
    starts_earlier,
    sync_plan,
)
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.ledger import Run
from loop_returns.runs.notices import read_with_notices
from loop_returns.runs.opening import open_session
from loop_returns.runs.others import Others, due_tasks
from loop_returns.runs.privacy import review
from loop_returns.runs.progress import Progress
from loop_returns.runs.session import Options
from loop_returns.runs.status import shop_state
from loop_returns.settings import Settings
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN


def sync(settings: Settings | None = None, options: Options | None = None, *, progress: Progress | None = None) -> Run:
    """Reads what changed at Loop and loads it; returns the account of the run.

    Without settings they are resolved the dlt way; without options everything goes into `loop.duckdb`.

    The cursor is the greatest `updated_at` of what is loaded without a gap, and moves window by window, oldest first, with
    the rows that it stands for. Raises LoopReturnsError; the ledger is written by then.
    """
    with open_session("sync", settings, options, progress) as session:
        run, clock = session.run, session.clock
        run.cursor_before = run.cursor_after = session.state.cursor
        compare, returns = Comparison(session), NO_RETURNS
        others = Others(session, compare, end=clock.stopped(session.options.until).latest)
        if session.options.wants("returns"):
            returns = sync_plan(session.settings, session.state, clock.stopped(session.options.until))
            if starts_earlier(session.settings, session.state):
                run.notices.append(
                    f"The setting `start_date` ({session.settings.start_date:%Y-%m-%d}) is earlier than before "
                    f"({session.state.since:%Y-%m-%d}): everything was read again from there."
                )
        if session.options.wants("advanced_shipping_notices"):
            # the rolling horizon, stretched back to the last time, and the days of older returns that changed
            first, last = horizon(session.settings, session.state, clock)
            day, tasks = clock.earliest.date(), others.tasks
            if read_with_notices(session, compare, returns, first, last, read=day, others=tasks, watch=others) is not None:
                run.notices_up_to, run.resources[ASN.name] = clock.now, "read"
        else:
            session.read(compare, returns=returns, others=others.tasks, watch=others)
        if returns.windows:
            run.resources[RETURNS.name] = "read"
            run.cursor_after, run.synced_up_to = session.state.cursor, clock.stopped(session.options.until).now
        others.finish()
        review(session)
        session.finish()
        return run


def plan(settings: Settings, options: Options) -> list[PlannedRequest]:
    """The requests that a sync would send at least; sends no request."""
    state = shop_state(settings, options)
    clock = Clocks.here()
    stopped = clock.stopped(options.until)
    plans: list[Plan] = []
    if options.wants("returns"):
        plans.append(sync_plan(settings, state, stopped))
    if options.wants("advanced_shipping_notices"):
        plans.append(notices_plan(settings, *horizon(settings, state, clock), due=state.days_due))
    others = due_tasks(settings, options, state, stopped.latest)
    return [*(request for one in plans for request in requests_of(one, settings)), *map(request_of, others)]
