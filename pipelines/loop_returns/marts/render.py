"""Translates a mart from DuckDB's dialect to the destination's, with every table by its full name there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp

from loop_returns.tables.catalog import TABLES
from loop_returns.tables.schema import PRECISION, SCALE, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from loop_returns.marts.files import Mart

SOURCE_DIALECT: Final = "duckdb"
_TYPES: Final = {
    Type.TEXT: "text",
    Type.JSON: "json",
    Type.DECIMAL: f"decimal({PRECISION}, {SCALE})",
    Type.TIMESTAMP: "timestamptz",
    Type.BOOL: "boolean",
    Type.INTEGER: "bigint",
}


def render(mart: Mart, *, dialect: str, qualify: Callable[[str], str], stored: Mapping[str, Collection[str]]) -> str:
    """The query of the mart in `dialect`.

    `qualify` gives the full, quoted name of a table; `stored` the columns each raw table has in the destination.
    Declared columns and tables that are not there (an older warehouse) are replaced by nulls and no rows.
    """
    tree = sqlglot.parse_one(mart.sql, read=SOURCE_DIALECT)
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name not in inner:
            table.replace(_source(table, exp.to_table(qualify(table.name), dialect=dialect), stored))
    return tree.sql(dialect=dialect, comments=False)


def _source(table: exp.Table, qualified: exp.Table, stored: Mapping[str, Collection[str]]) -> exp.Expr:
    name, alias = table.name, table.alias
    there = stored.get(name, ())
    missing = [column for column in TABLES[name].columns if column.name not in there] if name in TABLES else []
    if not missing:
        return exp.alias_(qualified, alias, table=True)
    nulls = ", ".join(f"cast(null as {_TYPES[column.type]}) as {column.name}" for column in missing)
    if not there:
        empty = sqlglot.parse_one(f"select {nulls} where 1 = 0", read=SOURCE_DIALECT)
        return exp.Subquery(this=empty, alias=exp.TableAlias(this=exp.to_identifier(alias)))
    partial = sqlglot.parse_one(
        f"select t.*, {nulls} from t",  # noqa: S608 - names of declared columns only
        read=SOURCE_DIALECT,
    )
    found = partial.find(exp.Table)
    if found is not None:
        found.replace(exp.alias_(qualified, "t", table=True))
    return exp.Subquery(this=partial, alias=exp.TableAlias(this=exp.to_identifier(alias)))
