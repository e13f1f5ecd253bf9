"""Has dlt write JSON that travels as text in Arrow as values into JSON lines: BigQuery and Snowflake would keep texts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from dlt.common.data_writers.writers import ArrowToJsonlWriter, JsonlWriter
from dlt.common.json import json
from dlt.common.schema.typing import TTableSchemaColumns


@contextmanager
def json_as_values() -> Iterator[None]:
    """Around a load: others in this process get JSON lines as dlt writes them."""

    def write_header(writer: Any, columns: TTableSchemaColumns) -> None:
        writer.of_json = [name for name, column in columns.items() if column.get("data_type") == "json"]

    def write_data(writer: Any, items: list[pa.RecordBatch]) -> None:
        for batch in items:
            rows = batch.to_pylist()
            for row in rows:
                row.update({name: json.loads(row[name]) for name in writer.of_json if row.get(name) is not None})
            JsonlWriter.write_data(writer, rows)

    added = {"write_header": write_header, "write_data": write_data}
    for name, function in added.items():
        setattr(ArrowToJsonlWriter, name, function)
    try:
        yield
    finally:
        for name in added:
            delattr(ArrowToJsonlWriter, name)
