"""What the destination has, and a connection to ask it: shared by marts, comments and checks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlt.destinations.job_client_impl import SqlJobClientBase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import dlt


@contextmanager
def connected(pipeline: dlt.Pipeline) -> Iterator[Stored | None]:
    """An open connection to the pipeline's dataset; None before the first load and where there is no SQL (files)."""
    client = pipeline.destination_client() if pipeline.default_schema_name else None
    if not isinstance(client, SqlJobClientBase):
        yield None
        return
    with client:
        yield Stored(client)


class Stored:
    """A dataset in a destination, open for SQL."""

    def __init__(self, client: SqlJobClientBase) -> None:
        self._client = client
        self.sql: Any = client.sql_client
        self.dialect: str = client.capabilities.sqlglot_dialect or "postgres"
        self.dataset: str = self.sql.fully_qualified_dataset_name(quote=False).split(".")[-1]

    def columns(self, tables: Iterable[str]) -> dict[str, set[str]]:
        """The columns of the tables or views that exist, in lower case, by table."""
        stored = self._client.get_storage_tables(sorted(tables))
        return {name: {column.lower() for column in columns} for name, columns in stored if columns}

    def name(self, table: str) -> str:
        """The full name of a table, quoted for this destination."""
        return str(self.sql.make_qualified_table_name(table))

    def literal(self, value: str) -> str:
        """The text as an SQL literal of this destination."""
        escape: Any = self._client.capabilities.escape_literal
        return str(escape(value))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return [tuple(row) for row in self.sql.execute_sql(sql) or ()]

    def run(self, *statements: str) -> None:
        """Runs the statements as one transaction: all or none."""
        with self.sql.begin_transaction():
            for statement in statements:
                self.sql.execute_sql(statement)
