"""Reads a dataset in a destination, and runs the statements that this project adds to dlt's: the only place that does.

Values travel as parameters or as tables; a literal is made only of a constant, or where a statement takes no parameters
(comments).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from typing import Any, Final

import dlt
import pyarrow as pa
import sqlglot
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase
from sqlglot import exp

from loop_returns.dates import EARLIEST, LATEST
from loop_returns.errors import DatabaseInUseError
from loop_returns.warehouse.connection import is_in_use, open_duckdb
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.dlt_internals import PIPELINE, SOURCE, sql_client, stored_state
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.translate import translated, written_in

_ROWS: Final = 10_000  # of a result at a time
_ROWS_OF_DUCKDB: Final = 100_000
_VALUES: Final = "loop_returns_values"  # a table of one connection
_MARTS: Final = ("fct_", "dim_", "rpt_")  # what only names of marts begin with


class Reader:
    """A dataset, and the one that has its marts, open for SQL: the only object that knows which is where."""

    def __init__(self, client: SqlJobClientBase, *, marts: str | None = None) -> None:
        self._client = client
        self.sql: Any = client.sql_client
        self.dialect: str = client.capabilities.sqlglot_dialect or "postgres"
        self.written_in = written_in(self.dialect)  # the dialect of the statements that are given to this reader
        self.dataset, self.marts = (
            str(self.sql.make_qualified_table_name_path(None, quote=False, dataset_name=name)[-1]) for name in (None, marts)
        )
        self._marts = marts

    def place(self, table: str) -> str:
        """The dataset of a table or mart, as the destination calls it."""
        return self.marts if table.startswith(_MARTS) else self.dataset

    def name(self, table: str) -> str:
        """The full name of a table or mart, quoted for a statement."""
        dataset = self._marts if table.startswith(_MARTS) else None
        name = ".".join(self.sql.make_qualified_table_name_path(table, dataset_name=dataset))
        return name if self.written_in == self.dialect else exp.to_table(name, dialect=self.dialect).sql(self.written_in)

    def column(self, name: str) -> str:
        """The name of a column, quoted for a statement."""
        return str(sqlglot.to_identifier(self.sql.escape_column_name(name, quote=False), quoted=True).sql(self.written_in))

    def literal(self, value: str) -> str:
        """The text as a literal of a statement."""
        return exp.Literal.string(value).sql(self.written_in)

    def information(self, view: str) -> tuple[str, str]:
        """A view of the information schema, and the condition that a row of it is about the dataset of the marts."""
        if self.dialect == "bigquery":  # each dataset has one of its own
            return f"{self.name(_MARTS[0]).rpartition('.')[0]}.INFORMATION_SCHEMA.{view.upper()}", "1 = 1"
        return f"information_schema.{view}", f"table_schema = {self.literal(self.marts)}"

    def make_dataset_of_marts(self) -> None:
        """Makes it where it does not exist."""
        if self._marts:
            with self.sql.with_alternative_dataset_name(self._marts):
                if not self.sql.has_dataset():
                    self.sql.create_dataset()

    def time(self, column: str) -> str:
        """The column for a query, null where it holds a time out of bounds: an older version may have loaded one."""
        first, last = (self.literal(moment.isoformat(" ")) for moment in (EARLIEST, LATEST))
        return f"CASE WHEN {column} >= {first} AND {column} <= {last} THEN {column} END"

    def among(self, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        """A condition that the column is one of the values, and its parameters; for the next statement only."""
        if self.dialect == "duckdb":  # as a table: a list is looked through value by value, in Python
            self.sql.native_connection.register(_VALUES, pa.table({"value": pa.array(values, pa.string())}))
            return f"{column} IN (SELECT value FROM {_VALUES})", []
        if self.dialect == "postgres":
            return f"{column} = ANY(%s::text[])", [list(values)]
        return f"{column} IN ({', '.join(['%s'] * len(values))})", list(values)

    def columns(self, tables: Iterable[str]) -> dict[str, set[str]]:
        """The columns of the tables or marts that exist, in lower case, by table."""
        names = sorted(tables)
        stored = [*self._client.get_storage_tables([name for name in names if not name.startswith(_MARTS)])]
        with self.sql.with_alternative_dataset_name(self._marts or self.sql.dataset_name):
            stored += self._client.get_storage_tables([name for name in names if name.startswith(_MARTS)])
        return {name: {column.lower() for column in columns} for name, columns in stored if columns}

    def query(self, sql: str, *values: Any) -> AbstractContextManager[Any]:
        """A cursor with the rows of a query in which `%s` stand for the values."""
        cursor: AbstractContextManager[Any] = self.sql.execute_query(translated(sql, self.dialect), *values)
        return cursor

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query in which `%s` stand for the values; none where a table is not there yet."""
        try:
            with self.query(sql, *values) as cursor:
                return [tuple(row) for row in cursor.fetchall()]
        except DatabaseUndefinedRelation:
            return []

    def table(self, sql: str, *values: Any, schema: pa.Schema) -> pa.Table:
        """The rows of a query as an Arrow table of that schema; as `rows` otherwise."""
        return pa.concat_tables([schema.empty_table(), *self.parts(sql, *values, schema=schema)])

    def parts(self, sql: str, *values: Any, schema: pa.Schema) -> Iterator[pa.Table]:
        """As `table`, in parts: nothing else may be asked between two of them."""
        try:
            with self.query(sql, *values) as cursor:
                if self.dialect == "duckdb":
                    native = cursor.native_cursor
                    read = getattr(native, "to_arrow_reader", None) or native.fetch_record_batch  # as DuckDB 1.4 calls it
                    for batch in read(_ROWS_OF_DUCKDB):
                        yield pa.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)
                    return
                while rows := cursor.fetchmany(_ROWS):  # as Python's objects a million of them take 250 MB
                    arrays = [
                        pa.array(values, one.type) for values, one in zip(zip(*rows, strict=True), schema, strict=True)
                    ]
                    yield pa.Table.from_arrays(arrays, schema=schema)
        except DatabaseUndefinedRelation:
            return

    def run(self, *statements: str) -> None:
        """Runs the statements as one transaction: all or none."""
        with self.transaction():
            for statement in statements:
                self.execute(statement)

    def transaction(self) -> AbstractContextManager[Any]:
        """What is executed within it counts as a whole or not at all, where a transaction may hold what makes views."""
        begins = self._client.capabilities.supports_ddl_transactions
        begun: AbstractContextManager[Any] = self.sql.begin_transaction() if begins else nullcontext()
        return begun

    def execute(self, sql: str, *values: Any) -> None:
        """Runs a statement in which `%s` stand for the values."""
        self.sql.execute_sql(translated(sql, self.dialect), *values)

    def state(self, shop: str) -> dict[str, Any]:
        """What dlt's state in the destination holds about the shop; empty when there is nothing yet."""
        return shop_of(stored_state(self._client, PIPELINE), shop)


def shop_of(state: dict[str, Any], shop: str) -> dict[str, Any]:
    """What a pipeline's state holds about the shop."""
    shops: dict[str, Any] = state.get("sources", {}).get(SOURCE, {}).get("shops", {})
    return dict(shops.get(shop, {}))


@contextmanager
def connected(pipeline: dlt.Pipeline, *, marts: str | None = None) -> Iterator[Reader | None]:
    """A reader of the pipeline's dataset; None before the first load and where there is no SQL (files).

    `marts` is the dataset of the marts; None: the same.
    """
    assert pipeline.destination is not None  # noqa: S101 # a warehouse's pipeline has one
    # without the pipeline's schema, which dlt would read and check each time
    client: Any = sql_client(pipeline.destination, pipeline.dataset_name) if pipeline.default_schema_name else None
    if client is None:
        yield None
        return
    with client:
        yield Reader(client, marts=marts)


@contextmanager
def looking(target: Target) -> Iterator[Reader]:
    """A reader that takes no lock and writes nothing; DuckDB's file is opened for reading only.

    Raises DatabaseInUseError while a run has the file open, and what `explain` makes of other errors.
    """
    try:
        with ExitStack() as stack:
            destination = target.destination
            if target.file is not None:
                destination = dlt.destinations.duckdb(stack.enter_context(closing(open_duckdb(target.file, read_only=True))))
            client = sql_client(destination, target.dataset)
            assert client is not None  # noqa: S101 # find_target has refused files
            with client.sql_client:
                yield Reader(client, marts=target.marts)
    except Exception as error:  # each destination has errors of its own
        if is_in_use(error):
            raise DatabaseInUseError(
                f"A program is writing to {target.file}, and DuckDB lets nobody read meanwhile. If it is a run of "
                "loop-returns, ask again when it has ended; readers can use a read copy (see `--publish`)."
            ) from error
        raise explain(error, target) from error
