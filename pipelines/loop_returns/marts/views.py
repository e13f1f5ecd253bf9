"""Creates, replaces and drops the marts in the destination."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import dlt
import sqlglot
from dlt.destinations.exceptions import DatabaseException

from loop_returns.errors import ConfigurationError
from loop_returns.marts.files import SOURCE, VALUE, Mart, all_marts
from loop_returns.marts.outside import NOTHING, OUTSIDE, Given, completed, outside, refuse_unreadable, value
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.schema import PRECISION, SCALE, Type
from loop_returns.warehouse import comments
from loop_returns.warehouse.failures import one_line
from loop_returns.warehouse.reader import Reader, connected

Kind = Literal["TABLE", "VIEW"]

_TYPES: Final = {Type.DECIMAL: f"decimal({PRECISION}, {SCALE})", Type.TIMESTAMP: "timestamptz"}  # else as dlt names them


@dataclass(frozen=True)
class _Planned:
    """A mart as it is to be: what kind, with which comment, and how its query is translated when that is needed."""

    mart: Mart
    kind: Kind
    comment: str
    translate: Callable[[Mart], str]

    @property
    def query(self) -> str:
        """Its query in the destination's dialect."""
        return self.translate(self.mart)


def refresh(pipeline: dlt.Pipeline, *, as_tables: bool = False, given: Given = NOTHING) -> list[str]:
    """Creates the marts, or replaces them when their text or the columns under them have changed.

    With `as_tables` those that may be tables are, and are filled anew every time; all else reads them. `given` is what
    settings say. Returns the names of what was made or filled; none when all is up to date, nothing has been loaded yet,
    or the destination has no SQL of its own (files). Raises ConfigurationError for a setting that names no such table or a
    dataset where the marts cannot be, and dlt's DatabaseException when the destination refuses; nothing is changed then.
    """
    with connected(pipeline, marts=given.dataset) as reader:
        if reader is None:
            return []
        refuse_unreadable(reader, given)
        plan = _plan(reader, given, as_tables=as_tables)
        made = plan
        if not _is_current(reader, plan):
            _make(reader, plan)
        else:
            made = [one for one in plan if one.kind == "TABLE"]
            reader.run(*(statement for one in made for statement in _filling(reader, one)))
    if given.dataset:
        _keep_true(pipeline, replace(given, dataset=None))
    return [one.mart.name for one in made]


def _keep_true(pipeline: dlt.Pipeline, given: Given) -> None:
    """Marts left beside the tables since these got a dataset of their own: as views they say what the tables say."""
    with connected(pipeline) as reader:
        are_copies = reader is not None and "TABLE" in _kinds(reader).values()
    if are_copies:
        refresh(pipeline, given=given)


def is_depended_on(error: DatabaseException) -> bool:
    """True when a mart was not replaced because of what others built on it, or because it is another user's."""
    cause = getattr(error, "dbapi_exception", None)
    return type(cause).__name__ in {"DependentObjectsStillExist", "InsufficientPrivilege", "DuplicateSchema"}


def are_current(pipeline: dlt.Pipeline, *, as_tables: bool = False, given: Given = NOTHING) -> bool:
    """True when each is there, of its kind and with its text, as far as comments tell; also where there is no SQL."""
    with connected(pipeline, marts=given.dataset) as reader:
        return reader is None or _is_current(reader, _plan(reader, given, as_tables=as_tables), unless_unknown=True)


def _plan(reader: Reader, given: Given, *, as_tables: bool) -> list[_Planned]:
    columns = reader.columns(TABLES)
    given = completed(given, reader, columns)
    mark = (f"{reader.dataset} " if given.dataset else "") + _mark(reader, columns, given)
    return [
        _Planned(
            mart,
            "TABLE" if as_tables and mart.may_be_table else "VIEW",
            f"{mart.description} Grain: {mart.grain}. [{mark}]",
            lambda one: _translated(one, reader, columns, given),
        )
        for mart in all_marts()
    ]


def _mark(reader: Reader, columns: Mapping[str, set[str]], given: Given) -> str:
    """A fingerprint of everything that decides what the marts say; kept in their comments."""
    declared = [sorted(columns.get(name, set()) & set(table.names)) for name, table in TABLES.items()]
    texts = [(mart.name, mart.description, mart.sql) for mart in all_marts()]
    everything = repr((reader.dialect, reader.name(""), texts, declared, [table.names for table in TABLES.values()], given))
    return hashlib.blake2b(everything.encode(), digest_size=4).hexdigest()


def _is_current(reader: Reader, plan: Sequence[_Planned], *, unless_unknown: bool = False) -> bool:
    """True when each is of its kind and has its comment, which, `unless_unknown`, only counts where there are comments."""
    if _kinds(reader) != {one.mart.name: one.kind for one in plan}:
        return False
    known = comments.read(reader)
    is_unknown = unless_unknown and not comments.are_known(reader)
    return is_unknown or all(known.get((one.mart.name, "")) == one.comment for one in plan)


def _make(reader: Reader, plan: Sequence[_Planned]) -> None:
    """Makes the marts, and their dataset where it does not exist. Raises ConfigurationError where that cannot be."""
    kinds = _kinds(reader)
    if others := _others(reader, kinds):
        raise ConfigurationError(
            f"The schema `{reader.marts}` has {', '.join(others)} from somebody else, or of another dataset. Choose another "
            "--marts-dataset: the marts of each dataset need a schema of their own."
        )
    try:
        reader.make_dataset_of_marts()
        _build(reader, plan, kinds)
    except DatabaseException as error:
        if kinds or not is_depended_on(error):
            raise
        raise ConfigurationError(
            f"The marts cannot be made in the schema `{reader.marts}`: {one_line(error)} Let somebody make that schema who "
            "may, and give this user the right to make views and tables in it; or choose another --marts-dataset."
        ) from error


def _others(reader: Reader, kinds: Collection[str]) -> list[str]:
    """What a dataset of marts has of their names and this dataset's runs have not made, as far as comments tell."""
    if reader.marts == reader.dataset or not comments.are_known(reader):
        return []
    known, columns = comments.read(reader), reader.columns(kinds)  # a DuckDB file that was made anew has no comments
    said = {mart.name: known.get((mart.name, "")) for mart in all_marts() if mart.name in kinds}
    same = {mart.name for mart in all_marts() if columns.get(mart.name) == set(mart.columns)}
    return sorted(
        name for name, text in said.items() if f" [{reader.dataset} " not in (text or "") and (text or name not in same)
    )


def _build(reader: Reader, plan: Sequence[_Planned], kinds: Mapping[str, Kind]) -> None:
    """Replaces marts in place, which keeps grants and what others built on them; else drops all and creates them."""
    try:
        with reader.transaction():
            for one in plan:
                _replace(reader, one, kinds.get(one.mart.name))
    except (DatabaseException, _OtherColumnsError):  # PostgreSQL keeps the columns of a view it replaces
        if not kinds:
            raise
        # readers go before what they read
        drops = [
            f"DROP {kinds[one.mart.name]} {reader.name(one.mart.name)}" for one in reversed(plan) if one.mart.name in kinds
        ]
        reader.run(*drops, *(statement for one in plan for statement in _creating(reader, one)))


class _OtherColumnsError(Exception):
    """A mart cannot be replaced in place."""


def _replace(reader: Reader, one: _Planned, kind: Kind | None) -> None:
    name, before = reader.name(one.mart.name), f"{one.mart.name}_before"
    if kind not in (None, one.kind):
        raise _OtherColumnsError
    statements = _creating(reader, one)
    if kind == "TABLE":
        reader.execute(f"CREATE TABLE {reader.name(before)} AS SELECT * FROM ({one.query}) AS q LIMIT 0")  # noqa: S608
        if _types(reader, before) != _types(reader, one.mart.name):
            raise _OtherColumnsError
        reader.execute(f"DROP TABLE {reader.name(before)}")
        statements = [*_filling(reader, one), *statements[1:]]
    elif kind == "VIEW":
        statements[0] = f"CREATE OR REPLACE VIEW {name} AS {one.query}"
    for statement in statements:
        reader.execute(statement)


def _creating(reader: Reader, one: _Planned) -> list[str]:
    comment = [comments.statement(reader, one.mart.name, one.comment, kind=one.kind)] if comments.are_known(reader) else []
    return [f"CREATE {one.kind} {reader.name(one.mart.name)} AS {one.query}", *comment]


def _filling(reader: Reader, one: _Planned) -> list[str]:
    return [f"DELETE FROM {(name := reader.name(one.mart.name))} WHERE true", f"INSERT INTO {name} {one.query}"]  # noqa: S608


def _types(reader: Reader, table: str) -> list[tuple[Any, ...]]:
    """Name and type of each column, in order."""
    view, here = reader.information("columns")
    digits = "" if reader.dialect == "bigquery" else ", numeric_precision, numeric_scale"  # there the type holds them
    where = f"{here} AND lower(table_name) = {reader.literal(table)}"
    return reader.rows(f"SELECT column_name, data_type{digits} FROM {view} WHERE {where} ORDER BY ordinal_position")  # noqa: S608


def _kinds(reader: Reader) -> dict[str, Kind]:
    """Which marts exist, and as what."""
    names = {mart.name for mart in all_marts()}
    view, here = reader.information("tables")
    rows = reader.rows(f"SELECT table_name, table_type FROM {view} WHERE {here}")  # noqa: S608 - escaped
    return {name.lower(): "VIEW" if kind == "VIEW" else "TABLE" for name, kind in rows if name.lower() in names}


def _translated(mart: Mart, reader: Reader, stored: Mapping[str, Collection[str]], given: Given) -> str:
    """The query of the mart in the reader's dialect, with every table by its full name there.

    `stored` are the columns that each raw table has in the destination. Declared columns and tables that are not there (an
    older warehouse) are replaced by nulls and no rows.
    """

    def source(found: re.Match[str]) -> str:
        name = found[0]
        if name in OUTSIDE:
            return f"({outside(name, given)})"
        if name in TABLES:
            return _source(name, reader.name(name), stored.get(name, ()))
        return reader.name(name) if name in marts else name  # else a part of the query

    marts = {one.name for one in all_marts()}
    sql = VALUE.sub(lambda found: value(found[1], given), SOURCE.sub(source, mart.sql))
    return sql if reader.written_in == "duckdb" else sqlglot.transpile(sql, "duckdb", reader.written_in, comments=False)[0]


def _source(name: str, qualified: str, there: Collection[str]) -> str:
    missing = [column for column in TABLES[name].columns if column.name not in there]
    if not missing:
        return qualified
    nulls = ", ".join(f"cast(null as {_TYPES.get(column.type, column.type)}) as {column.name}" for column in missing)
    return f"(select t.*, {nulls} from {qualified} as t)" if there else f"(select {nulls} limit 0)"  # noqa: S608
