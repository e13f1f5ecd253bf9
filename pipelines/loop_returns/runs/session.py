"""Everything a run needs, opened in the right order and closed whatever happens: lock, warehouse, client, ledger."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

import duckdb

from loop_returns import __version__, marts
from loop_returns.errors import ConfigurationError, LoopReturnsError
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.clocks import Clocks
from loop_returns.extract.planning import ReturnsPlan
from loop_returns.extract.reading import LIMITS, Limits, Reading, root_of
from loop_returns.extract.scheduler import Answered, WindowDone
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import is_recheck
from loop_returns.runs.checks import run_checks
from loop_returns.runs.ledger import Run, RunJournal, to_table
from loop_returns.runs.progress import Silent, counted
from loop_returns.runs.repair import set_right
from loop_returns.runs.same_shop import refuse_another_shop
from loop_returns.settings import Settings, load
from loop_returns.source import loop_returns_source
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.comments import write_comments
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.load import Warehouse
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.permissions import open_warehouse
from loop_returns.warehouse.publish import publish, publish_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from loop_returns.extract.planning import Plan
    from loop_returns.extract.reading import Compare
    from loop_returns.extract.scheduler import Event
    from loop_returns.runs.progress import Progress
    from loop_returns.warehouse.destination import Target

RESOURCES: Final = ("returns", "advanced_shipping_notices")


@dataclass(frozen=True)
class Options:
    """What the command line says about one run. `only` is a set of resource names; None means all."""

    destination: str = "duckdb"
    dataset: str = "loop_returns"
    file: str | None = None  # of DuckDB; None: the configured one, or loop.duckdb
    only: frozenset[str] | None = None
    dry_run: bool = False
    publish: str | None = None
    allow_deletions: bool = False
    limits: Limits = LIMITS

    def wants(self, resource: str) -> bool:
        """True when the run is to read this resource."""
        return self.only is None or resource in self.only

    def target(self) -> Target:
        """The warehouse. Raises ConfigurationError when there can be none."""
        return find_target(destination=self.destination, dataset=self.dataset, file=self.file)


@dataclass
class Session:
    """A run that has begun.

    Attributes:
        state: what is loaded so far, as the next load will write it.
        verified_before: the version of the program that found everything in order before this run.
        clock: the time at the start of the run.
        sets: a DuckDB in memory for questions about sets of rows.
    """

    settings: Settings
    options: Options
    warehouse: Warehouse
    api: ApiReader
    run: Run
    progress: Progress
    sets: duckdb.DuckDBPyConnection
    state: ShopState = field(default_factory=ShopState)
    verified_before: str | None = None
    clock: Clocks = field(default_factory=Clocks.here)

    @property
    def now(self) -> datetime:
        """Loop's clock at the start of the run."""
        return self.clock.now

    @property
    def shop(self) -> str:
        """The configured shop name."""
        return self.settings.shop

    def read(self, plan: Plan, compare: Compare, *, watch: Callable[[Event], None] = lambda _: None) -> None:
        """Reads a plan and loads it chunk by chunk, what `compare` makes of each. `watch` sees every event as it comes.

        Raises what the API's client and the warehouse raise.
        """
        is_returns = isinstance(plan, ReturnsPlan)
        what = "returns" if is_returns else "shipping notices"
        then = "shipping notices" if is_returns and self.options.wants("advanced_shipping_notices") else ""
        self.progress.begin(what, len(plan.windows), per_minute=self.settings.requests_per_minute, then=then)

        def note(event: Event) -> None:
            self._note(event, plan)
            watch(event)

        reading = Reading(self.api, plan, self.state, compare, self.options.limits, note)
        with closing(reading):
            while reading.advance():
                self._load(reading)
                self.state = reading.state
        self.state = reading.state

    def finish(self, *, check_all: bool = False) -> None:
        """Refreshes marts and comments and checks the data, where that has not been done since the last load.

        Where everything was sound before, only what this run loaded is checked, unless `check_all`. A failed check makes the
        run's outcome `check_failed` and its exit code 3; warnings only stand in the report.
        """
        pipeline, kind = self.warehouse.pipeline, self.settings.marts
        in_order = self.state.verified == __version__ and not check_all
        if self.options.dry_run or (in_order and (kind == "off" or marts.are_there(pipeline))):
            return
        self.progress.doing("refreshing marts, checking the data")
        loads = self.warehouse.loads or None if self.verified_before == __version__ and not check_all else None
        with self.warehouse.explained():
            if kind != "off":
                marts.refresh(pipeline, as_tables=kind == "tables")
            self.warehouse.notes += write_comments(pipeline, marts.column_comments())
            checks = run_checks(pipeline, shop=self.shop, loads=loads)
        self.run.checks = [asdict(check) for check in checks if check.failed]
        sound = not any(check.failed and check.severity == "error" for check in checks)
        if not sound:
            self.run.outcome, self.run.exit_code = "check_failed", 3
        # after a failed check the next run checks everything again
        self.state = replace(self.state, verified=__version__ if sound else None)

    def _load(self, reading: Reading) -> None:
        assert reading.chunk is not None  # noqa: S101 # for mypy: `advance` was true
        if reading.chunk.tables:
            rows = sum(table.num_rows for table in reading.chunk.tables.values())
            self.progress.doing(f"loading {counted(rows, 'row')}")
            columns = self.warehouse.load(lambda: loop_returns_source(reading=reading))
            self.run.new_columns += [name for name in columns if name not in self.run.new_columns]
            reading.chunk.tables.clear()  # dlt's objects may live on for a while, and would keep the rows
        self.progress.loaded()
        self.run.tally.add(reading.chunk.tally)  # only now, so that the ledger counts what has landed

    def _note(self, event: Event, plan: Plan) -> None:
        if isinstance(event, WindowDone):
            self.run.windows += 1
            self.progress.window_done(plan.label(event.root))
        elif isinstance(event, Answered):
            self.run.edge_checks += is_recheck(event.task)
            rows, left = event.page.tables[root_of(plan)].num_rows if event.page.tables else 0, self.api.rate_limiter.left()
            self.progress.answered(rows=rows, returns=rows if isinstance(plan, ReturnsPlan) else 0, left=left)


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
    copy = options.publish or settings.publish
    if copy is not None:
        publish_path(target, copy)  # refuse a useless path before a long run, not after it
    for warning in open_warehouse(target.file) if target.file else ():
        progress.note(warning)
    run, journal = Run(command, settings.shop), RunJournal(target.folder)
    noting = nullcontext() if options.dry_run else journal.noting(run)
    with noting, hold(target, command=command) as confirm:
        journal.note(run)
        api = ApiReader(settings, first_wait=options.limits.first_wait, on_retry=progress.waiting)
        with Warehouse(target, load_wait=options.limits.load_wait, confirm=confirm) as warehouse:
            sets = duckdb.connect(config={"threads": 1})
            yield from _run(Session(settings, options, warehouse, api, run, progress, sets), journal)
        if copy is not None and run.outcome in {"done", "drift"} and not options.dry_run:
            publish(target, copy)


def _run(session: Session, journal: RunJournal) -> Iterator[Session]:
    run, warehouse = session.run, session.warehouse
    try:
        with session.api, session.sets:
            warehouse.restore()
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
            yield session
        _close(session)
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


def _close(session: Session, error: BaseException | None = None) -> None:
    run, stats = session.run, session.api.client.stats
    run.requests, run.retries, run.too_many_requests = stats.requests, stats.retries, stats.too_many
    run.notices += [note for note in session.warehouse.notes if note not in run.notices]
    run.end(error)


def _write_ledger(session: Session, journal: RunJournal) -> None:
    """Writes this run, those that the ledger does not have yet, and the state with them."""
    if session.options.dry_run:
        journal.acknowledge([session.run.run_id])
        return
    journal.note(session.run)
    records = journal.unreported()
    session.warehouse.load_tables({RUNS.name: to_table(records)}, shop=session.shop, state=session.state.written())
    journal.acknowledge(record["run_id"] for record in records)
