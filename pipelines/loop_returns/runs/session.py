"""What a run has in hand while it works: it reads and loads, then refreshes the marts and checks the data."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa
from dlt.destinations.exceptions import DatabaseException

from loop_returns import __version__, marts
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.clocks import Clocks
from loop_returns.extract.planning import NO_NOTICES, NO_RETURNS, NoticesPlan, ReturnsPlan
from loop_returns.extract.reading import LIMITS, Compare, Limits, Reading, listed
from loop_returns.extract.resource_tasks import ResourceTask
from loop_returns.extract.scheduler import Answered, Event, WindowDone
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import ListTask, is_recheck
from loop_returns.runs.checks import run_checks
from loop_returns.runs.ledger import Run
from loop_returns.runs.progress import Progress, counted
from loop_returns.settings import Settings
from loop_returns.source.chunks import chunks_source
from loop_returns.tables.catalog import arrow_schema
from loop_returns.tables.resources import BY_NAME
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.comments import write_comments
from loop_returns.warehouse.contents import mark_deleted
from loop_returns.warehouse.destination import Target, find_target
from loop_returns.warehouse.failures import one_line, unwritable
from loop_returns.warehouse.load import Warehouse

RESOURCES: Final = (RETURNS.name, ASN.name, *BY_NAME)

WATCH: Final = 30.0  # seconds from one look at the lock to the next while reading
_INSTEAD: Final = "set DLT_DATA_DIR to another folder"


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
    wait: float = 0  # seconds for another run on this warehouse to end
    until: datetime | None = None  # a sync reads what was updated up to then, at most
    limits: Limits = LIMITS
    marts_dataset: str | None = None  # None: that of the tables

    def wants(self, resource: str) -> bool:
        """True when the run is to read this resource."""
        return self.only is None or resource in self.only

    def target(self) -> Target:
        """The warehouse. Raises ConfigurationError when there can be none."""
        return find_target(destination=self.destination, dataset=self.dataset, file=self.file, marts=self.marts_dataset)


@dataclass
class Session:
    """A run that has begun.

    Attributes:
        state: what is loaded so far, as the next load will write it.
        verified_before: what found everything in order before this run, as `_sound` says it.
        clock: the time at the start of the run.
        looked: when the run last looked at its lock while it was reading.
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
    looked: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """Loop's clock at the start of the run."""
        return self.clock.now

    @property
    def shop(self) -> str:
        """The configured shop name."""
        return self.settings.shop

    @property
    def _sound(self) -> str:
        """What the state says where marts and data are in order: the version of the program, and where the marts are."""
        return " ".join(filter(None, (__version__, self.warehouse.target.marts)))

    def read(
        self,
        compare: Compare,
        *,
        returns: ReturnsPlan = NO_RETURNS,
        notices: NoticesPlan = NO_NOTICES,
        others: Sequence[ResourceTask] = (),
        watch: Callable[[Event], None] = lambda _: None,
    ) -> None:
        """Reads returns, notices and other resources and loads what `compare` makes of them; `watch` sees every event.

        Raises what the API's client and the warehouse raise, and WarehouseError on a full disk.
        """

        def note(event: Event) -> None:
            if time.monotonic() - self.looked > WATCH:  # a run that has lost its lock need not read on for hours
                self.looked = time.monotonic()
                self.warehouse.confirm()
            self._note(event, reading)
            watch(event)

        kinds = {"returns": returns.windows, "shipping notices": notices.windows}
        windows = sum(map(len, kinds.values())) + len(others)
        kinds = {name: some for name, some in kinds.items() if some} or {task.resource.name: () for task in others}
        what = " and ".join(name.replace("_", " ") for name in kinds)
        self.progress.begin(what, windows, per_minute=self.settings.requests_per_minute)
        reading = Reading(
            self.api, self.state, compare, returns, notices, others, self.options.limits, note, begun=self.clock.earliest
        )
        try:
            with closing(reading):
                while reading.advance():
                    self._load(reading)
                    self.state = reading.state
        except OSError as error:
            raise unwritable("What was read cannot be kept on this machine", error, instead=_INSTEAD) from error
        self.state = reading.state

    def mark_deleted(self, table: str, rows: pa.Table) -> None:
        """Sets `_deleted_at` on the rows with these keys. That marts are behind is stored first: this run may be killed."""
        stored = ShopState.read(self.warehouse.state(self.shop))
        if stored.verified:
            nothing = {RUNS.name: arrow_schema(RUNS.name).empty_table()}
            self.warehouse.load_tables(nothing, shop=self.shop, state=replace(stored, verified=None).written())
        self.state = replace(self.state, verified=None)
        with self.warehouse.reader() as reader:
            mark_deleted(reader, table, self.shop, rows, at=self.now)

    def finish(self, *, check_all: bool = False) -> None:
        """Refreshes marts and comments and checks the data, where that has not been done since the last load.

        Where everything was sound before, only what this run loaded is checked, unless `check_all`. A failed check makes the
        run's outcome `check_failed` and its exit code 3; warnings only stand in the report.
        """
        in_order = self.state.verified == self._sound and not check_all
        if self.options.dry_run or (in_order and self._are_marts_current()):
            return
        self.api.end_processes()
        self.progress.doing("refreshing marts, checking the data")
        loads = self.warehouse.loads or None if self.verified_before == self._sound and not check_all else None
        with self.warehouse.explained():
            are_fresh = self._refresh_marts()
            place, former = self.warehouse.target.marts, (self.verified_before or "").partition(" ")[2]
            if former not in {"", place}:
                self.run.notices.append(
                    f"Marts were in the dataset `{former}` before. What is left there is not kept up to date, also when "
                    "personal data is taken out: drop it as soon as nobody reads it."
                )
            self.warehouse.notes += write_comments(self.warehouse.pipeline, marts.column_comments(), marts=place)
            checks = self.warehouse.insist(lambda: run_checks(self.warehouse.pipeline, shop=self.shop, loads=loads))
        self.run.checks = [asdict(check) for check in checks if check.failed]
        sound = not any(check.failed and check.severity == "error" for check in checks)
        if not sound:
            self.run.outcome, self.run.exit_code = "check_failed", 3
        # else the next run does all of this again
        self.state = replace(self.state, verified=self._sound if sound and are_fresh else None)

    def _are_marts_current(self) -> bool:
        kind, given = self.settings.marts, marts.given_by(self.settings, dataset=self.warehouse.target.marts)
        return kind == "off" or marts.are_current(self.warehouse.pipeline, as_tables=kind == "tables", given=given)

    def _refresh_marts(self) -> bool:
        kind, given = self.settings.marts, marts.given_by(self.settings, dataset=self.warehouse.target.marts)
        if kind == "off":
            return True
        if kind == "tables":
            self.warehouse.widen()
        try:
            self.warehouse.insist(lambda: marts.refresh(self.warehouse.pipeline, as_tables=kind == "tables", given=given))
        except DatabaseException as error:
            if not marts.is_depended_on(error):
                raise
            self.warehouse.notes.append(
                "The marts are still those of an earlier run: this version has other columns, and the database does not "
                f"replace them: {one_line(error)} Drop what is built on them, run a sync, and make it again; or let the "
                "owner of the marts run one."
            )
            return False
        return True

    def _load(self, reading: Reading) -> None:
        rows = sum(sum(chunk.rows.values()) for chunk in reading.chunks)
        if rows:
            self.progress.doing(f"loading {counted(rows, 'row')}")
            columns = self.warehouse.load(lambda: chunks_source(reading, may_append=self.warehouse.is_clean))
            self.run.new_columns += [name for name in columns if name not in self.run.new_columns]
        self.progress.loaded()
        for chunk in reading.chunks:
            self.run.tally.add(chunk.tally)  # only now, so that the ledger counts what has landed

    def _note(self, event: Event, reading: Reading) -> None:
        if isinstance(event, WindowDone):
            self.run.windows += event.root < reading.windows
            self.progress.window_done(reading.label(event.root))
        elif isinstance(event, Answered):
            rows, is_list = event.page.rows(listed(event.task)), isinstance(event.task, ListTask)
            self.run.edge_checks += is_recheck(event.task)
            left = self.api.rate_limiter.left()
            self.progress.answered(rows=rows, returns=rows if is_list else 0, left=left)
