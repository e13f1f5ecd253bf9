"""Writes tables and views of the warehouse as whole Parquet files; what is in memory is a part of one table at most."""

from collections.abc import Callable, Iterator, Mapping
from tempfile import TemporaryFile
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.folder import Folder
from loop_returns.warehouse.reader import Reader, looking

_BLOCK: Final = 16 << 20  # bytes of text at a time, and the longest row
_SETTINGS: Final = {
    "duckdb": "SET memory_limit = '256MB'; SET threads = 1; SET preserve_insertion_order = false",
    "postgres": "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'",
}


def publish_files(
    target: Target,
    folder: Folder,
    schemas: Mapping[str, pa.Schema],
    *,
    about: Mapping[str, Any],
    confirm: Callable[[], None],
) -> None:
    """Writes the tables and views of these schemas that there are, names them in the manifest, removes older runs' files.

    Columns that a schema does not have are written as text. `about` is what the manifest says besides, with the `run_id`;
    `confirm` raises when the run has lost its lock. Raises WarehouseError; the manifest and what it names are whole then.
    """
    name = f"run={about['run_id']}"
    with folder.explained():
        before = folder.manifest()
    with looking(target) as reader:
        if reader.dialect in _SETTINGS:
            reader.execute(_SETTINGS[reader.dialect])
        stored = reader.columns(schemas)
        tables = {}
        for table in filter(stored.__contains__, schemas):
            schema = _schema(schemas[table], stored[table])
            parts = _parts(reader, target, table, schema)
            tables[table] = _write(folder, f"{name}/{table}/{table}.parquet", schema, parts)
    confirm()
    with folder.explained():
        folder.tell({**about, "folder": name, "tables": tables})
        folder.remove_all_but({name, before.get("folder", name)})


def _schema(schema: pa.Schema, stored: set[str]) -> pa.Schema:
    """The columns that are there, undeclared ones as text at the end."""
    declared = [pa.field(one.name, one.type) for one in schema if one.name in stored]
    return pa.schema([*declared, *((name, pa.string()) for name in sorted(stored.difference(schema.names)))])


def _write(folder: Folder, path: str, schema: pa.Schema, parts: Iterator[pa.Table]) -> dict[str, Any]:
    """Writes one file and returns what the manifest says of it."""
    rows = 0
    with folder.explained(), folder.writing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part)
            rows += part.num_rows
    return {"path": path, "rows": rows, "columns": [{"name": one.name, "type": str(one.type)} for one in schema]}


def _parts(reader: Reader, target: Target, table: str, schema: pa.Schema) -> Iterator[pa.Table]:
    query = f"SELECT {', '.join(_value(reader, one) for one in schema)} FROM {reader.name(table)}"
    try:
        yield from (_copied(reader, target, query, schema) if target.is_postgres else reader.parts(query, schema=schema))
    except Exception as error:  # each destination has errors of its own; a folder's are another matter
        raise explain(error, target) from error


def _value(reader: Reader, column: pa.Field) -> str:
    name = reader.column(column.name)
    if pa.types.is_string(column.type):
        return f"CAST({name} AS VARCHAR)"  # JSON as text
    return reader.time(name) if pa.types.is_timestamp(column.type) else name


def _copied(reader: Reader, target: Target, query: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a query by way of a file: PostgreSQL's driver keeps a whole result in memory, and makes objects of it."""
    options = csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,  # "" is an empty text
        true_values=["t"],
        false_values=["f"],
    )
    with TemporaryFile(dir=target.folder) as file:
        with reader.sql.native_connection.cursor() as cursor:
            cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv)", file)
        if not file.tell():
            return
        file.seek(0)
        reading = csv.ReadOptions(column_names=schema.names, block_size=_BLOCK)
        parsing = csv.ParseOptions(newlines_in_values=True)
        for batch in csv.open_csv(file, read_options=reading, parse_options=parsing, convert_options=options):
            yield pa.Table.from_batches([batch], schema=schema)
