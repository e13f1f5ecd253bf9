"""Creates, replaces and drops the marts in the destination."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Final, Literal

import dlt
import sqlglot
from dlt.destinations.exceptions import DatabaseException
from sqlglot import exp

from loop_returns.marts.files import Mart, all_marts
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.schema import PRECISION, SCALE, Type
from loop_returns.warehouse import comments
from loop_returns.warehouse.reader import Reader, connected

Kind = Literal["TABLE", "VIEW"]

_TYPES: Final = {Type.DECIMAL: f"decimal({PRECISION}, {SCALE})", Type.TIMESTAMP: "timestamptz"}  # else as dlt names them


def refresh(pipeline: dlt.Pipeline, *, as_tables: bool = False) -> list[str]:
    """Creates the marts, or replaces them when their text or the columns under them have changed.

    With `as_tables` they are built as tables, every time: slower to make, faster to read. Returns the names of what
    was created, in order; none when all is up to date, nothing has been loaded yet, or the destination has no SQL
    of its own (files). Raises dlt's DatabaseException when the destination refuses, for one because somebody else's
    view reads a mart that would have to be dropped; nothing is changed then.
    """
    with connected(pipeline) as reader:
        if reader is None:
            return []
        columns = reader.columns(TABLES)
        mark = _mark(reader, columns)
        if not as_tables and _is_current(reader, mark):
            return []
        _build(reader, columns, kind="TABLE" if as_tables else "VIEW", mark=mark)
    return [mart.name for mart in all_marts()]


def are_there(pipeline: dlt.Pipeline) -> bool:
    """True when nobody has dropped one; also where the destination has no SQL."""
    with connected(pipeline) as reader:
        return reader is None or len(_kinds(reader)) == len(all_marts())


def _mark(reader: Reader, columns: Mapping[str, set[str]]) -> str:
    """A fingerprint of everything that decides what the views say; kept in their comments."""
    declared = [sorted(columns.get(name, set()) & set(table.names)) for name, table in TABLES.items()]
    texts = [(mart.name, mart.description, mart.sql) for mart in all_marts()]
    everything = repr((reader.dialect, reader.name(""), texts, declared, [table.names for table in TABLES.values()]))
    return hashlib.blake2b(everything.encode(), digest_size=4).hexdigest()


def _comment(mart: Mart, mark: str) -> str:
    return f"{mart.description} Grain: {mart.grain}. [{mark}]"


def _is_current(reader: Reader, mark: str) -> bool:
    known = comments.read(reader)
    kinds = _kinds(reader)
    return all(kinds.get(mart.name) == "VIEW" and known.get((mart.name, "")) == _comment(mart, mark) for mart in all_marts())


def _build(reader: Reader, columns: Mapping[str, set[str]], *, kind: Kind, mark: str) -> None:
    """Replaces views in place, which keeps what others built on them; where that is refused, drops and creates."""
    queries = [f"{reader.name(mart.name)} AS {_translated(mart, reader, columns)}" for mart in all_marts()]
    known = all_marts() if comments.are_known(reader) else ()
    texts = [comments.statement(reader, mart.name, _comment(mart, mark), kind=kind) for mart in known]
    kinds = _kinds(reader)
    if kind == "VIEW" and "TABLE" not in kinds.values():
        try:
            reader.run(*(f"CREATE OR REPLACE VIEW {query}" for query in queries), *texts)
        except DatabaseException:  # PostgreSQL keeps the columns of a view it replaces, so a new list needs a new view
            if not kinds:
                raise
        else:
            return
    # readers go before what they read
    drops = [f"DROP {kinds[mart.name]} {reader.name(mart.name)}" for mart in reversed(all_marts()) if mart.name in kinds]
    reader.run(*drops, *(f"CREATE {kind} {query}" for query in queries), *texts)


def _kinds(reader: Reader) -> dict[str, Kind]:
    """Which marts exist, and as what."""
    names = {mart.name for mart in all_marts()}
    dataset = reader.literal(reader.dataset)
    rows = reader.rows(
        f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {dataset}"  # noqa: S608 - escaped
    )
    return {name.lower(): "VIEW" if kind == "VIEW" else "TABLE" for name, kind in rows if name.lower() in names}


def _translated(mart: Mart, reader: Reader, stored: Mapping[str, Collection[str]]) -> str:
    """The query of the mart in the destination's dialect, with every table by its full name there.

    `stored` are the columns that each raw table has in the destination. Declared columns and tables that are not there (an
    older warehouse) are replaced by nulls and no rows.
    """
    tree = sqlglot.parse_one(mart.sql, read="duckdb")
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name not in inner:
            table.replace(_source(table, exp.to_table(reader.name(table.name), dialect=reader.dialect), stored))
    return tree.sql(dialect=reader.dialect, comments=False)


def _source(table: exp.Table, qualified: exp.Table, stored: Mapping[str, Collection[str]]) -> exp.Expr:
    name, alias = table.name, table.alias
    there = stored.get(name, ())
    missing = [column for column in TABLES[name].columns if column.name not in there] if name in TABLES else []
    if not missing:
        return exp.alias_(qualified, alias, table=True)
    nulls = [f"cast(null as {_TYPES.get(column.type, column.type)}) as {column.name}" for column in missing]
    if not there:
        return exp.select(*nulls, dialect="duckdb").where("1 = 0").subquery(alias)
    return exp.select("t.*", *nulls, dialect="duckdb").from_(exp.alias_(qualified, "t", table=True)).subquery(alias)
