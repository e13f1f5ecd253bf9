"""Checks that the warehouse holds together: keys, parents, amounts, words nobody knew, values nobody could read.

All checks go to the destination as one query: one round trip. Where everything was sound before, only what was loaded since
has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import sqlglot

from loop_returns.settings import STATES
from loop_returns.tables.catalog import CHILDREN, DATA, TABLES
from loop_returns.tables.children import LINE_ITEMS
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.reader import connected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import dlt

    from loop_returns.tables.schema import Table
    from loop_returns.warehouse.reader import Reader

Severity = Literal["error", "warning"]

CENT: Final = "0.01"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: how many rows of `table` fail it; the message says what that means and what to do."""

    name: str
    table: str
    severity: Severity
    failed: int
    message: str


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    table: Table
    severity: Severity
    sql: str  # DuckDB's dialect; one number; `{shop}` is the shop as a literal
    problem: str  # what `failed` rows have, and what to do
    needs: tuple[str, ...] = ()  # columns of `table` without which the check makes no sense


def run_checks(pipeline: dlt.Pipeline, *, shop: str, loads: Collection[str] | None = None) -> list[Check]:
    """Every check on the shop's rows, passed ones too (`failed` is 0); none before the first load.

    With `loads` only rows of these loads are judged: each by itself, by the rows with its key, and by its return. Checks on
    tables or columns that the warehouse does not have are left out. Raises dlt's DatabaseException when the
    destination cannot be asked.
    """
    with connected(pipeline) as reader:
        if reader is None:
            return []
        columns = reader.columns(TABLES)
        rules = [rule for rule in _rules(loads) if _applies(rule, columns)]
        if not rules:
            return []
        failed = dict(reader.rows(_query(rules, reader, shop)))
    return [_result(rule, int(failed[number])) for number, rule in enumerate(rules)]


def _applies(rule: _Rule, columns: Mapping[str, set[str]]) -> bool:
    there = columns.get(rule.table.name, set())
    joined = {RETURNS.name} if rule.name == "no_orphans" else {LINE_ITEMS.name} if rule.name == "refunds_add_up" else set()
    return bool(there) and set(rule.needs) <= there and joined <= columns.keys()


def _query(rules: list[_Rule], reader: Reader, shop: str) -> str:
    parts = [f"select {number} as rule, ({rule.sql}) as failed" for number, rule in enumerate(rules)]
    tree = sqlglot.parse_one(
        " union all ".join(parts).replace("{shop}", sqlglot.exp.Literal.string(shop).sql("duckdb")), read="duckdb"
    )
    for table in list(tree.find_all(sqlglot.exp.Table)):
        if table.name in TABLES:
            full = sqlglot.exp.to_table(reader.name(table.name), dialect=reader.dialect)
            table.replace(sqlglot.exp.alias_(full, table.alias, table=True))
    return tree.sql(dialect=reader.dialect)


def _result(rule: _Rule, failed: int) -> Check:
    rows = "1 row" if failed == 1 else f"{failed} rows"
    message = f"{rows} of {rule.table.name} {rule.problem}" if failed else "All rows pass."
    return Check(rule.name, rule.table.name, rule.severity, failed, message)


def _rules(loads: Collection[str] | None) -> Iterator[_Rule]:
    fresh = "true"  # a condition on the row that is judged, which is always `t`
    if loads is not None:
        fresh = f"t._dlt_load_id in ({', '.join(sqlglot.exp.Literal.string(load).sql('duckdb') for load in sorted(loads))})"
    for table in TABLES.values():
        yield from _key_rules(table, fresh, some=loads is not None)
    for child in CHILDREN:
        yield _no_orphans(child, fresh)
    yield _refunds_add_up(fresh)
    yield _known_states(RETURNS, fresh, null_is_known=False)
    yield _known_states(ASN, fresh, null_is_known=True)  # nothing says that the report always has one
    for table in DATA:
        yield _all_parsed(table, fresh)


def _key_rules(table: Table, fresh: str, *, some: bool) -> Iterator[_Rule]:
    key = ", ".join(f"o.{name}" for name in table.key)
    by = next(name for name in table.key if name != "shop")  # one column is a fast join, and the check is no worse for it
    touched = f" and o.{by} in (select t.{by} from {table.name} as t where {fresh})" if some else ""
    named = ", ".join(table.key)
    yield _Rule(
        "unique_key",
        table,
        "error",
        f"select coalesce(sum(g.n - 1), 0) from (select count(*) as n from {table.name} as o"
        f" where o.shop = {{shop}}{touched} group by {key} having count(*) > 1) as g",
        f"repeat the key ({named}) of another row: something else than this project writes to the table, or two runs"
        " went on at once. Run `loop-returns reconcile`, which replaces them.",
        table.key,
    )
    empty = " or ".join(f"t.{name} is null" for name in table.key)
    yield _Rule(
        "key_not_null",
        table,
        "error",
        f"select count(*) from {table.name} as t where (t.shop = {{shop}} or t.shop is null) and ({empty}) and {fresh}",
        f"have an empty key column ({named}), so they can be neither found nor replaced. Report it to this project.",
        table.key,
    )


def _no_orphans(child: Table, fresh: str) -> _Rule:
    return _Rule(
        "no_orphans",
        child,
        "error",
        f"select count(*) from {child.name} as t left join returns as r on r.shop = t.shop and r.id = t.return_id"
        f" where t.shop = {{shop}} and r.id is null and {fresh}",
        "belong to a return that the table returns does not have. Run `loop-returns reconcile`.",
        ("shop", "return_id"),
    )


def _refunds_add_up(fresh: str) -> _Rule:
    """The refund of a closed return is that of its lines, up to fee and shipping, which not every shop includes.

    The documentation's example adds up (detailed-returns-list), but nothing there promises it.
    """
    shipped = "coalesce(t.refund_shipping_total, 0) + coalesce(t.refund_shipping_tax_total, 0)"
    off = " and ".join(
        f"abs(t.refund - l.refund{fee}{shipping}) > {CENT}"
        for fee in ("", " + coalesce(t.handling_fee, 0)")
        for shipping in ("", f" - ({shipped})")
    )
    return _Rule(
        "refunds_add_up",
        RETURNS,
        "warning",
        "select count(*) from returns as t join (select i.return_id, sum(i.refund) as refund"
        " from return_line_items as i where i.shop = {shop} and i.return_id in (select t.id from returns as t"
        f" where {fresh}) group by i.return_id) as l on l.return_id = t.id"
        f" where t.shop = {{shop}} and t.state = 'closed' and t._deleted_at is null and {fresh} and {off}",
        "are closed with a refund that is not the sum of their lines' refunds, with or without handling fee and"
        " shipping. Amounts by line may mislead there; compare one of them with Loop's admin.",
        ("refund", "handling_fee", "refund_shipping_total", "refund_shipping_tax_total", "_deleted_at"),
    )


def _known_states(table: Table, fresh: str, *, null_is_known: bool) -> _Rule:
    """The words are documented; Loop's admin knows more of them, which is why an unknown one only warns."""
    known = ", ".join(f"'{state}'" for state in STATES)
    otherwise = STATES[0] if null_is_known else ""
    return _Rule(
        "known_states",
        table,
        "warning",
        f"select count(*) from {table.name} as t where t.shop = {{shop}} and coalesce(t.state, '{otherwise}')"
        f" not in ({known}) and {fresh}",
        "are in a state that nobody knew. Returns are asked for by state, so Loop may hold more of them that no run"
        " can see. Report the word to this project.",
        ("state",),
    )


def _all_parsed(table: Table, fresh: str) -> _Rule:
    return _Rule(
        "all_parsed",
        table,
        "warning",
        f"select count(*) from {table.name} as t where t.shop = {{shop}} and t._unparsed is not null and {fresh}",
        "have a value that did not fit its column. It is kept, as Loop sent it, in the column _unparsed; report it"
        " to this project.",
        ("_unparsed",),
    )
