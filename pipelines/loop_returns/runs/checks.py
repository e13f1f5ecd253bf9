"""Checks that the warehouse holds together: keys, parents, amounts, words nobody knew, values nobody could read.

All checks go to the destination as one query: one round trip. Where everything was sound before, only what was loaded since
has to be looked at.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import dlt

from loop_returns.api.facts import STATES
from loop_returns.runs.progress import counted
from loop_returns.tables.catalog import CHILDREN, DATA, TABLES
from loop_returns.tables.children import LABELS, REFUNDS
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import Table
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.reader import connected

Severity = Literal["error", "warning"]
_IMPOSSIBLE: Final = {  # what no row of these tables can have; `r` is its return
    RETURNS: "t.outcomes_processed_at_refund_processed < t.created_at",
    LABELS: "lower(t.status) = 'delivered' and t.updated_at < r.created_at",
    REFUNDS: "coalesce(t.provider_created_at, t.created_at) < r.created_at",
    ASN: "t.date_delivered < t.created_at or t.closed_at < t.created_at or t.provider_created_at > t.created_at",
}
_AT_ONCE: Final = 5  # in one statement: DuckDB takes memory for all of them at once
_OF_ONE: Final = {"are": "is", "belong": "belongs", "have": "has", "repeat": "repeats"}


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
    sql: str  # one number; `{returns}` is that table, `{shop}` the shop, `{loaded}` a condition on the row `t` to be checked
    problem: str  # what `failed` rows have, a verb first, and what to do


def all_checks() -> list[tuple[str, str]]:
    """The name and the table of every check."""
    return [(rule.name, rule.table.name) for rule in _rules(everything=True)]


def run_checks(pipeline: dlt.Pipeline, *, shop: str, loads: Collection[str] | None = None) -> list[Check]:
    """Every check on the shop's rows, passed ones too (`failed` is 0); none before the first load.

    With `loads` only rows of these loads are checked: each by itself, by the rows with its key, and by its return. Every
    declared table has to be there. Raises dlt's DatabaseException when the destination cannot be asked.
    """
    with connected(pipeline) as reader:
        if reader is None:
            return []
        rules = [*_rules(everything=loads is None)]
        loaded = "true" if loads is None else f"t._dlt_load_id in ({', '.join(map(reader.literal, sorted(loads)))})"
        names = {name: reader.name(name) for name in TABLES} | {"shop": reader.literal(shop), "loaded": loaded}
        parts = [f"select {number} as rule, ({rule.sql.format(**names)}) as failed" for number, rule in enumerate(rules)]
        statements = (" union all ".join(parts[start : start + _AT_ONCE]) for start in range(0, len(parts), _AT_ONCE))
        failed: dict[int, int] = {}
        for statement in statements:
            with reader.query(statement) as cursor:
                failed |= {int(number): int(count) for number, count in cursor.fetchall()}
    return [_result(rule, failed[number]) for number, rule in enumerate(rules)]


def _result(rule: _Rule, failed: int) -> Check:
    verb, rest = rule.problem.split(" ", 1)
    verb = _OF_ONE[verb] if failed == 1 else verb
    message = f"{counted(failed, 'row')} of {rule.table.name} {verb} {rest}" if failed else "All rows pass."
    return Check(rule.name, rule.table.name, rule.severity, failed, message)


def _rules(*, everything: bool) -> Iterator[_Rule]:
    for table in TABLES.values():
        yield _unique_key(table, everything=everything)
        yield _Rule(
            "key_not_null",
            table,
            "error",
            f"select count(*) from {{{table.name}}} as t where (t.shop = {{shop}} or t.shop is null) and {{loaded}}"
            f" and ({' or '.join(f't.{name} is null' for name in table.key)})",
            f"have an empty key column ({', '.join(table.key)}), so that no run can find or replace what it stands for. "
            "Report it to this project.",
        )
    for child in CHILDREN:
        yield _Rule(
            "no_orphans",
            child,
            "error",
            f"select count(*) from {{{child.name}}} as t"
            " left join {returns} as r on r.shop = t.shop and r.id = t.return_id"
            " where t.shop = {shop} and r.id is null and {loaded}",
            "belong to a return that the table returns does not have. Run `loop-returns reconcile`.",
        )
    yield _refunds_add_up()
    yield _void_without_refund()
    yield from map(_possible_times, _IMPOSSIBLE)
    yield _known_states(RETURNS, "")
    yield _known_states(ASN, STATES[0])  # nothing says that the report always has a state
    for table in DATA:
        yield _Rule(
            "all_parsed",
            table,
            "warning",
            f"select count(*) from {{{table.name}}} as t where t.shop = {{shop}} and t._unparsed is not null and {{loaded}}",
            "have a value that did not fit its column. It is kept, as Loop sent it, in the column _unparsed; report it"
            " to this project.",
        )


def _unique_key(table: Table, *, everything: bool) -> _Rule:
    key = ", ".join(f"o.{name}" for name in table.key)
    by = next(name for name in table.key if name != "shop")  # one column is a fast join, and the check is no worse for it
    touched = "" if everything else f" and o.{by} in (select t.{by} from {{{table.name}}} as t where {{loaded}})"
    return _Rule(
        "unique_key",
        table,
        "error",
        f"select coalesce(sum(g.n - 1), 0) from (select count(*) as n from {{{table.name}}} as o"
        f" where o.shop = {{shop}}{touched} group by {key} having count(*) > 1) as g",
        f"repeat the key ({', '.join(table.key)}) of another row: something else than this project writes to the table, or"
        " two runs went on at once. Run `loop-returns reconcile`, which replaces them.",
    )


def _possible_times(table: Table) -> _Rule:
    parent = " join {returns} as r on r.shop = t.shop and r.id = t.return_id" if table in CHILDREN else ""
    return _Rule(
        "possible_times",
        table,
        "warning",
        f"select count(*) from {{{table.name}}} as t{parent} where t.shop = {{shop}} and {{loaded}}"
        f" and ({_IMPOSSIBLE[table]})",
        "have a date that cannot be: ordered after, or delivered, refunded or closed before the return was submitted. Such"
        " days are in no mean of the marts, which count them as impossible.",
    )


def _void_without_refund() -> _Rule:
    return _Rule(
        "void_without_refund",
        RETURNS,
        "warning",
        "select count(*) from {returns} as t where t.shop = {shop} and {loaded} and t._deleted_at is null"
        " and t.state in ('cancelled', 'expired') and (t.outcomes_processed_at_refund_processed is not null"
        " or t.id in (select f.return_id from {return_refunds} as f where f.shop = {shop}))",
        "are cancelled or expired, and yet a refund has a date. The marts leave their amounts out, but for the columns"
        " void_refunded of rpt_returns_daily; look at them in Loop's admin.",
    )


def _refunds_add_up() -> _Rule:
    """The refund of a closed return is that of its lines, up to fee and shipping, which not every shop includes.

    The documentation's example adds up (detailed-returns-list), but nothing there promises it.
    """
    shipped = "coalesce(t.refund_shipping_total, 0) + coalesce(t.refund_shipping_tax_total, 0)"
    off = " and ".join(
        f"abs(t.refund - l.refund{fee}{shipping}) > 0.01"
        for fee in ("", " + coalesce(t.handling_fee, 0)")
        for shipping in ("", f" - ({shipped})")
    )
    return _Rule(
        "refunds_add_up",
        RETURNS,
        "warning",
        "select count(*) from {returns} as t join (select i.return_id, sum(i.refund) as refund"
        " from {return_line_items} as i where i.shop = {shop} and i.return_id in (select t.id from {returns} as t"
        " where {loaded}) group by i.return_id) as l on l.return_id = t.id"
        f" where t.shop = {{shop}} and t.state = 'closed' and t._deleted_at is null and {{loaded}} and {off}",
        "are closed with a refund that is not the sum of the lines' refunds, with or without handling fee and"
        " shipping. Amounts by line may mislead there; compare one of them with Loop's admin.",
    )


def _known_states(table: Table, in_place_of_null: str) -> _Rule:
    """The words are documented; Loop's admin knows more of them, which is why an unknown one only warns."""
    return _Rule(
        "known_states",
        table,
        "warning",
        f"select count(*) from {{{table.name}}} as t where t.shop = {{shop}} and {{loaded}}"
        f" and coalesce(t.state, '{in_place_of_null}') not in ({', '.join(repr(state) for state in STATES)})",
        "are in a state that nobody knew. Returns are asked for by state, so Loop may hold more of them that no run"
        " can see. Report the word to this project.",
    )
