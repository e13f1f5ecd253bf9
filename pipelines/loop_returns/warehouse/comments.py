"""Writes the meaning of tables and columns into the warehouse, where BI tools show it.

dlt keeps descriptions in its own schema and, on DuckDB and PostgreSQL, tells the database nothing. Comments survive
later loads, so only what is missing or has changed is written.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import dlt
from dlt.destinations.exceptions import DatabaseException

from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse.failures import one_line
from loop_returns.warehouse.reader import Reader, connected

Comment = tuple[str, str, str]  # table, column or '' for the table itself, text

# Every table and column of the schemas with its comment or null; the column is '' for the table itself.
_READ: Final = {
    "duckdb": """
        SELECT schema_name, table_name, column_name, comment FROM (
            SELECT database_name, schema_name, table_name, '' AS column_name, comment FROM duckdb_tables()
            UNION ALL SELECT database_name, schema_name, view_name, '', comment FROM duckdb_views()
            UNION ALL SELECT database_name, schema_name, table_name, column_name, comment FROM duckdb_columns()
        ) WHERE schema_name IN ({datasets}) AND database_name = current_database()
    """,
    "postgres": """
        WITH relations AS (
            SELECT c.oid, c.relname, n.nspname FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ({datasets}) AND c.relkind IN ('r', 'p', 'v')
        )
        SELECT nspname, relname, '', obj_description(oid, 'pg_class') FROM relations
        UNION ALL
        SELECT nspname, relname, attname, col_description(oid, attnum) FROM relations
        JOIN pg_catalog.pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped
    """,
}

LANGUAGES: Final = tuple(_READ)  # dialects in which comments can be written and read


def write_comments(pipeline: dlt.Pipeline, more: Iterable[Comment] = (), *, marts: str | None = None) -> list[str]:
    """Comments every table and every column, and `more` of what exists; does nothing where comments are not known.

    `marts` is as for `connected`.

    Comments that the database refuses are left out; a note for the operator says which.
    """
    with connected(pipeline, marts=marts) as reader:
        if reader is None:
            return []
        there = read(reader)
        todo: dict[str, list[str]] = {}
        for table, column, text in (*_declared(), *more):
            if (table, column) in there and there[table, column] != text:
                todo.setdefault(table, []).append(statement(reader, table, text, column=column))
        refused, reason = [], ""
        for table, statements in todo.items():
            try:
                reader.run("; ".join(statements))  # one round trip
            except DatabaseException as error:  # not its owner; DuckLake comments no columns of views
                refused.append(table)
                reason = one_line(error)
    return [f"The database takes no comments on {', '.join(refused)}, so they were left out: {reason}"] if refused else []


def are_known(reader: Reader) -> bool:
    """True where comments can be written and read: DuckDB (and DuckLake, MotherDuck) and PostgreSQL."""
    return reader.dialect in LANGUAGES


def read(reader: Reader) -> dict[tuple[str, str], str | None]:
    """The comment, or None, of each table (column '') and column that exists; empty where comments are not known."""
    if not are_known(reader):
        return {}
    datasets = ", ".join(map(reader.literal, {reader.dataset, reader.marts}))
    rows = reader.rows(_READ[reader.dialect].format(datasets=datasets))
    return {(table, column): text for dataset, table, column, text in rows if dataset == reader.place(table)}


def statement(reader: Reader, table: str, text: str, *, column: str = "", kind: Literal["TABLE", "VIEW"] = "TABLE") -> str:
    """The statement that comments a table or view, or one of its columns."""
    what = f"COLUMN {reader.name(table)}.{reader.column(column)}" if column else f"{kind} {reader.name(table)}"
    return f"COMMENT ON {what} IS {reader.literal(text)}"


def _declared() -> Iterator[Comment]:
    for table in TABLES.values():
        yield table.name, "", f"{table.description} Key: {', '.join(table.key)}."
        for column in table.columns:
            yield table.name, column.name, column.description
