"""All tables in one place, and what follows from a declaration: its Arrow schema and its dlt hints."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pyarrow as pa

from loop_returns.tables.children import EXCHANGES, LABELS, LINE_ITEMS, REFUNDS
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import LABEL_CHANGES, READS, RUNS, STATE_CHANGES
from loop_returns.tables.schema import PRECISION, SCALE, Column, Table, Type
from loop_returns.tables.shipping import ASN

CHILDREN: Final = (LINE_ITEMS, EXCHANGES, LABELS, REFUNDS)
HISTORY: Final = (STATE_CHANGES, LABEL_CHANGES)  # what runs saw, and the API keeps nothing of
OTHERS: Final = tuple(table for one in RESOURCES for table in one.tables)  # of the endpoints beside these two
DATA: Final = (RETURNS, *CHILDREN, ASN, *OTHERS)  # what the API gives
ARRAYS: Final = {  # the field of a return that holds each child table's rows
    "line_items": LINE_ITEMS,
    "exchanges": EXCHANGES,
    "labels": LABELS,
    "shopify_refund_object": REFUNDS,
}
ARRAYS_OF: Final = {RETURNS.name: ARRAYS, **{one.table.name: one.arrays for one in RESOURCES}}  # by the rows' own table
KEYS: Final = {  # of what the API lists, without the shop: the rows that have a fingerprint
    one.name: one.key[1:] for one in (RETURNS, ASN, *OTHERS, READS) if not one.replace_by
}
TABLES: Final[Mapping[str, Table]] = {table.name: table for table in (*DATA, *HISTORY, READS, RUNS)}
PARENTS: Final[Mapping[str, Table]] = {  # of every table that is replaced as a set: whose sets they are
    **{child.name: RETURNS for child in CHILDREN},
    **{one.name: resource.parent or resource.table for resource in RESOURCES for one in resource.tables if one.replace_by},
}

ARROW: Final = {  # the Arrow type that carries a column of each kind; JSON travels as text
    Type.TEXT: pa.string(),
    Type.JSON: pa.string(),
    Type.DECIMAL: pa.decimal128(PRECISION, SCALE),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.BOOL: pa.bool_(),
    Type.INTEGER: pa.int64(),
}
_CLUSTERS: Final = 4  # columns at most, in BigQuery
_MERGE: Final = {"disposition": "merge", "strategy": "delete-insert"}


@cache
def arrow_schema(name: str) -> pa.Schema:
    """The Arrow schema of a declared table, without columns that dlt fills."""
    return pa.schema(
        pa.field(column.name, ARROW[column.type], nullable=column.nullable)
        for column in TABLES[name].columns
        if column.name != "_dlt_load_id"
    )


def _dlt_column(column: Column) -> dict[str, Any]:
    hint: dict[str, Any] = {
        "name": column.name,
        "data_type": str(column.type),
        "nullable": column.nullable,
        "description": column.description,
    }
    if column.type is Type.DECIMAL:
        hint |= {"precision": PRECISION, "scale": SCALE}
    if column.type is Type.TIMESTAMP:
        hint |= {"precision": 6, "timezone": True}
    if column.name == "_removed":
        hint |= {"hard_delete": True}
    return hint


def dlt_hints(table: Table, *, append: bool = False) -> dict[str, Any]:
    """The arguments of `dlt.resource` for a declared table: disposition, keys, columns.

    Children are replaced as a set by `merge_key`; the rest by their natural key. To `append` is for rows of which the
    destination has none: dlt would write each a second time to look for those that it replaces.
    """
    keys = {"merge_key": table.replace_by} if table.replace_by else {"primary_key": table.key}
    once = table.name in KEYS  # only the newest copy of a row is loaded; to look for others takes long
    return {
        "name": table.name,
        "write_disposition": "append" if append else _MERGE | {"deduplicated": once},
        "columns": {column.name: _dlt_column(column) for column in table.columns},
        **keys,
    }


def layout_hints(table: Table, destination: str) -> dict[str, Any]:
    """What dlt is told of how a table is to lie in a kind of destination; empty where nothing is gained by it.

    BigQuery keeps rows together by the columns that runs look for and replace them by, and reads only where these are. It
    gets no partitions: dlt's merges name no range of time, so they would read all of them.
    """
    columns = [*(table.replace_by or table.key)[:_CLUSTERS]]
    return {"x-bigquery-cluster-columns": columns} if destination == "bigquery" else {}
