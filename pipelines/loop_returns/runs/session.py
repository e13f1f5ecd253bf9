"""Everything a run needs, opened in the right order and closed whatever happens: lock, warehouse, client, ledger."""

from __future__ import annotations

import gc
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from loop_returns.api.errors import ChangeSettings, LoopReturnsError
from loop_returns.config import Settings, load
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.planning import ReturnsPlan
from loop_returns.extract.reading import LIMITS, Limits, Reading
from loop_returns.extract.scheduler import Answered, WindowDone
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import is_recheck
from loop_returns.runs.ledger import Notebook, Run, to_table
from loop_returns.runs.progress import Silent
from loop_returns.source import loop_returns_source
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.destination import DUCKDB_FILE, find_target
from loop_returns.warehouse.failures import was_interrupted
from loop_returns.warehouse.load import Warehouse
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.publish import publish, publish_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loop_returns.extract.api_reader import Event
    from loop_returns.extract.planning import Plan
    from loop_returns.extract.reading import Compare
    from loop_returns.runs.progress import Progress
    from loop_returns.warehouse.destination import Target

RESOURCES: Final = ("returns", "advanced_shipping_notices")


@dataclass(frozen=True)
class Options:
    """What the command line says about one run. `only` is a set of resource names; None means all."""

    destination: str = "duckdb"
    dataset: str = "loop_returns"
    file: str = DUCKDB_FILE
    only: frozenset[str] | None = None
    dry_run: bool = False
    publish: str | None = None
    limits: Limits = LIMITS

    def wants(self, resource: str) -> bool:
        """True when the run is to read this resource."""
        return self.only is None or resource in self.only

    def target(self) -> Target:
        """The warehouse. Raises ChangeSettings when there can be none."""
        return find_target(destination=self.destination, dataset=self.dataset, file=self.file)


@dataclass
class Session:
    """An open run.

    Attributes:
        state: what is loaded so far, as the next load will write it.
        verified_before: the version of the program that found everything in order before this run.
        now: Loop's clock at the start of the run.
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
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def shop(self) -> str:
        """The configured shop name."""
        return self.settings.shop

    def read(
        self, plan: Plan, compare: Compare, *, limits: Limits | None = None, watch: Callable[[Event], None] = lambda _: None
    ) -> None:
        """Reads a plan and loads it chunk by chunk, what `compare` makes of each. `watch` sees every event as it comes.

        Raises what the API's client and the warehouse raise.
        """
        self.progress.windows(len(plan.windows))

        def see(event: Event) -> None:
            self._note(event, plan)
            watch(event)

        reading = Reading(self.api, plan, self.state, compare, limits or self.options.limits, see)
        with closing(reading):
            while reading.advance():
                self._load(reading)
                self.state = reading.state
        self.state = reading.state

    def _load(self, reading: Reading) -> None:
        assert reading.chunk is not None  # noqa: S101 # for mypy: `advance` was true
        self.run.tally.add(reading.chunk.tally)
        if reading.chunk.tables:
            columns = self.warehouse.load(lambda: loop_returns_source(reading=reading))
            self.run.new_columns += [name for name in columns if name not in self.run.new_columns]
            reading.chunk.tables.clear()  # dlt's objects may live on for a while, and would keep the rows

    def _note(self, event: Event, plan: Plan) -> None:
        if isinstance(event, WindowDone):
            self.run.windows += 1
            self.progress.window_done(plan.label(event.root))
        elif isinstance(event, Answered):
            self.run.edge_checks += is_recheck(event.task)
            if event.page.shaped is not None and isinstance(plan, ReturnsPlan):
                self.progress.rows(event.page.shaped.tables["returns"].num_rows)
            self.progress.budget(self.api.pace.left())


@contextmanager
def session(
    command: str, settings: Settings | None, options: Options | None, progress: Progress | None
) -> Iterator[Session]:
    """Opens a run and closes it: afterwards the ledger says what happened, in the warehouse or, if it is away, here.

    Raises Busy when another run holds the warehouse, and whatever the run raises.
    """
    settings, options, progress = settings or load(), options or Options(), progress or Silent()
    target = options.target()
    copy = options.publish or settings.publish
    if copy is not None:
        publish_path(target, copy)  # refuse a useless path before a long run, not after it
    run = Run(command, settings.shop)
    with hold(target, command=command), _frugal():
        notebook = Notebook(target.folder)
        notebook.note(run)
        with Warehouse(target, load_wait=options.limits.load_wait) as warehouse:
            yield from _run(
                Session(settings, options, warehouse, ApiReader(settings), run, progress, _in_memory()), notebook
            )
        if copy is not None and run.outcome in {"done", "drift"} and not options.dry_run:
            publish(target, copy)


def _run(opened: Session, notebook: Notebook) -> Iterator[Session]:
    run, warehouse = opened.run, opened.warehouse
    try:
        with opened.api, opened.sets:
            warehouse.recall()
            opened.state = ShopState.read(warehouse.state(opened.shop))
            opened.verified_before = opened.state.verified
            opened.now = opened.api.clock()
            _prepare(opened)
            yield opened
        _close(opened)
        _write_ledger(opened, notebook)
    except BaseException as error:
        _close(opened, error)
        notebook.note(run)
        target = warehouse.target
        if target.file is None or target.file.exists():  # a run that fails before it begins leaves no database
            with suppress(Exception):  # the warehouse may be what failed; then the next run writes it
                warehouse.close()  # a database that broke has to be opened anew
                warehouse.recall()
                opened.state = ShopState.read(warehouse.state(opened.shop))  # a load whose answer was lost may count
                _write_ledger(opened, notebook)
        raise


def _prepare(opened: Session) -> None:
    """Makes what tables are lacking; only now, so that a run that Loop refuses leaves no database."""
    if not opened.options.dry_run:
        opened.warehouse.prepare()
    elif opened.warehouse.is_empty:
        raise ChangeSettings("There is nothing to compare with yet: run `loop-returns sync` first.")


def _in_memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


@contextmanager
def _frugal() -> Iterator[None]:
    """Keeps Python's garbage collector from walking through all loaded modules again and again while pages are decoded.

    And lets Arrow take its memory from the system: its own pool keeps what it has had.
    """
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        pa.set_memory_pool(pool)


def _close(opened: Session, error: BaseException | None = None) -> None:
    run, stats = opened.run, opened.api.client.stats
    run.requests, run.retries, run.too_many_requests = stats.requests, stats.retries, stats.too_many
    run.finished_at = datetime.now(UTC)
    if error is None:
        if run.outcome == "running":
            run.outcome, run.exit_code = "done", 0
        return
    run.error_class, run.synced_up_to = type(error).__name__, None
    if isinstance(error, GeneratorExit) or was_interrupted(error):
        run.outcome, run.exit_code, run.error_message = "interrupted", 1, "Interrupted."
    else:
        run.outcome, run.cursor_after = "failed", None
        run.exit_code = error.exit_code if isinstance(error, LoopReturnsError) else 1
        run.error_message = str(error) if isinstance(error, LoopReturnsError) else repr(error)


def _write_ledger(opened: Session, notebook: Notebook) -> None:
    """Writes this run and those the warehouse has not heard of, and the state with them."""
    if opened.options.dry_run:
        notebook.forget([opened.run.run_id])
        return
    notebook.note(opened.run)
    records = notebook.unheard()
    opened.warehouse.load_tables({RUNS.name: to_table(records)}, shop=opened.shop, state=opened.state.written())
    notebook.forget(record["run_id"] for record in records)
