"""Says a statement in a destination's dialect: DuckDB and PostgreSQL take ours as it is, for others sqlglot writes it anew.

What sqlglot leaves as it is and the destination refuses is replaced here; `tests/dialects` asks what can be asked.
"""

from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.transforms import eliminate_window_clause

from loop_returns.tables.catalog import TABLES
from loop_returns.tables.schema import Type

_NATIVE: Final = ("duckdb", "postgres")
_JSON: Final = {column.name for table in TABLES.values() for column in table.columns if column.type is Type.JSON}
_AS_TEXT: Final = {"bigquery": "TO_JSON_STRING", "redshift": "JSON_SERIALIZE"}  # where a cast of JSON is refused
_SORTED: Final = "ARRAY_AGG({0} IGNORE NULLS ORDER BY {0})[SAFE_OFFSET(CAST({2}({1} * (COUNT({0}) - 1)) AS INT64))]"
_LOWER, _UPPER = _SORTED.replace("{2}", "FLOOR"), _SORTED.replace("{2}", "CEIL")
_QUANTILE: Final = {  # of a share {1}, where `percentile_cont … within group` is refused, or estimates
    "bigquery": f"{_LOWER} + ({_UPPER} - {_LOWER}) * ({{1}} * (COUNT({{0}}) - 1) - FLOOR({{1}} * (COUNT({{0}}) - 1)))",
    "databricks": "PERCENTILE({0}, {1})",
}
_OTHERS: Final = "PERCENTILE_CONT({1}) WITHIN GROUP (ORDER BY {0})"


def written_in(dialect: str) -> str:
    """The dialect in which statements for a destination of this dialect are written."""
    return dialect if dialect in _NATIVE else "duckdb"


def translated(sql: str, dialect: str) -> str:
    """The statement in the dialect; `%s` stays where a value goes."""
    if dialect in _NATIVE:
        return sql
    tree = sqlglot.parse_one(sql.replace("%s", "?"), read="duckdb")
    return tree.transform(_replaced, dialect).sql(dialect=dialect, comments=False)


def _replaced(node: exp.Expr, dialect: str) -> exp.Expr:
    match node:
        case exp.Select():
            return eliminate_window_clause(node)
        case exp.Placeholder():
            return exp.var("%s")
        case exp.Cast(this=exp.Column() as column) if dialect in _AS_TEXT and node.is_type("text", "varchar"):
            return exp.func(_AS_TEXT[dialect], column) if column.name.lower() in _JSON else node
        case exp.Add(expression=exp.Mul(this=number, expression=exp.Interval() as one)):  # intervals are no numbers there
            return exp.DateAdd(this=node.this, expression=number, unit=one.args["unit"])
        case exp.WithinGroup(this=exp.PercentileCont(this=share), expression=exp.Order(expressions=[order])):
            return sqlglot.parse_one(_QUANTILE.get(dialect, _OTHERS).format(order.this.sql(dialect), share), read=dialect)
        case exp.Extract() | exp.TimestampTrunc() | exp.DateTrunc() if dialect == "bigquery":
            for unit in node.find_all(exp.Var):
                if unit.name == "WEEK":  # else it begins on Sunday
                    unit.set("this", "ISOWEEK")
    return node
