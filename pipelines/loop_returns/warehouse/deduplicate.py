"""Decides, for one load, which copy of each row lands: the newest, with its own children, and only if it says something new.

Pure: what the warehouse has comes in as `Known` rows, what is to be loaded goes out as Arrow tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.tables.catalog import CHILDREN, TABLES, arrow_schema
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import STATE_CHANGES
from loop_returns.tables.shape import COPY
from loop_returns.tables.shipping import ASN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

Key = tuple[str, ...]
Tables = dict[str, pa.Table]
_FIRST_DAY: Final = date(1970, 1, 1)
_DAY: Final = 86_400_000_000  # microseconds
_NEVER: Final = -(2**62)  # sorts before every time: a copy without `updated_at` never beats one that has it


class Known(NamedTuple):
    """What the warehouse has of one row. `row_hash` is None unless the load that wrote the row was completed."""

    updated_at: int | None  # microseconds since 1970, UTC
    state: str | None
    row_hash: str | None
    deleted: bool = False
    previous_state: str | None = None
    label_updated_at: int | None = None  # likewise


class _Copy(NamedTuple):
    updated_at: int
    number: int  # order of observation
    row: int
    state: str | None
    row_hash: str


@dataclass
class Tally:
    """What became of the rows read: counts by table, and what was left out."""

    new: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    unchanged: int = 0
    older: int = 0

    def add(self, other: Tally) -> None:
        """Adds the counts of another load."""
        for mine, theirs in ((self.new, other.new), (self.changed, other.changed)):
            for table, count in theirs.items():
                mine[table] = mine.get(table, 0) + count
        self.unchanged += other.unchanged
        self.older += other.older


@dataclass(frozen=True)
class Settled:
    """What to load, by table name, and the counts. `tables` is empty when nothing says anything new.

    `fresh` names tables of which the warehouse has no row with these keys, nor children of these returns.
    """

    tables: Tables
    tally: Tally
    fresh: frozenset[str] = frozenset()
    days: frozenset[date] = frozenset()  # on which the warehouse had the returns that are replaced


def settle_returns(
    tables: Tables,
    known: Mapping[Key, Known] | None,
    *,
    shop: str,
    observed_at: datetime,
    always: bool = False,
    left: Collection[str] = (),
) -> Settled:
    """The newest copy of every return with its children, tombstones for children that are gone, and state changes.

    `tables` has `returns` and its children with `_copy` numbers; they are taken out of it, so that no copy of them fills the
    memory. Where it is not known what the warehouse has, `known` is
    None: then every return may have had children, as the returns in `left` may. `always` lands rows also where the
    fingerprint says that the warehouse has them (reconcile has seen otherwise).
    """
    anything = known is None
    known = known or {}
    root = tables.pop(RETURNS.name)
    chosen, tally, chains = _choose(root, ("id",), known, always=always)
    if not chosen:
        return Settled({}, tally)
    everything = len(chosen) == root.num_rows  # as in a first sync: then nothing has to be copied
    keep = root if everything else root.take(pa.array([copy.row for copy in chosen.values()], pa.int64()))
    del root
    numbers = keep.column(COPY)
    before = [known[key].state if key in known else None for key in chosen]
    position = keep.schema.get_field_index("_previous_state")
    keep = keep.set_column(position, "_previous_state", pa.array(before, pa.string()))
    fresh = {copy.number for key, copy in chosen.items() if key not in known}
    settled = {RETURNS.name: keep.drop_columns([COPY])}
    _count(tally, RETURNS.name, rows=len(chosen), new=len(fresh))
    new_numbers = pa.array(sorted(fresh), pa.int64())
    held = [key[0] for key in chosen if anything or key in known or key[0] in left]
    for child in CHILDREN:
        rows = tables.pop(child.name)
        if not everything:
            rows = rows.filter(pc.is_in(rows.column(COPY), value_set=numbers.combine_chunks()))
        new = rows.num_rows
        if len(fresh) < len(chosen):
            new = pc.sum(pc.is_in(rows.column(COPY), value_set=new_numbers)).as_py() or 0
        _count(tally, child.name, rows=rows.num_rows, new=new)
        rows = _with_tombstones(rows.drop_columns([COPY]), child.name, held, shop)
        if rows.num_rows:
            settled[child.name] = rows
    changes = _state_changes(chains, chosen, known, shop=shop, observed_at=observed_at)
    if changes is not None:
        settled[STATE_CHANGES.name] = changes
        _count(tally, STATE_CHANGES.name, rows=changes.num_rows, new=changes.num_rows)
    untouched = frozenset() if held else frozenset(settled) - {STATE_CHANGES.name}
    return Settled(settled, tally, untouched, frozenset(_days(known[key] for key in chosen if key in known)))


def settle_notices(tables: Tables, known: Mapping[Key, Known], *, always: bool = False) -> Settled:
    """The newest copy of every row of the shipping notice report that says something new; taken out of `tables`."""
    rows = tables.pop(ASN.name)
    chosen, tally, _ = _choose(rows, ("id", "return_line_item_id"), known, always=always)
    if not chosen:
        return Settled({}, tally)
    keep = rows.take(pa.array([copy.row for copy in chosen.values()], pa.int64()))
    _count(tally, ASN.name, rows=len(chosen), new=sum(key not in known for key in chosen))
    untouched = frozenset() if any(key in known for key in chosen) else frozenset({ASN.name})
    return Settled({ASN.name: keep.drop_columns([COPY])}, tally, untouched)


def _choose(
    rows: pa.Table, key: Sequence[str], known: Mapping[Key, Known], *, always: bool
) -> tuple[dict[Key, _Copy], Tally, dict[Key, list[_Copy]]]:
    """For every key the copy to load, the counts, and all copies of the chosen keys, oldest first."""
    times = rows.column("updated_at").cast(pa.int64()).to_pylist()
    keys = list(zip(*(rows.column(name).to_pylist() for name in key), strict=True))
    states = rows.column("state").to_pylist()
    hashes = rows.column("_row_hash").to_pylist()
    numbers = rows.column(COPY).to_pylist()
    copies: dict[Key, list[_Copy]] = {}
    for row, (one, time) in enumerate(zip(keys, times, strict=True)):
        copy = _Copy(_NEVER if time is None else time, numbers[row], row, states[row], hashes[row])
        copies.setdefault(one, []).append(copy)
    tally = Tally()
    chosen: dict[Key, _Copy] = {}
    for one, found in copies.items():
        found.sort()
        newest = found[-1]
        have = known.get(one)
        if have is not None and not have.deleted:
            if have.updated_at is not None and newest.updated_at < have.updated_at:
                tally.older += 1
                continue
            if have.row_hash == newest.row_hash and not always:
                tally.unchanged += 1
                continue
        chosen[one] = newest
    return chosen, tally, copies


def _days(rows: Iterable[Known]) -> Iterator[date]:
    for row in rows:
        for time in (row.updated_at, row.label_updated_at):
            if time is not None:
                yield _FIRST_DAY + timedelta(days=time // _DAY)


def _with_tombstones(rows: pa.Table, name: str, held: Sequence[str], shop: str) -> pa.Table:
    """`rows` and one `_removed` row for every return in `held` that has none, so that its old rows go."""
    present = set(rows.column("return_id").to_pylist())
    gone = [return_id for return_id in held if return_id not in present]
    if not gone:
        return rows
    blank = {fld.name: pa.nulls(len(gone), fld.type) for fld in rows.schema}
    blank["shop"] = pa.array([shop] * len(gone), pa.string())
    blank["return_id"] = pa.array(gone, pa.string())
    blank["_removed"] = pa.array([True] * len(gone), pa.bool_())
    key = TABLES[name].key[-1]
    blank[key] = pa.array([0 if pa.types.is_integer(blank[key].type) else ""] * len(gone), blank[key].type)
    return pa.concat_tables([rows, pa.table(blank, schema=rows.schema)])


def _state_changes(
    chains: Mapping[Key, Sequence[_Copy]],
    chosen: Mapping[Key, _Copy],
    known: Mapping[Key, Known],
    *,
    shop: str,
    observed_at: datetime,
) -> pa.Table | None:
    """One row for each step from the state the warehouse knew through every copy read."""
    made: list[dict[str, object]] = []
    for key in chosen:
        have = known.get(key)
        steps: list[tuple[str | None, int]] = []
        if have is not None:
            if have.row_hash is None and have.previous_state is not None:  # that load may have died before it told
                steps.append((have.previous_state, _NEVER))
            steps.append((have.state, have.updated_at or 0))
        since = have.updated_at if have is not None and have.updated_at is not None else _NEVER
        steps += [(copy.state, copy.updated_at) for copy in chains[key] if copy.updated_at >= since]
        for (old, _), (new, time) in pairwise(steps):
            if old is not None and new is not None and old != new:
                made.append(
                    {
                        "shop": shop,
                        "return_id": key[0],
                        "from_state": old,
                        "to_state": new,
                        "observed_at": observed_at,
                        "updated_at": max(time, 0),
                    }
                )
    if not made:
        return None
    schema = arrow_schema(STATE_CHANGES.name)
    return pa.Table.from_pylist(made, schema=schema)


def _count(tally: Tally, table: str, *, rows: int, new: int) -> None:
    tally.new[table] = tally.new.get(table, 0) + new
    tally.changed[table] = tally.changed.get(table, 0) + rows - new
