"""Writes the meaning of tables and columns into the warehouse, where BI tools show it.

dlt keeps descriptions in its own schema and, on DuckDB and PostgreSQL, tells the database nothing. Comments survive
later loads, so only what is missing or has changed is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse.reader import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dlt

    from loop_returns.warehouse.reader import Stored

# Every table and column of the schema with its comment or null; the column is '' for the table itself.
_READ: Final = {
    "duckdb": """
        SELECT table_name, '' AS column_name, comment FROM duckdb_tables()
        WHERE schema_name = {dataset} AND database_name = current_database()
        UNION ALL
        SELECT view_name, '', comment FROM duckdb_views()
        WHERE schema_name = {dataset} AND database_name = current_database()
        UNION ALL
        SELECT table_name, column_name, comment FROM duckdb_columns()
        WHERE schema_name = {dataset} AND database_name = current_database()
    """,
    "postgres": """
        SELECT c.relname, coalesce(a.attname, ''), d.description
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT 0 AS attnum, NULL AS attname
            UNION ALL
            SELECT i.attnum, i.attname FROM pg_catalog.pg_attribute AS i
            WHERE i.attrelid = c.oid AND i.attnum > 0 AND NOT i.attisdropped
        ) AS a
        LEFT JOIN pg_catalog.pg_description AS d
            ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
        WHERE n.nspname = {dataset} AND c.relkind IN ('r', 'p', 'v')
    """,
}


def write_comments(pipeline: dlt.Pipeline) -> None:
    """Comments every table, every column and every mart's columns; does nothing where comments are not known.

    The marts' own comments are written by `marts.refresh`, with which they are created.
    """
    with connected(pipeline) as stored:
        if stored is None or not are_known(stored):
            return
        there = read(stored)
        todo = [
            statement(stored, table, text, column=column)
            for table, column, text in _wanted()
            if (table, column) in there and there[table, column] != text
        ]
        if todo:
            stored.run(*todo)


def are_known(stored: Stored) -> bool:
    """True where comments can be written and read: DuckDB (and DuckLake, MotherDuck) and PostgreSQL."""
    return stored.dialect in _READ


def read(stored: Stored) -> dict[tuple[str, str], str | None]:
    """The comment, or None, of each table (column '') and column that exists; empty where comments are not known."""
    if not are_known(stored):
        return {}
    rows = stored.rows(_READ[stored.dialect].format(dataset=stored.literal(stored.dataset)))
    return {(table, column): text for table, column, text in rows}


def statement(stored: Stored, table: str, text: str, *, column: str = "", kind: Literal["TABLE", "VIEW"] = "TABLE") -> str:
    """The statement that comments a table or view, or one of its columns."""
    if column:
        what = f"COLUMN {stored.name(table)}.{stored.sql.escape_column_name(column)}"
    else:
        what = f"{kind} {stored.name(table)}"
    return f"COMMENT ON {what} IS {stored.literal(text)}"


def _wanted() -> Iterator[tuple[str, str, str]]:
    """(table, column or '', text) of everything that has a meaning to write down."""
    from loop_returns.marts.files import all_marts

    for table in TABLES.values():
        yield table.name, "", f"{table.description} Key: {', '.join(table.key)}."
        for column in table.columns:
            yield table.name, column.name, column.description
    for mart in all_marts():
        for name, meaning in mart.columns.items():
            yield mart.name, name, meaning
