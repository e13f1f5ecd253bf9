"""Loads through dlt: a source's rows and the shop's state in one package, into the one warehouse of a run."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
from dlt.common.destination.exceptions import DestinationException
from dlt.pipeline.exceptions import PipelineStepFailed
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from loop_returns.tables.catalog import TABLES, arrow_schema, dlt_hints
from loop_returns.warehouse.connection import OpenFile
from loop_returns.warehouse.dlt_internals import may_be_over
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.reader import PIPELINE, SOURCE, Reader, connected, shop_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from loop_returns.warehouse.destination import Target

_ATTEMPTS: Final = 5  # at a load that fails in a passing way
_CONFIGURATION: Final = {  # of our pipeline alone: others in the same process keep theirs
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "data_writer.disable_compression": True,
    "load.raise_on_max_retries": 1,  # dlt would repeat one job, and can't know whether the database has done it
    "load.delete_completed_jobs": True,
}
_ONE_WRITER: Final = {"load.workers": 1, "load.truncate_staging_dataset": True}  # a file is written by one at a time


class Warehouse:
    """One dataset in one destination, with dlt's pipeline in front of it; a context manager.

    The warehouse is the only memory: what a run must know travels in dlt's state with the rows that it stands for, and is
    read back from there. dlt's working folder is scratch: what a killed run left in it is thrown away and read again.
    """

    def __init__(self, target: Target, *, load_wait: float = 1.0) -> None:
        self.target = target
        self.loads: list[str] = []  # ids of the loads of this run
        self._wait = load_wait  # seconds before the second attempt at a load
        self._file = OpenFile(target)
        for name, value in (_CONFIGURATION | (_ONE_WRITER if target.file is not None else {})).items():
            dlt.config[f"{PIPELINE}.{name}"] = value
        self.pipeline = self._anew()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        shutil.rmtree(self.target.scratch, ignore_errors=True)

    def _anew(self) -> dlt.Pipeline:
        """A pipeline that knows nothing: whatever lies in the working folder goes."""
        if self.target.scratch.exists():
            shutil.rmtree(self.target.scratch)
        return dlt.pipeline(
            pipeline_name=PIPELINE,
            pipelines_dir=str(self.target.scratch.parent),
            destination=self.target.destination,
            dataset_name=self.target.dataset,
        )

    def recall(self) -> None:
        """Takes schema and state from the destination. Raises WarehouseTrouble or WarehouseHeld."""
        with self.explained():
            self._file.open(make=False)  # looking must not make an empty file
            self._restore()

    def _restore(self) -> None:
        self.pipeline = self._anew()
        if self.target.file is None or self.target.file.exists():
            self.pipeline.sync_destination()

    def close(self) -> None:
        """Closes a DuckDB file, so that others get at it; the next load opens it again."""
        self._file.close()

    def state(self, shop: str) -> dict[str, Any]:
        """What earlier runs remembered for the shop."""
        return shop_of(dict(self.pipeline.state), shop)

    @property
    def file_format(self) -> Any:
        """The file format in which dlt hands over to this destination fastest without changing a value."""
        formats = self.target.destination.capabilities().supported_loader_file_formats or ()
        if "parquet" in formats and self.target.file is not None:
            return "parquet"
        return "insert_values" if "insert_values" in formats else None  # csv would make "" of null, or null of ""

    def load(self, source: Callable[[], Any]) -> list[str]:
        """Loads what `source` makes, as one package; makes it again where a load failed in a passing way.

        Returns the columns that nobody had declared and that are new in the warehouse, as `table.column`.
        Raises WarehouseTrouble or WarehouseHeld when the destination does not take it; nothing of it counts then.
        """
        before = self._columns()

        def attempt() -> None:
            if self.is_empty:  # before the first load, and after an attempt that failed
                self._restore()
            self._file.open(make=True)
            info = self.pipeline.run(source(), loader_file_format=self.file_format)
            self.loads += info.loads_ids

        def begin_again(_: RetryCallState) -> None:
            self.pipeline = self._anew()

        attempts = Retrying(
            retry=retry_if_exception(lambda error: self.target.file is None and may_be_over(error)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=self._wait),
            before_sleep=begin_again,
            reraise=True,
        )
        with self.explained():
            attempts(attempt)
        return sorted(
            name
            for name in self._columns() - before
            if (table := name.split(".")[0]) in TABLES and name.split(".")[1] not in TABLES[table].names
        )

    def load_tables(self, tables: Mapping[str, pa.Table], *, shop: str = "", state: Mapping[str, Any] | None = None) -> None:
        """Loads tables that do not come from Loop, and the shop's state with them."""
        self.load(lambda: _own_tables(tables, shop, state))

    def prepare(self) -> None:
        """Makes the declared tables and columns that are not there yet, so that whoever reads never misses one."""
        there = self._columns()
        lacking = {n: arrow_schema(n).empty_table() for n, t in TABLES.items() if not {f"{n}.{c}" for c in t.names} <= there}
        if lacking:
            self.load_tables(lacking)

    @property
    def is_empty(self) -> bool:
        """True before the first load."""
        return not self.pipeline.default_schema_name

    def _columns(self) -> set[str]:
        if self.is_empty:
            return set()
        tables = self.pipeline.default_schema.tables
        return {f"{name}.{column}" for name in TABLES if name in tables for column in tables[name]["columns"]}

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Opens the dataset for SQL. Raises WarehouseTrouble or WarehouseHeld."""
        with self.explained(), connected(self.pipeline) as reader:
            assert reader is not None  # noqa: S101 # `prepare` has made the tables, and find_target refused files
            yield reader

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns dlt's and the database's errors into one paragraph with the next step."""
        try:
            yield
        except (PipelineStepFailed, DestinationException, duckdb.Error) as error:
            raise explain(error, self.target) from error


@dlt.source(name=SOURCE)
def _own_tables(tables: Mapping[str, pa.Table], shop: str, state: Mapping[str, Any] | None) -> Iterator[Any]:
    """The tables as resources; the first one takes the state along."""

    def rows(name: str) -> Iterator[Any]:
        if state is not None:
            dlt.current.source_state().setdefault("shops", {})[shop] = dict(state)
        yield tables[name]

    for name in tables:
        yield dlt.resource(rows, **dlt_hints(TABLES[name]))(name)
