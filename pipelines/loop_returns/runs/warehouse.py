"""The warehouse as the runs see it: what it knows, what it remembers, and loading into it through dlt."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
import pyarrow as pa
import sqlglot
from dlt.common.destination.exceptions import DestinationException
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.pipeline.exceptions import PipelineStepFailed
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from loop_returns.runs.failures import explain
from loop_returns.tables.catalog import TABLES, arrow_schema, dlt_hints
from loop_returns.tables.settle import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from loop_returns.runs.destination import Target
    from loop_returns.tables.settle import Key

PIPELINE: Final = "loop_returns"
SOURCE: Final = "loop_returns"
_PATIENCE: Final = 10.0  # seconds to wait for another program that has the DuckDB file open
_BATCH: Final = 2_000  # keys in one lookup
_TABLE: Final = "loop_returns_table_"  # stands for `{0}` while sqlglot reads a statement
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Warehouse:
    """One dataset in one destination, with dlt's pipeline in front of it.

    The warehouse is the only memory: what a run must know (cursor, finished windows) travels in dlt's state with the rows it
    belongs to and is read back from the destination, never from this machine.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        dlt.config["data_writer.disable_compression"] = True
        self.pipeline = self._open()

    def _open(self) -> dlt.Pipeline:
        return dlt.pipeline(
            pipeline_name=PIPELINE,
            pipelines_dir=str(self.target.folder),
            destination=self.target.destination,
            dataset_name=self.target.dataset,
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps a DuckDB file open meanwhile, so that no reader slips in between two of dlt's own connections.

        Waits briefly for a reader that is there already. Raises WarehouseHeld when it does not let go.
        """
        if self.target.file is None or not self.target.file.exists():
            yield
            return
        with self.explained():
            connection = _patiently(lambda: duckdb.connect(str(self.target.file)))
        try:
            yield
        finally:
            connection.close()

    @property
    def has_pending(self) -> bool:
        """True when a run died before everything it had read was loaded."""
        return bool(self.pipeline.has_pending_data)

    def finish_pending(self) -> None:
        """Loads what a killed run left behind. Raises PendingPackage or WarehouseTrouble when that fails."""
        with self.explained(pending=True):
            self.pipeline.run(loader_file_format=self.file_format)

    def abort_pending(self) -> None:
        """Gives up what a killed run left behind; the cursor stays where it was, so the rows are read again."""
        with self.explained():
            self.pipeline.abort_packages()

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
        tables: Mapping[str, pa.Table],
        *,
        shop: str = "",
        remember: Callable[[dict[str, Any]], None] | None = None,
    ) -> list[str]:
        """Loads the tables as one package together with the change that `remember` makes to the shop's state.

        Returns the columns that nobody had declared and that are new in the warehouse, as `table.column`.
        Raises WarehouseTrouble or WarehouseHeld when the destination does not take it; the package then stays pending.
        """
        before = self._columns()
        with self.explained():
            self.pipeline.run(_package(tables, shop, remember), loader_file_format=self.file_format)
        return sorted(
            name
            for name in self._columns() - before
            if (table := name.split(".")[0]) in TABLES and name.split(".")[1] not in TABLES[table].names
        )

    def prepare(self) -> None:
        """Creates the declared tables that are not there yet, so that whoever reads never misses one."""
        there: set[str] = set(self.pipeline.default_schema.tables) if self.pipeline.default_schema_name else set()
        missing = [name for name in TABLES if name not in there]
        if missing:
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

    def rows(self, table: str, shop: str, column: str, values: Iterable[str]) -> pa.Table:
        """All rows of a table in which `column` has one of the values, as they are in the warehouse."""
        schema = arrow_schema(table)
        found = [schema.empty_table()]
        known = self.pipeline.default_schema.tables.get(table) if self.pipeline.default_schema_name else None
        if known is None:
            return found[0]
        with self.explained(), self.pipeline.sql_client() as client:
            columns = {name: str(hint["data_type"]) for name, hint in known["columns"].items() if "data_type" in hint}
            names = ", ".join(_readable(client.escape_column_name(name), kind) for name, kind in columns.items())
            where = client.make_qualified_table_name(table)
            for batch in _batches(sorted(set(values))):
                sql = f"SELECT {names} FROM {where} WHERE shop = {quoted(shop)} AND {column} IN ({self._list(batch)})"
                with client.execute_query(sql.replace("{{", "{").replace("}}", "}")) as cursor:
                    found.append(_table(list(columns), cursor.fetchall(), schema))
        return pa.concat_tables(found, promote_options="default")

    def mark_deleted(
        self, table: str, shop: str, key: Sequence[str], rows: Sequence[tuple[str, ...]], *, at: datetime
    ) -> None:
        """Sets `_deleted_at` on the rows with these keys."""
        for start in range(0, len(rows), _BATCH // 10):
            batch = rows[start : start + _BATCH // 10]
            which = " OR ".join(
                "(" + " AND ".join(f"{k} = {quoted(v)}" for k, v in zip(key, row, strict=True)) + ")" for row in batch
            )
            sql = f"UPDATE {{0}} SET _deleted_at = {moment(at)} WHERE shop = {quoted(shop)} AND ({which})"
            with self.explained(), self.pipeline.sql_client() as client:
                client.execute_sql(self.portable(sql).format(client.make_qualified_table_name(table)))

    def portable(self, sql: str) -> str:
        """The statement, written for DuckDB, in the destination's own dialect. `{0}` stays as it is."""
        dialect = self.target.destination.capabilities().sqlglot_dialect
        if dialect in (None, "duckdb"):
            return sql
        tree = sqlglot.parse_one(sql.replace("{0}", _TABLE), read="duckdb")
        return tree.sql(dialect=dialect).replace(_TABLE, "{0}")

    def known_returns(self, shop: str, ids: Iterable[str]) -> dict[Key, Known]:
        """What the warehouse has of these returns, by (`id`,)."""
        found: dict[Key, Known] = {}
        for batch in _batches(sorted(set(ids))):
            rows = self.query(
                "SELECT r.id, r.updated_at, r.state, CASE WHEN l.status = 0 THEN r._row_hash END, r._deleted_at,"
                " r._previous_state FROM {} r LEFT JOIN {} l ON l.load_id = r._dlt_load_id"
                f" WHERE r.shop = {quoted(shop)} AND r.id IN ({self._list(batch)})",
                "returns",
                "_dlt_loads",
            )
            for one, updated, state, row_hash, deleted, previous in rows:
                found[(one,)] = Known(_micros(updated), state, row_hash, deleted is not None, previous)
        return found

    def known_notices(self, shop: str, ids: Iterable[str]) -> dict[Key, Known]:
        """What the warehouse has of these rows of the shipping notice report, by (`id`, `return_line_item_id`)."""
        found: dict[Key, Known] = {}
        for batch in _batches(sorted(set(ids))):
            rows = self.query(
                "SELECT r.id, r.return_line_item_id, r.updated_at, r.state,"
                " CASE WHEN l.status = 0 THEN r._row_hash END, r._deleted_at"
                " FROM {} r LEFT JOIN {} l ON l.load_id = r._dlt_load_id"
                f" WHERE r.shop = {quoted(shop)} AND r.id IN ({self._list(batch)})",
                "advanced_shipping_notices",
                "_dlt_loads",
            )
            for one, item, updated, state, row_hash, deleted in rows:
                found[(one, item)] = Known(_micros(updated), state, row_hash, deleted is not None)
        return found

    def _list(self, values: Sequence[str]) -> str:
        return ", ".join(quoted(value) for value in values)

    @contextmanager
    def explained(self, *, pending: bool = False) -> Iterator[None]:
        """Turns dlt's and the database's errors into one paragraph with the next step."""
        try:
            yield
        except (PipelineStepFailed, DestinationException, duckdb.Error) as error:
            raise explain(error, self.target, pending=pending) from error


@dlt.source(name=SOURCE)
def _package(
    tables: Mapping[str, pa.Table], shop: str, remember: Callable[[dict[str, Any]], None] | None
) -> Iterator[Any]:
    """The tables as resources, and the shop's memory."""

    def rows(name: str) -> Iterator[Any]:
        yield tables[name]

    def state() -> Iterator[Any]:
        if remember is not None:
            shops = dlt.current.source_state().setdefault("shops", {})
            remember(shops.setdefault(shop, {}))
        yield from ()

    if remember is not None:
        yield dlt.resource(state, name="memory")
    for name in tables:
        yield dlt.resource(rows, **dlt_hints(TABLES[name]))(name)


def _patiently(connect: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """The connection, after a wait of up to `_PATIENCE` seconds for whoever holds the file."""
    tries = Retrying(
        retry=retry_if_exception_type(duckdb.IOException),
        stop=stop_after_delay(_PATIENCE),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    return tries(connect)


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _readable(column: str, kind: str) -> str:
    """JSON as text: drivers differ in what they make of it."""
    return f"CAST({column} AS VARCHAR)" if kind == "json" else column


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows of a query as an Arrow table with the declared types; other columns as text."""
    made = {}
    for position, name in enumerate(columns):
        kind = schema.field(name).type if name in schema.names else pa.string()
        made[name] = pa.array([row[position] for row in rows], kind)
    return pa.table(made)


def quoted(value: str) -> str:
    """The text as an SQL literal; `{` is doubled, as `query` formats the statement."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def moment(value: datetime) -> str:
    """The moment as an SQL expression in DuckDB's dialect."""
    return f"CAST('{value.isoformat()}' AS TIMESTAMPTZ)"


def _micros(value: Any) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND
