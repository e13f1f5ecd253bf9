"""`reconcile`: reads what was submitted in the last days again, compares it value by value, repairs and reports the drift.

It finds what no cursor can: rows that changed without a new `updated_at`, rows that are missing, returns that are gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from loop_returns.api.errors import ChangeSettings, NotFound
from loop_returns.api.windows import split
from loop_returns.extract.days import DAY
from loop_returns.runs.asn import read_notices
from loop_returns.runs.finish import finish
from loop_returns.runs.loading import Loader
from loop_returns.runs.session import session
from loop_returns.runs.sync import read_cursor
from loop_returns.runs.walking import walk_returns
from loop_returns.settings import DETAILS_PATH
from loop_returns.tables.catalog import CHILDREN
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.compare import differing
from loop_returns.warehouse.contents import known_notices, known_returns, mark_deleted, moment, portable, quoted, rows_of
from loop_returns.warehouse.deduplicate import Settled, Tally, settle_notices, settle_returns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loop_returns.config import Settings
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.loading import Memory
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session
    from loop_returns.warehouse.deduplicate import Key, Known, Tables

_ANOTHER_SHOP: Final = 10  # so many returns, and not one of them known to Loop: then it is not the same shop
_COMPARED: Final = 10_000  # rows compared at a time


def reconcile(settings: Settings, options: Options, *, days: int, progress: Progress) -> Run:
    """Compares the last `days` days with the shop; repairs unless `options.dry_run`. Returns the account of the run.

    Drift makes the outcome `drift` and the exit code 3. What changed after the last sync is no drift: it is loaded like by
    a sync. Raises LoopReturnsError; the ledger is written by then.
    """
    with session("reconcile", settings, options, progress) as opened:
        now = opened.now
        start = now - timedelta(days=days)
        run = opened.run
        run.cursor_before = run.cursor_after = read_cursor(opened.warehouse.state(settings.shop))
        if options.wants("returns"):
            _returns(opened, start, now)
        if options.wants("advanced_shipping_notices"):
            loader = ComparingLoader(opened)
            gone = read_notices(opened, first=start.date(), last=now.date() + DAY, loader=loader, mark=not options.dry_run)
            _drift(run, ASN.name, "deleted", gone)
        if options.dry_run:
            run.tally = Tally(unchanged=run.tally.unchanged, older=run.tally.older)
        finish(opened, thorough=True)
        if any(count for kinds in run.drift.values() for kind, count in kinds.items() if kind != "newer"):
            run.outcome, run.exit_code = "drift", 3
        return run


def _returns(opened: Session, start: datetime, now: datetime) -> None:
    loader = ComparingLoader(opened)
    windows = split(start, now, width=timedelta(days=opened.settings.window_days))
    seen: set[str] = set()
    walk_returns(
        opened,
        windows,
        column="created_at",
        done=_nothing_to_remember,
        each=lambda shaped: seen.update(shaped.tables[RETURNS.name].column("id").to_pylist()),
        loader=loader,
    )
    held = opened.warehouse.query(
        portable(
            opened.warehouse,
            f"SELECT id FROM {{0}} WHERE shop = {quoted(opened.shop)} AND _deleted_at IS NULL"
            f" AND created_at > {moment(start)} AND created_at < {moment(now)}",
        ),
        RETURNS.name,
    )
    missing = [str(row[0]) for row in held if row[0] not in seen]
    if len(missing) >= _ANOTHER_SHOP and len(missing) == len(held):
        raise ChangeSettings(
            f"Of the {len(held)} returns that the warehouse has of these days as shop `{opened.shop}`, Loop shows none. The "
            "key seems to be another shop's: set the setting `shop` to a name of its own for each shop, or use the right "
            "key. Nothing was marked as deleted."
        )
    gone = [one for one in missing if _is_gone(opened, one)]
    if gone and not opened.options.dry_run:
        mark_deleted(opened.warehouse, RETURNS.name, opened.shop, ("id",), [(one,) for one in gone], at=opened.now)
    _drift(opened.run, RETURNS.name, "deleted", len(gone))


def _is_gone(opened: Session, return_id: str) -> bool:
    """Asks Loop for this one return: only its own word that there is none proves it."""
    try:
        opened.source.client.get(DETAILS_PATH, params={"return_id": return_id}, expect="object")
    except NotFound:
        return True
    opened.run.notices.append(
        f"Return {return_id} is in no list, but Loop still has it; it was left as it is in the warehouse."
    )
    return False


class ComparingLoader(Loader):
    """A loader that believes only what it sees in the warehouse, and counts the drift."""

    def full(self, *, idle: bool = False) -> bool:
        """As any loader's, with fewer rows: all that the warehouse has of them comes into memory too."""
        return self.rows >= _COMPARED or super().full(idle=idle)

    def _settle(self, tables: Tables) -> Settled:
        if RETURNS.name in tables:
            return self._compare_returns(tables)
        return self._compare_notices(tables)

    def _compare_returns(self, tables: Tables) -> Settled:
        opened, shop = self._session, self._session.shop
        ids = tables[RETURNS.name].column("id").to_pylist()
        known = known_returns(opened.warehouse, shop, ids)
        newest = settle_returns(dict(tables), {}, shop=shop, observed_at=opened.now)
        differs: set[tuple[str, ...]] = set()
        for table in (RETURNS, *CHILDREN):
            column = "id" if table is RETURNS else "return_id"
            ours = newest.tables.get(table.name, tables[table.name].slice(0, 0))
            found = differing(table.name, ours, rows_of(opened.warehouse, table.name, shop, column, ids), by=(column,))
            self._count(table.name, {key for key in found if key in known}, newest)
            differs |= found
        self._count_missing(RETURNS.name, newest, known)
        believed = _believed(known, differs, newest.tables.get(RETURNS.name), ("id",))
        settled = settle_returns(tables, believed, shop=shop, observed_at=opened.now, left=self._torn() | self._orphaned())
        return self._unless_dry(settled)

    def _compare_notices(self, tables: Tables) -> Settled:
        opened, shop = self._session, self._session.shop
        ids = tables[ASN.name].column("id").to_pylist()
        known = known_notices(opened.warehouse, shop, ids)
        newest = settle_notices(dict(tables), {})
        ours = newest.tables.get(ASN.name, tables[ASN.name].slice(0, 0))
        theirs = rows_of(opened.warehouse, ASN.name, shop, "id", ids)
        key = ("id", "return_line_item_id")
        found = {one for one in differing(ASN.name, ours, theirs, by=key) if one in set(_keys(ours, key))}
        self._count(ASN.name, {one for one in found if one in known}, newest)
        self._count_missing(ASN.name, newest, known)
        return self._unless_dry(settle_notices(tables, _believed(known, found, ours, key)))

    def _unless_dry(self, settled: Settled) -> Settled:
        return Settled({}, settled.tally) if self._session.options.dry_run else settled

    def _count(self, table: str, found: set[tuple[str, ...]], newest: Settled) -> None:
        late = self._late(newest)
        _drift(self._session.run, table, "newer", sum(key in late for key in found))
        _drift(self._session.run, table, "changed", sum(key not in late for key in found))

    def _count_missing(self, table: str, newest: Settled, known: Mapping[Key, Known]) -> None:
        late = self._late(newest)
        rows = newest.tables.get(table)
        key = ("id",) if table == RETURNS.name else ("id", "return_line_item_id")
        absent = [one for one in (_keys(rows, key) if rows is not None else ()) if one not in known]
        _drift(self._session.run, table, "newer", sum(one in late for one in absent))
        _drift(self._session.run, table, "missing", sum(one not in late for one in absent))

    def _late(self, newest: Settled) -> set[tuple[str, ...]]:
        """Keys of rows that changed after the last sync: that one could not know of them."""
        cursor = self._session.run.cursor_before
        late: set[tuple[str, ...]] = set()
        for table, key in ((RETURNS.name, ("id",)), (ASN.name, ("id", "return_line_item_id"))):
            rows = newest.tables.get(table)
            if rows is None:
                continue
            times = [rows.column(name).to_pylist() for name in ("updated_at", "label_updated_at")]
            for one, *moments in zip(_keys(rows, key), *times, strict=True):
                if cursor is None or any(time is not None and time >= cursor for time in moments):
                    late.add(one)
        return late


def _believed(
    known: Mapping[Key, Known], differs: set[tuple[str, ...]], rows: object, key: tuple[str, ...]
) -> dict[Key, Known]:
    """What the warehouse is known to have, with fingerprints that say what the comparison said."""
    hashes = dict(zip(_keys(rows, key), rows.column("_row_hash").to_pylist(), strict=True)) if rows is not None else {}  # type: ignore[attr-defined]
    return {
        one: have._replace(row_hash=None if one in differs else hashes.get(one), previous_state=None)
        for one, have in known.items()
    }


def _keys(rows: object, key: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(zip(*(rows.column(name).to_pylist() for name in key), strict=True))  # type: ignore[attr-defined]


def _nothing_to_remember(memory: Memory, positions: Sequence[int]) -> None:
    """The walk of a reconcile moves no cursor."""


def _drift(run: Run, table: str, kind: str, count: int) -> None:
    if count:
        kinds = run.drift.setdefault(table, {})
        kinds[kind] = kinds.get(kind, 0) + count
