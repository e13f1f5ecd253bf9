"""Loads through dlt: a source's rows and the shop's state in one package, into the one warehouse of a run."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, Final, Self, TypeVar

import dlt
import duckdb
import pyarrow as pa
from dlt.common.destination.exceptions import DestinationException
from dlt.pipeline.exceptions import PipelineStepFailed
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from loop_returns.tables.catalog import TABLES, arrow_schema, dlt_hints, layout_hints
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.connection import close_after_loads, open_for_loads, remove_unfinished, write_log
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.dlt_internals import (
    PIPELINE,
    SOURCE,
    declare,
    forget_lookups,
    known_schema,
    may_be_over,
    restore,
    signals_kept,
)
from loop_returns.warehouse.failures import explain, is_out_of_memory
from loop_returns.warehouse.json_lines import json_as_values
from loop_returns.warehouse.reader import Reader, connected, shop_of
from loop_returns.warehouse.repair import repair
from loop_returns.warehouse.upkeep import analyze, make_indexes

_ATTEMPTS: Final = 5  # at a load that fails in a passing way
_CONFIGURATION: Final = {  # of our pipeline alone: others in the same process keep theirs
    "enable_runtime_trace": False,  # a file in the working folder with the configuration that was read, and errors
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "data_writer.disable_compression": True,
    "load.raise_on_max_retries": 1,  # dlt would repeat one job, and can't know whether the database has done it
    "load.delete_completed_jobs": True,
    "load.truncate_staging_dataset": True,  # or it keeps a copy of rows that are later cleaned of personal data
}
_MEMORY: Final = 96  # megabytes for DuckDB: a block for each column and more; a load that needs more gets twice as much
_READ_UP_TO: Final = {RETURNS.name: "cursor", ASN.name: "asn_read"}  # in the state of a shop, by what was read
T = TypeVar("T")


class Warehouse:
    """One dataset in one destination, with dlt's pipeline in front of it; a context manager.

    The warehouse is the only memory: what a run must know travels in dlt's state with the rows that it stands for, and is
    read back from there. dlt's working folder is scratch: what a killed run left in it is thrown away and read again.
    """

    def __init__(self, target: Target, *, load_wait: float = 1.0, confirm: Callable[[], None] = lambda: None) -> None:
        self.target = target
        self.confirm = confirm  # that the run's lock holds
        self.loads: list[str] = []  # ids of the loads of this run
        self.notes: list[str] = []  # what the database refused and the run can do without
        self._analyzed: set[str] = set()  # tables of PostgreSQL that this run has loaded
        self.is_clean = True  # no load of this run has failed: such a one may have left rows
        self._wait = load_wait  # seconds before the second attempt at a load
        self._connection: duckdb.DuckDBPyConnection | None = None  # to a DuckDB file
        self._memory = _MEMORY
        if target.file is not None:
            remove_unfinished(target.file)
        for name, value in (_CONFIGURATION | ({"load.workers": 1} if target.file else {})).items():  # a file has one writer
            dlt.config[f"{PIPELINE}.{name}"] = value
        self.pipeline = self._new_pipeline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        shutil.rmtree(self.target.scratch, ignore_errors=True)

    def _new_pipeline(self) -> dlt.Pipeline:
        """A pipeline that knows nothing: whatever lies in the working folder goes."""
        if self.target.scratch.exists():
            shutil.rmtree(self.target.scratch)
        return dlt.pipeline(
            pipeline_name=PIPELINE,
            pipelines_dir=str(self.target.scratch.parent),
            destination=self.target.destination,
            dataset_name=self.target.dataset,
        )

    def restore(self) -> None:
        """Takes schema and state from the destination. Raises WarehouseError or DatabaseInUseError."""
        with self.explained():
            self.pipeline = self._new_pipeline()
            if self.target.file is None or self.target.file.exists():  # reading must not make an empty file
                self._open()
                restore(self.pipeline)

    def _open(self) -> None:
        """Keeps a DuckDB file open: dlt opens it for each statement, which takes as long as the statement."""
        if self.target.file is not None and self._connection is None:
            self._connection = open_for_loads(self.target.file, megabytes=self._memory)

    def close(self) -> None:
        """Closes a DuckDB file, so that others get at it; the next load opens it again, also one that broke."""
        connection, self._connection = self._connection, None
        if connection is not None:
            close_after_loads(connection)

    def state(self, shop: str) -> dict[str, Any]:
        """What earlier runs remembered for the shop."""
        return shop_of(dict(self.pipeline.state), shop)

    def load(self, source: Callable[[], Any]) -> list[str]:
        """Loads what `source` makes, as one package; makes it again where a load failed in a passing way.

        Returns the columns that nobody had declared and that are new in the warehouse, as `table.column`.
        Raises WarehouseError or DatabaseInUseError when the destination does not take it; nothing of it counts then.
        """
        before = self._columns()
        with self.explained():
            info = self.insist(lambda: self._load(source))
            if self.target.is_postgres:
                with self.reader() as reader:
                    analyze(reader, info, self._analyzed)
        return sorted(f"{table}.{name}" for table, name in self._columns() - before if name not in TABLES[table].names)

    def insist(self, work: Callable[[], T]) -> T:
        """What `work` returns, repeated where it failed in a passing way; for want of memory DuckDB gets twice as much."""

        def begin_again(_: RetryCallState) -> None:
            self.close()
            self.is_clean = False
            self._memory *= 2
            self.pipeline = self._new_pipeline()

        def attempt() -> T:
            self.confirm()  # the connection that was lost may have been the lock's
            if self.is_empty:  # before the first load, and after an attempt that failed
                self.restore()
            self._open()
            return work()

        attempts = Retrying(
            retry=retry_if_exception(lambda error: is_out_of_memory(error) if self.target.file else may_be_over(error)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=self._wait),
            before_sleep=begin_again,
            reraise=True,
        )
        return attempts(attempt)

    def widen(self) -> None:
        """Gives DuckDB what helper processes had, which have ended: marts that are tables need it."""
        self._memory = max(self._memory, 2 * _MEMORY)
        self.close()

    def _load(self, source: Callable[[], Any]) -> Any:
        file_format: Any = self.target.destination.capabilities().preferred_loader_file_format
        if self.target.file is not None or self.target.is_postgres:  # there others are faster than what dlt prefers
            file_format = "csv" if self.target.is_postgres else "parquet"
        with signals_kept(), json_as_values() if file_format == "jsonl" else nullcontext():
            info = self.pipeline.run(source(), loader_file_format=file_format)
        forget_lookups()
        self.loads += info.loads_ids
        if self._connection is not None and self.target.file is not None:
            write_log(self._connection, self.target.file)
        return info

    def load_tables(self, tables: Mapping[str, pa.Table], *, shop: str = "", state: Mapping[str, Any] | None = None) -> None:
        """Loads tables that do not come from Loop, and the shop's state with them."""
        self.load(lambda: _own_tables(tables, shop, state))

    def prepare(self) -> dict[str, set[str]]:
        """Makes the declared tables, columns and indexes that are not there, so that no query misses one.

        Returns the columns, by table, that were there before and that somebody has dropped.
        """
        lost = {}
        if self.target.file is None or self.target.file.exists():
            with self.explained():
                lost = repair(self.target, None if self.is_empty else known_schema(self.pipeline), forget=self._forget)
        there = self._columns()
        incomplete = [name for name, table in TABLES.items() if not {(name, column) for column in table.names} <= there]
        if incomplete:
            empty = {name: arrow_schema(name).empty_table() for name in incomplete}
            with self.explained():
                self.insist(lambda: declare(self.pipeline, _own_tables(empty, laid_out=self.target.kind)))
        if self.target.is_postgres:
            with self.reader() as reader:
                self.notes += make_indexes(reader)
        return lost

    def _forget(self, tables: set[str], since: datetime) -> None:
        """What was read of these tables since then is to be read again, by syncs of every shop."""
        if self.is_empty:
            return
        with self.pipeline.managed_state() as state:
            for shop in state.get("sources", {}).get(SOURCE, {}).get("shops", {}).values():
                shop.pop("backfills", None)
                shop.pop("finished", None)  # marts and checks are behind
                shop.pop("resources", None)
                shop |= {name: since.isoformat() for table, name in _READ_UP_TO.items() if table in tables and name in shop}
        self.load_tables({RUNS.name: arrow_schema(RUNS.name).empty_table()})

    @property
    def is_empty(self) -> bool:
        """True before the first load."""
        return not self.pipeline.default_schema_name

    def _columns(self) -> set[tuple[str, str]]:
        tables = {} if self.is_empty else known_schema(self.pipeline).tables
        return {(name, column) for name in TABLES if name in tables for column in tables[name]["columns"]}

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Opens the dataset for SQL. Raises WarehouseError or DatabaseInUseError."""
        with self.explained(), connected(self.pipeline, marts=self.target.marts) as reader:
            assert reader is not None  # noqa: S101 # `prepare` has made the tables, and find_target refused files
            yield reader

    @contextmanager
    def explained(self) -> Iterator[None]:
        """For all that asks the destination: the lock must hold, and errors become one paragraph with the next step."""
        self.confirm()
        try:
            yield
        except (PipelineStepFailed, DestinationException, duckdb.Error) as error:
            raise explain(error, self.target) from error


@dlt.source(name=SOURCE)
def _own_tables(
    tables: Mapping[str, pa.Table], shop: str = "", state: Mapping[str, Any] | None = None, *, laid_out: str = ""
) -> Iterator[Any]:
    """The tables as resources; the first one takes the state along. One without rows replaces none.

    `laid_out` is the kind of destination for which a table is made, and lies as it is best there.
    """

    def rows(name: str) -> Iterator[Any]:
        if state is not None:
            dlt.current.source_state().setdefault("shops", {})[shop] = dict(state)
        yield tables[name]

    for name in tables:
        table = dlt.resource(rows, **dlt_hints(TABLES[name], append=not tables[name].num_rows))(name)
        yield table.apply_hints(additional_table_hints=layout_hints(TABLES[name], laid_out))
