"""`reconcile`: reads what was submitted in the last days again, compares it value by value, repairs and reports the drift.

It finds what no cursor can: rows that changed without a new `updated_at`, rows that are missing, returns that are gone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from loop_returns.api.errors import ChangeSettings, NotFound
from loop_returns.extract.days import DAY
from loop_returns.extract.planning import reconcile_plan
from loop_returns.extract.scheduler import Answered
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.finish import finish
from loop_returns.runs.notices import planned, read_notices
from loop_returns.runs.session import session
from loop_returns.settings import DETAILS_PATH
from loop_returns.tables.catalog import CHILDREN, KEYS
from loop_returns.tables.chunk import Chunk, Tally
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.compare import believed, differing, drift_counts
from loop_returns.warehouse.contents import keys_where, mark_deleted, rows_of
from loop_returns.warehouse.deduplicate import missing, newest_notices, newest_returns

if TYPE_CHECKING:
    from loop_returns.config import Settings
    from loop_returns.extract.api_reader import Event
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session
    from loop_returns.tables.chunk import Tables

_ANOTHER_SHOP: Final = 10  # so many returns, and not one of them known to Loop: then it is not the same shop
_COMPARED: Final = 10_000  # rows compared at a time: all that the warehouse has of them comes into memory too
_SYNCED: Final = "SELECT max({}) FROM {} WHERE shop = %s AND command = 'sync' AND outcome IN ('done', 'check_failed')"


def reconcile(settings: Settings, options: Options, *, days: int, progress: Progress) -> Run:
    """Compares the last `days` days with the shop; repairs unless `options.dry_run`. Returns the account of the run.

    Drift makes the outcome `drift` and the exit code 3. What changed after the last sync is no drift: it is loaded like by
    a sync. Raises LoopReturnsError; the ledger is written by then.
    """
    with session("reconcile", settings, options, progress) as opened:
        run, start = opened.run, opened.now - timedelta(days=days)
        run.cursor_before = run.cursor_after = opened.state.cursor
        compare = ValueComparison(opened)
        limits = replace(options.limits, rows=min(_COMPARED, options.limits.rows))
        if options.wants("returns"):
            seen: list[pa.Table] = []

            def see(event: Event) -> None:
                if isinstance(event, Answered) and event.page.shaped is not None:
                    seen.append(event.page.shaped.tables[RETURNS.name].select(KEYS[RETURNS.name]))

            opened.read(reconcile_plan(settings, start, opened.now), compare, limits=limits, watch=see)
            _mark_gone(opened, seen, start)
        if options.wants("advanced_shipping_notices"):
            plan = planned(opened, start.date(), opened.now.date() + DAY)
            _drift(run, ASN.name, "deleted", read_notices(opened, plan, compare, mark=not options.dry_run, limits=limits))
        if options.dry_run:
            run.tally = Tally(unchanged=run.tally.unchanged, older=run.tally.older)
        finish(opened, thorough=True)
        if any(count for kinds in run.drift.values() for kind, count in kinds.items() if kind != "newer"):
            run.outcome, run.exit_code = "drift", 3
        return run


def _mark_gone(opened: Session, seen: list[pa.Table], start: datetime) -> None:
    """Marks returns that no list shows any more and of which Loop itself says that there are none."""
    with opened.warehouse.reader() as reader:
        values = [start, opened.now]
        held = keys_where(reader, RETURNS.name, opened.shop, "created_at > %s AND created_at < %s", values)
        absent = missing(opened.sets, held, seen)
        if _ANOTHER_SHOP <= absent.num_rows == held.num_rows:
            raise ChangeSettings(
                f"Of the {held.num_rows} returns that the warehouse has of these days as shop `{opened.shop}`, Loop shows "
                "none. The key seems to be another shop's: set the setting `shop` to a name of its own for each shop, or "
                "use the right key. Nothing was marked as deleted."
            )
        gone = pa.table({"id": pa.array([one for one in absent["id"].to_pylist() if _is_gone(opened, one)], pa.string())})
        if gone.num_rows and not opened.options.dry_run:
            mark_deleted(reader, RETURNS.name, opened.shop, gone, at=opened.now)
    _drift(opened.run, RETURNS.name, "deleted", gone.num_rows)


def _is_gone(opened: Session, return_id: str) -> bool:
    """Asks Loop for this one return: only its own word that there is none proves it."""
    try:
        opened.api.client.get(DETAILS_PATH, params={"return_id": return_id}, expect="object")
    except NotFound:
        return True
    opened.run.notices.append(
        f"Return {return_id} is in no list, but Loop still has it; it was left as it is in the warehouse."
    )
    return False


class ValueComparison(Comparison):
    """Believes only what it sees in the warehouse, value by value, and counts the drift."""

    def __call__(self, tables: Tables) -> Chunk:
        """The chunk to load of the rows that were read; nothing in a dry run."""
        chunk = self._returns(tables) if RETURNS.name in tables else self._notices(tables)
        return Chunk({}, chunk.tally) if self.opened.options.dry_run else chunk

    def _returns(self, tables: Tables) -> Chunk:
        opened, sets = self.opened, self.opened.sets
        known = self.known(RETURNS.name, tables)
        newest = newest_returns(sets, tables, known.slice(0, 0), shop=opened.shop, observed_at=opened.now).tables
        ids = tables[RETURNS.name].column("id").to_pylist()
        parts = []
        with opened.warehouse.reader() as reader:
            for table in (RETURNS, *CHILDREN):
                by = "id" if table is RETURNS else "return_id"
                ours = newest.get(table.name, tables[table.name].slice(0, 0))
                parts.append(differing(sets, table.name, ours, rows_of(reader, table.name, opened.shop, ids), by=(by,)))
                self._count(table.name, parts[-1], newest[RETURNS.name], known)
        differs = pa.concat_tables(parts)
        beliefs = believed(sets, known, differs, newest[RETURNS.name])
        loose = self.loose(tables[RETURNS.name], known)
        return newest_returns(sets, tables, beliefs, shop=opened.shop, observed_at=opened.now, loose=loose)

    def _notices(self, tables: Tables) -> Chunk:
        opened, sets = self.opened, self.opened.sets
        known = self.known(ASN.name, tables)
        newest = newest_notices(sets, tables, known.slice(0, 0)).tables[ASN.name]
        with opened.warehouse.reader() as reader:
            theirs = rows_of(reader, ASN.name, opened.shop, tables[ASN.name].column("id").to_pylist())
        differs = differing(sets, ASN.name, newest, theirs, by=KEYS[ASN.name])
        self._count(ASN.name, differs, newest, known)
        return newest_notices(sets, tables, believed(sets, known, differs, newest))

    def _count(self, table: str, differs: pa.Table, newest: pa.Table, known: pa.Table) -> None:
        for kind, count in drift_counts(self.opened.sets, differs, newest, known, since=self._read_up_to).items():
            if kind != "missing" or table in KEYS:  # children are missing with their return, or with one that has changed
                _drift(self.opened.run, table, kind, count)

    @cached_property
    def _read_up_to(self) -> datetime | None:
        """When the shop was synced last: that sync could not know of what changed later."""
        with self.opened.warehouse.reader() as reader:
            there = reader.columns([RUNS.name]).get(RUNS.name, ())
            moment = "coalesce(synced_up_to, cursor_after)" if "synced_up_to" in there else "cursor_after"
            found = reader.rows(_SYNCED.format(moment, reader.name(RUNS.name)), self.opened.shop)
        return found[0][0] if found else None


def _drift(run: Run, table: str, kind: str, count: int) -> None:
    if count:
        kinds = run.drift.setdefault(table, {})
        kinds[kind] = kinds.get(kind, 0) + count
