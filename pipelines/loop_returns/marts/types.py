"""The types of the marts' columns: those that DuckDB finds, whatever the destination calls them."""

from collections.abc import Mapping
from contextlib import closing
from functools import cache

import duckdb
import pyarrow as pa

from loop_returns.marts.files import VALUE, all_marts
from loop_returns.marts.outside import NOTHING, OUTSIDE, outside, value
from loop_returns.tables.catalog import ARROW, TABLES


@cache
def arrow_schemas() -> Mapping[str, pa.Schema]:
    """The Arrow schema of each mart."""
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in TABLES.items():
            connection.register(name, pa.schema([(one.name, ARROW[one.type]) for one in table.columns]).empty_table())
        for name in OUTSIDE:
            connection.execute(f"CREATE TABLE {name} AS {outside(name, NOTHING)}")
        for mart in all_marts():
            query = VALUE.sub(lambda found: value(found[1], NOTHING), mart.sql)
            connection.execute(f"CREATE TABLE {mart.name} AS {query}")
        return {mart.name: connection.table(mart.name).to_arrow_table().schema for mart in all_marts()}
