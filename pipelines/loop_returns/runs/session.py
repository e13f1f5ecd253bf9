"""Everything a run needs, opened in the right order and closed whatever happens: lock, warehouse, client, ledger."""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from loop_returns import __version__
from loop_returns.api.errors import LoopReturnsError
from loop_returns.config import Settings, load
from loop_returns.extract.api_reader import Shop
from loop_returns.runs.ledger import Notebook, Run, to_table
from loop_returns.runs.progress import Silent
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse import pending
from loop_returns.warehouse.destination import DUCKDB_FILE, find_target
from loop_returns.warehouse.load import Warehouse
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.publish import publish, publish_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loop_returns.runs.progress import Progress

RESOURCES: Final = ("returns", "advanced_shipping_notices")


@dataclass(frozen=True)
class Options:
    """What the command line says about one run. `only` is a set of resource names; None means all."""

    destination: str = "duckdb"
    dataset: str = "loop_returns"
    file: str = DUCKDB_FILE
    only: frozenset[str] | None = None
    dry_run: bool = False
    abort_pending: bool = False
    publish: str | None = None

    def wants(self, resource: str) -> bool:
        """True when the run is to read this resource."""
        return self.only is None or resource in self.only


@dataclass
class Session:
    """An open run."""

    settings: Settings
    options: Options
    warehouse: Warehouse
    source: Shop
    run: Run
    progress: Progress
    remember: Callable[[dict[str, Any]], None] | None = None  # what is to be kept with the ledger, if the run ends well
    checked: bool = False  # everything in the warehouse was found sound before this run
    now: datetime = field(default_factory=lambda: datetime.now(UTC))  # Loop's clock at the start of the run

    @property
    def shop(self) -> str:
        """The configured shop name."""
        return self.settings.shop

    def then_remember(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Adds a change to the shop's memory that goes into the warehouse with the ledger, if the run ends well."""
        before = self.remember

        def both(memory: dict[str, Any]) -> None:
            if before is not None:
                before(memory)
            change(memory)

        self.remember = both


@contextmanager
def session(
    command: str, settings: Settings | None, options: Options | None, progress: Progress | None
) -> Iterator[Session]:
    """Opens a run and closes it: afterwards the ledger says what happened, in the warehouse or, if it is away, here.

    Raises Busy when another run holds the warehouse, and whatever the run raises.
    """
    settings, options, progress = settings or load(), options or Options(), progress or Silent()
    target = find_target(destination=options.destination, dataset=options.dataset, file=options.file)
    copy = options.publish or settings.publish
    if copy is not None:
        publish_path(target, copy)  # refuse a useless path before a long run, not after it
    run = Run(command, settings.shop)
    with hold(target, command=command), _frugal():
        notebook = Notebook(target.folder)
        notebook.note(run)
        warehouse = Warehouse(target)
        source = Shop(settings)
        opened = Session(settings, options, warehouse, source, run, progress)
        try:
            with source:
                with warehouse.file.held():
                    _settle_the_past(opened)
                opened.checked = warehouse.state(opened.shop).get("finished") == __version__
                opened.now = source.clock()
                yield opened
            _close(opened)
            _write_ledger(opened, notebook)
            if copy is not None and run.outcome in {"done", "drift"} and not options.dry_run:
                publish(target, copy)
        except BaseException as error:
            _close(opened, error)
            notebook.note(run)
            if target.file is None or target.file.exists():  # a run that fails before it begins leaves no database
                with suppress(Exception):  # the warehouse may be what failed; then the next run writes it
                    _write_ledger(opened, notebook)
            raise


@contextmanager
def _frugal() -> Iterator[None]:
    """Spares Python's garbage collector to walk through all loaded modules again and again while pages are decoded.

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


def _settle_the_past(opened: Session) -> None:
    """Finishes what a killed run left, then takes the memory from the destination."""
    warehouse, run = opened.warehouse, opened.run
    if warehouse.has_pending and opened.options.dry_run:
        run.notices.append("An earlier run left a load unfinished; what it read is not in the warehouse yet.")
        return
    if warehouse.has_pending and opened.options.abort_pending:
        pending.give_up(warehouse.pipeline)
        run.notices.append("Gave up the load package of an earlier run; its rows are read again.")
    elif warehouse.has_pending:
        opened.progress.note("Finishing what an earlier run had read but not loaded.")
        done = warehouse.finish_pending()
        run.notices.append(
            "Finished the load of an earlier run first."
            if done
            else "An earlier run was cut off in a way that left its load unreadable; its rows are read again."
        )
    warehouse.recall()


def _close(opened: Session, error: BaseException | None = None) -> None:
    run, stats = opened.run, opened.source.client.stats
    run.edge_checks = opened.source.edge_checks
    run.requests, run.retries, run.too_many_requests = stats.requests, stats.retries, stats.too_many
    run.finished_at = datetime.now(UTC)
    if error is None:
        if run.outcome == "running":
            run.outcome, run.exit_code = "done", 0
        return
    run.error_class = type(error).__name__
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        run.outcome, run.exit_code, run.error_message = "interrupted", 1, "Interrupted."
    else:
        run.outcome, run.cursor_after = "failed", None
        run.exit_code = error.exit_code if isinstance(error, LoopReturnsError) else 1
        run.error_message = str(error) if isinstance(error, LoopReturnsError) else repr(error)


def _write_ledger(opened: Session, notebook: Notebook) -> None:
    """Writes this run and those the warehouse has not heard of; what the run still has to remember goes with them."""
    if opened.options.dry_run:
        notebook.forget([opened.run.run_id])
        return
    if opened.warehouse.has_pending:  # dlt would load that and drop this: the next run writes both
        return
    notebook.note(opened.run)
    records = notebook.unheard()
    remember = opened.remember if opened.run.error_class is None else None
    opened.warehouse.load({RUNS.name: to_table(records)}, shop=opened.shop, remember=remember)
    notebook.forget(record["run_id"] for record in records)
