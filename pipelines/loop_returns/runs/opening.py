"""Opens all that a run needs in the right order, and closes it whatever happens: lock, warehouse, client, ledger."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import duckdb

from loop_returns.errors import ConfigurationError, LoopReturnsError
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.state import ShopState
from loop_returns.runs.ledger import Run, RunJournal, to_table
from loop_returns.runs.overlaps import ended_by_now, note_overlaps
from loop_returns.runs.progress import Progress, Silent
from loop_returns.runs.publishing import publishing
from loop_returns.runs.repair import set_right
from loop_returns.runs.same_shop import refuse_another_shop
from loop_returns.runs.session import Options, Session
from loop_returns.settings import Settings, load
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.load import Warehouse
from loop_returns.warehouse.lock import hold, holder
from loop_returns.warehouse.permissions import open_warehouse

_SETS: Final = "50MB"  # of sets of rows in memory; what is more goes to disk


@contextmanager
def open_session(
    command: str, settings: Settings | None, options: Options | None, progress: Progress | None
) -> Iterator[Session]:
    """Opens a run and closes it: afterwards its outcome is in the ledger, or in the journal if the warehouse is away.

    Raises LockedError when another run holds the warehouse, and whatever the run raises.
    """
    settings, options, progress = settings or load(), options or Options(), progress or Silent()
    Privacy.of(settings)  # refuse a missing key before anything else
    target = options.target()
    place = None if options.dry_run else options.publish or settings.publish
    publish = publishing(target, place) if place else None
    for warning in open_warehouse(target.file) if target.file else ():
        progress.note(warning)
    if target.untried:
        progress.note(target.untried)
    run, journal = Run(command, settings.shop, timezone=settings.timezone), RunJournal(target.folder)
    noting = nullcontext() if options.dry_run else journal.noting(run)
    if options.wait and (other := holder(target)):
        progress.note(f"`{other.command}`, process {other.pid}, is at work on this warehouse: waiting for it.")
    with noting, hold(target, command=command, wait=options.wait) as confirm:
        if options.wait:
            run.started_at = datetime.now(UTC)  # waiting for the other one is no part of it
        journal.note(run)
        pages = target.folder / "pages"
        api = ApiReader(settings, pages, first_wait=options.limits.first_wait, on_retry=progress.waiting)
        with Warehouse(target, load_wait=options.limits.load_wait, confirm=confirm) as warehouse:
            sets = duckdb.connect(config={"threads": 1, "memory_limit": _SETS, "temp_directory": str(pages / "sets")})
            yield from _run(Session(settings, options, warehouse, api, run, progress, sets), journal)
        if publish and run.outcome in {"done", "drift"}:
            progress.doing("publishing")
            publish(run, confirm)


def _run(session: Session, journal: RunJournal) -> Iterator[Session]:
    run, warehouse = session.run, session.warehouse
    try:
        with session.api, session.sets:
            warehouse.restore()
            before = ended_by_now(warehouse, run)
            _prepare(session, journal)
            yield session
        _close(session)
        mine = _write_ledger(session, journal)
        if note_overlaps(run, before, ended_by_now(warehouse, run), mine=mine):
            session.state = replace(session.state, verified=None)  # so that the next run checks everything
            _write_ledger(session, journal)
    except BaseException as error:
        _close(session, error)
        with suppress(LoopReturnsError):  # a full disk: `error` says it already
            journal.note(run)
        file = warehouse.target.file
        if file is None or file.exists():  # a run that fails before it begins leaves no database
            with suppress(Exception):  # the warehouse may be what failed; then the next run writes it
                warehouse.close()  # a database that broke has to be opened anew
                warehouse.restore()
                session.state = ShopState.read(warehouse.state(session.shop))  # a load whose answer was lost may count
                _write_ledger(session, journal)
        raise


def _prepare(session: Session, journal: RunJournal) -> None:
    run, warehouse = session.run, session.warehouse
    session.state = ShopState.read(warehouse.state(session.shop)).under(Privacy.of(session.settings))
    session.clock = session.api.clock()
    if session.clock.doubt:
        run.notices.append(session.clock.doubt)
        run.go_by(session.clock.now)
    if not session.options.dry_run:
        # only now, so that a run that Loop refuses leaves no database
        session.state, said = set_right(warehouse, session.state, session.settings, session.clock)
        session.verified_before = session.state.verified
        run.notices += said
        journal.note(run)  # with what it has set right, should it be killed
    elif warehouse.is_empty:
        raise ConfigurationError("There is nothing to compare with yet: run `loop-returns sync` first.")
    if not (session.options.allow_deletions and run.command == "reconcile"):  # the way on when all returns are gone
        with warehouse.reader() as reader:
            refuse_another_shop(session.api.client, reader, shop=session.shop)


def _close(session: Session, error: BaseException | None = None) -> None:
    run, stats = session.run, session.api.client.stats
    run.requests, run.retries, run.too_many_requests = stats.requests, stats.retries, stats.too_many
    run.notices += [note for note in session.warehouse.notes if note not in run.notices]
    run.end(error)


def _write_ledger(session: Session, journal: RunJournal) -> set[str]:
    """Writes this run, those that the ledger does not have yet, and the state with them; returns their ids."""
    if session.options.dry_run:
        journal.acknowledge([session.run.run_id])
        return set()
    journal.note(session.run)
    records = journal.unreported()
    session.warehouse.load_tables({RUNS.name: to_table(records)}, shop=session.shop, state=session.state.written())
    written = {str(record["run_id"]) for record in records}
    journal.acknowledge(written)
    return written
