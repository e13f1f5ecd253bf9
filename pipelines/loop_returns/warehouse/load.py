"""The warehouse as the runs see it: what it knows, what it remembers, and loading into it through dlt."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
from dlt.common.destination.exceptions import DestinationException
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.pipeline.exceptions import PipelineStepFailed

from loop_returns.tables.catalog import TABLES, arrow_schema, dlt_hints
from loop_returns.warehouse import pending
from loop_returns.warehouse.connection import HeldFile
from loop_returns.warehouse.failures import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    import pyarrow as pa

    from loop_returns.warehouse.destination import Target

PIPELINE: Final = "loop_returns"
SOURCE: Final = "loop_returns"
_FEW: Final = 1_000  # rows that DuckDB replaces with the memory it has


class Warehouse:
    """One dataset in one destination, with dlt's pipeline in front of it.

    The warehouse is the only memory: what a run must know (cursor, finished windows) travels in dlt's state with the rows it
    belongs to and is read back from the destination, never from this machine.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        dlt.config["data_writer.disable_compression"] = True
        dlt.config["load.raise_on_max_retries"] = 1  # dlt would repeat one job; see `pending.start_over`
        dlt.config["load.delete_completed_jobs"] = True  # what is loaded need not lie about here as well
        if target.file is not None:  # a file is written by one at a time, and what is left in staging is written too
            dlt.config["load.workers"] = 1
            dlt.config["load.truncate_staging_dataset"] = True
        self.file = HeldFile(target)
        self.loads: list[str] = []  # ids of the loads of this run
        self.pipeline = self._open()
        pending.mend_folders(self.pipeline)

    def _open(self) -> dlt.Pipeline:
        return dlt.pipeline(
            pipeline_name=PIPELINE,
            pipelines_dir=str(self.target.folder),
            destination=self.target.destination,
            dataset_name=self.target.dataset,
        )

    def hold(self, tables: Iterable[pa.Table], *, make: bool) -> None:
        """Opens a DuckDB file, with `make` also a new one, until `file.release`, for loads beside which pages are read.

        `tables` are to be loaded first. Raises WarehouseHeld when another program has the file and does not let go.
        """
        widest = max(table.num_columns for table in tables)
        self.file.hold(columns=widest + max(widest, self._width()), make=make)

    def _width(self) -> int:
        """How many columns the widest table of the warehouse has."""
        if not self.pipeline.default_schema_name:
            return 0
        return max(len(table["columns"]) for table in self.pipeline.default_schema.tables.values())

    @property
    def has_pending(self) -> bool:
        """True when a run died before everything it had read was loaded."""
        return bool(self.pipeline.has_pending_data)

    def finish_pending(self) -> bool:
        """Loads what a killed run left behind; False when the kill broke that, so that its rows have to be read again.

        Raises PendingPackage or WarehouseTrouble when the destination does not take it.
        """
        with self.explained(pending=True):
            return pending.finish(self.pipeline, self.file_format)

    def recall(self) -> None:
        """Forgets what this machine remembers and takes the state from the destination."""
        with self.explained():
            self.pipeline.drop()
            self.pipeline = self._open()
            if self.target.file is None or self.target.file.exists():  # looking must not make an empty file
                self.pipeline.sync_destination()

    def state(self, shop: str) -> dict[str, Any]:
        """What earlier runs remembered for the shop: `cursor` and unfinished `backfills`. A copy."""
        sources = self.pipeline.state.get("sources", {})
        return dict(sources.get(SOURCE, {}).get("shops", {}).get(shop, {}))

    @property
    def file_format(self) -> Any:
        """The file format in which dlt hands over to this destination fastest without changing a value."""
        formats = self.target.destination.capabilities().supported_loader_file_formats or ()
        if "parquet" in formats and self.target.file is not None:
            return "parquet"
        return "insert_values" if "insert_values" in formats else None  # csv would make "" of null, or null of ""

    def load(
        self,
        tables: dict[str, pa.Table],
        *,
        shop: str = "",
        append: Container[str] = (),
        remember: Callable[[dict[str, Any]], None] | None = None,
    ) -> list[str]:
        """Loads the tables as one package together with the change that `remember` makes to the shop's state.

        Those named in `append` are only added to: of their rows the warehouse has nothing.

        Tables are taken out of `tables` as they are written, so that they do not fill the memory during the load.
        Returns the columns that nobody had declared and that are new in the warehouse, as `table.column`.
        Raises WarehouseTrouble or WarehouseHeld when the destination does not take it; the package then stays pending.
        """
        before = self._columns()
        if any(name not in append and table.num_rows > _FEW for name, table in tables.items()):
            self.file.allow()
        with self.explained():
            try:
                info = self.pipeline.run(_package(tables, shop, append, remember), loader_file_format=self.file_format)
            except PipelineStepFailed as error:
                if not pending.may_be_repeated(error):
                    raise
                pending.start_over(self.pipeline)
                info = self.pipeline.load()
        self.loads += info.loads_ids
        return sorted(
            name
            for name in self._columns() - before
            if (table := name.split(".")[0]) in TABLES and name.split(".")[1] not in TABLES[table].names
        )

    def prepare(self) -> None:
        """Creates the declared tables that are not there yet, so that whoever reads never misses one."""
        there: set[str] = set(self.pipeline.default_schema.tables) if self.pipeline.default_schema_name else set()
        missing = [name for name in TABLES if name not in there]
        if not missing:
            return
        with self.file.held():
            self.load({name: arrow_schema(name).empty_table() for name in missing})

    def _columns(self) -> set[str]:
        if not self.pipeline.default_schema_name:
            return set()
        tables = self.pipeline.default_schema.tables
        return {f"{name}.{column}" for name in TABLES if name in tables for column in tables[name]["columns"]}

    def query(self, sql: str, *tables: str) -> list[tuple[Any, ...]]:
        """Rows of a query in which `{}` stand for the names of `tables`; no rows when a table is not there yet."""
        if not self.pipeline.default_schema_name:
            return []
        with self.explained(), self.pipeline.sql_client() as client:
            names = [client.make_qualified_table_name(table) for table in tables]
            try:
                with client.execute_query(sql.format(*names)) as cursor:
                    return list(cursor.fetchall())
            except DatabaseUndefinedRelation:
                return []

    @contextmanager
    def explained(self, *, pending: bool = False) -> Iterator[None]:
        """Turns dlt's and the database's errors into one paragraph with the next step."""
        try:
            yield
        except (PipelineStepFailed, DestinationException, duckdb.Error) as error:
            raise explain(error, self.target, pending=pending) from error


@dlt.source(name=SOURCE)
def _package(
    tables: dict[str, pa.Table],
    shop: str,
    append: Container[str],
    remember: Callable[[dict[str, Any]], None] | None,
) -> Iterator[Any]:
    """The tables as resources, and the shop's memory."""

    def rows(name: str) -> Iterator[Any]:
        yield tables.pop(name)

    def state() -> Iterator[Any]:
        if remember is not None:
            shops = dlt.current.source_state().setdefault("shops", {})
            remember(shops.setdefault(shop, {}))
        yield from ()

    if remember is not None:
        yield dlt.resource(state, name="memory")
    for name in tables:
        yield dlt.resource(rows, **dlt_hints(TABLES[name], append=name in append))(name)
