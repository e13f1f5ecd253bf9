"""Other ways to get the returns list into DuckDB, each in a process of its own: `python -m tests.bench.peers`.

They are spared what the mirror takes upon itself: one request after another by cursor, without windows (the benchmark's
cursors are exact), without a second look at anything, without privacy, keys or history of states, and, but for the plain
reader, without the shipping notices.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loop_returns.api.facts import ASN_PATH, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_SIZE: Final = 750
_RANGE: Final = {"filter": "updated_at", "from": "2017-01-01T00:00:00.000Z", "to": "2030-01-01T00:00:00.000Z"}
_REPORT: Final = timedelta(days=90)  # what a request for shipping notices asks for
_CHILDREN: Final = {
    "return_line_items": "line_items",
    "return_exchanges": "exchanges",
    "return_labels": "labels",
    "return_refunds": "shopify_refund_object",
}


def pages(url: str) -> Iterator[bytes]:
    """The bodies of all pages of all states, one after another."""
    import httpx

    with httpx.Client(timeout=60, trust_env=False) as client:
        for state in STATES:
            params = {**_RANGE, "state": state, "paginate": "true", "pageSize": str(PAGE_SIZE)}
            while True:
                answer = client.get(f"{url}/api/2026-10/warehouse/return/list", params=params)
                answer.raise_for_status()
                yield answer.content
                following = json.loads(b"{" + answer.content[answer.content.rindex(b'"nextPageUrl"') :])["nextPageUrl"]
                if following is None:
                    break
                params["cursor"] = httpx.URL(following).params["cursor"]


def sequential(url: str, folder: Path) -> dict[str, Any]:
    """Reads everything, one request after another, and loads nothing: how long a plain reader waits for the API."""
    import httpx

    from tests.bench.dataset import CREATED_BEFORE, END, SPAN

    del folder
    count = sum(1 for _ in pages(url))
    first = END - SPAN - timedelta(seconds=CREATED_BEFORE)
    with httpx.Client(timeout=60, trust_env=False) as client:
        while first < END:
            days = {"from": f"{first:%Y-%m-%d}", "to": f"{first + _REPORT:%Y-%m-%d}"}
            client.get(f"{url}/api/2026-10{ASN_PATH}", params=days).raise_for_status()
            count, first = count + 1, first + _REPORT
    return {"requests": count}


def stock(url: str, folder: Path) -> dict[str, Any]:
    """dlt's `rest_api` source, one resource per state, and dlt's defaults for everything else."""
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {"base_url": f"{url}/api/2026-10/"},
            "resources": [
                {
                    "name": f"returns_{state}",
                    "table_name": "returns",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "warehouse/return/list",
                        "data_selector": "returns",
                        "params": {**_RANGE, "state": state, "paginate": "true", "pageSize": PAGE_SIZE},
                        "paginator": {"type": "json_link", "next_url_path": "nextPageUrl"},
                    },
                }
                for state in STATES
            ],
        }
    )
    destination = dlt.destinations.duckdb(str(folder / "stock.duckdb"))
    dlt.pipeline("stock", destination=destination, dataset_name="shop").run(source)
    return {"rows": _count(folder / "stock.duckdb", "shop.returns", "shop.returns__line_items")}


def nested(url: str, folder: Path) -> dict[str, Any]:
    """dlt with parquet and without compression of its working files: its normalizer still makes the child tables."""
    import dlt
    import msgspec

    dlt.config["data_writer.disable_compression"] = True

    @dlt.resource(name="returns", primary_key="id", write_disposition="merge")
    def returns() -> Iterator[Any]:
        for body in pages(url):
            yield msgspec.json.decode(body)["returns"]

    destination = dlt.destinations.duckdb(str(folder / "nested.duckdb"))
    pipeline = dlt.pipeline("nested", destination=destination, dataset_name="shop")
    pipeline.run(returns, loader_file_format="parquet")
    return {"rows": _count(folder / "nested.duckdb", "shop.returns", "shop.returns__line_items")}


def floor(url: str, folder: Path) -> dict[str, Any]:
    """The pages as files, and DuckDB's `read_json` from there into tables with the mirror's columns and types."""
    import duckdb

    started = time.perf_counter()
    for number, body in enumerate(pages(url)):
        (folder / f"{number:06d}.json").write_bytes(body)
    downloaded = time.perf_counter() - started
    connection = duckdb.connect(str(folder / "floor.duckdb"))
    files = str(folder / "*.json")
    connection.execute(
        f"CREATE TEMP TABLE pages AS SELECT unnest(returns) AS r FROM read_json('{files}', format = 'auto',"
        f" maximum_object_size = 268435456, columns = {{'returns': '{_struct()}[]'}})"
    )
    for name, select in _selects().items():
        connection.execute(f"CREATE TABLE {name} AS {select}")
    connection.close()
    rows = _count(folder / "floor.duckdb", "returns", "return_line_items")
    return {"rows": rows, "seconds_download": downloaded}


def _struct() -> str:
    """The returns list's rows as DuckDB is to read them: fields that come in several types as text."""
    from loop_returns.tables.catalog import TABLES

    def inner(table: str, arrays: dict[str, str]) -> str:
        fields: dict[str, str] = {}
        for column in TABLES[table].columns:
            if len(column.path) > 1 or (column.path and str(column.type) == "json"):
                fields[column.path[0]] = "JSON"
            elif column.path:
                fields.setdefault(column.path[0], "VARCHAR")
        return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in {**fields, **arrays}.items()) + ")"

    return inner("returns", {field: inner(table, {}) + "[]" for table, field in _CHILDREN.items()})


def _selects() -> dict[str, str]:
    """One query per table."""
    from loop_returns.tables.catalog import TABLES

    queries = {"returns": f"SELECT {_columns(TABLES['returns'], 'r')} FROM pages"}
    for table, field in _CHILDREN.items():
        unnested = f"SELECT r.id AS return_id, unnest(r.{field}) AS c, generate_subscripts(r.{field}, 1) - 1 AS i FROM pages"
        index = "i AS label_index, " if table == "return_labels" else ""
        queries[table] = f"SELECT return_id, {index}{_columns(TABLES[table], 'c')} FROM ({unnested})"
    return queries


def _columns(table: Any, row: str) -> str:
    """The columns of a table with their types, as taken from a struct."""
    kinds = {"decimal": "DECIMAL(18, 4)", "timestamp": "TIMESTAMPTZ", "bool": "BOOLEAN", "bigint": "BIGINT"}
    parts = []
    for column in table.columns:
        if not column.path:
            continue
        value = f'{row}."{column.path[0]}"'
        if len(column.path) > 1:
            inner = f"$.{column.path[1]}"
            if str(column.type) == "timestamp":  # a PHP object or a text
                value = f"coalesce(json_extract_string({value}, '{inner}.date'), json_extract_string({value}, '{inner}'))"
            else:
                value = f"json_extract_string({value}, '{inner}')"
        kind = kinds.get(str(column.type))
        parts.append(f'{f"TRY_CAST({value} AS {kind})" if kind else value} AS "{column.name}"')
    return ", ".join(parts)


def _count(file: Path, *tables: str) -> dict[str, int]:
    import duckdb

    with duckdb.connect(str(file), read_only=True) as connection:
        return {name: connection.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in tables}


PEERS: Final[dict[str, Callable[[str, Path], dict[str, Any]]]] = {
    "sequential": sequential,
    "stock": stock,
    "nested": nested,
    "floor": floor,
}


def main() -> None:
    """Runs the peer that is named."""
    name, url, folder = sys.argv[1:]
    sys.stdout.write(json.dumps(PEERS[name](url, Path(folder))) + "\n")


if __name__ == "__main__":
    main()
