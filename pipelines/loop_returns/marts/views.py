"""Creates, replaces and drops the marts in the destination."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from dlt.destinations.exceptions import DatabaseException

from loop_returns.marts.files import Mart, all_marts
from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse import comments
from loop_returns.warehouse.reader import Stored, connected

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dlt

Kind = Literal["TABLE", "VIEW"]


def refresh(pipeline: dlt.Pipeline, *, as_tables: bool = False) -> list[str]:
    """Creates the marts, or replaces them when their text or the columns under them have changed.

    With `as_tables` they are built as tables, every time: slower to make, faster to read. Returns the names of what
    was created, in order; none when all is up to date, nothing has been loaded yet, or the destination has no SQL
    of its own (files). Raises dlt's DatabaseException when the destination refuses, for one because somebody else's
    view reads a mart that would have to be dropped; nothing is changed then.
    """
    with connected(pipeline) as stored:
        if stored is None:
            return []
        columns = stored.columns(TABLES)
        mark = _mark(stored, columns)
        if not as_tables and _is_current(stored, mark):
            return []
        _build(stored, columns, kind="TABLE" if as_tables else "VIEW", mark=mark)
    return [mart.name for mart in all_marts()]


def drop(pipeline: dlt.Pipeline) -> list[str]:
    """Drops the marts and returns their names.

    Needed before dlt's `refresh`: PostgreSQL drops no table that a view reads, and the package would stay
    pending.
    """
    with connected(pipeline) as stored:
        if stored is None:
            return []
        kinds = _kinds(stored)
        stored.run(*_drops(stored, kinds))
    return [mart.name for mart in all_marts() if mart.name in kinds]


def _mark(stored: Stored, columns: Mapping[str, set[str]]) -> str:
    """A fingerprint of everything that decides how the views read; kept in their comments."""
    declared = [sorted(columns.get(name, set()) & set(table.names)) for name, table in TABLES.items()]
    texts = [(mart.name, mart.description, mart.sql) for mart in all_marts()]
    said = repr((stored.dialect, stored.name(""), texts, declared, [table.names for table in TABLES.values()]))
    return hashlib.blake2b(said.encode(), digest_size=4).hexdigest()


def _comment(mart: Mart, mark: str) -> str:
    return f"{mart.description} Grain: {mart.grain}. [{mark}]"


def _is_current(stored: Stored, mark: str) -> bool:
    known = comments.read(stored)
    kinds = _kinds(stored)
    return all(kinds.get(mart.name) == "VIEW" and known.get((mart.name, "")) == _comment(mart, mark) for mart in all_marts())


def _build(stored: Stored, columns: Mapping[str, set[str]], *, kind: Kind, mark: str) -> None:
    """Replaces views in place, which keeps what others built on them; where that is refused, drops and creates."""
    from loop_returns.marts.render import render  # translating is slow to import and rarely needed

    queries = {mart.name: render(mart, dialect=stored.dialect, qualify=stored.name, stored=columns) for mart in all_marts()}
    said = [
        comments.statement(stored, mart.name, _comment(mart, mark), kind=kind)
        for mart in all_marts()
        if comments.are_known(stored)
    ]
    kinds = _kinds(stored)
    if kind == "VIEW" and "TABLE" not in kinds.values():
        try:
            stored.run(*(_create("OR REPLACE VIEW", stored, name, sql) for name, sql in queries.items()), *said)
        except DatabaseException:  # PostgreSQL keeps the columns of a view it replaces, so a new list needs a new view
            if not kinds:
                raise
        else:
            return
    creates = (_create(kind, stored, name, sql) for name, sql in queries.items())
    stored.run(*_drops(stored, kinds), *creates, *said)


def _create(what: str, stored: Stored, name: str, sql: str) -> str:
    return f"CREATE {what} {stored.name(name)} AS {sql}"


def _drops(stored: Stored, kinds: Mapping[str, Kind]) -> list[str]:
    """Statements that drop what there is, readers before what they read."""
    return [f"DROP {kinds[mart.name]} {stored.name(mart.name)}" for mart in reversed(all_marts()) if mart.name in kinds]


def _kinds(stored: Stored) -> dict[str, Kind]:
    """Which marts exist, and as what."""
    names = {mart.name for mart in all_marts()}
    dataset = stored.literal(stored.dataset)
    rows = stored.rows(
        f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {dataset}"  # noqa: S608 - escaped
    )
    return {name.lower(): "VIEW" if kind == "VIEW" else "TABLE" for name, kind in rows if name.lower() in names}
