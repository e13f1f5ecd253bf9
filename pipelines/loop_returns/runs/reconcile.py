"""`reconcile`: reads what was submitted in the last days again, compares it value by value, repairs and reports the drift.

It finds what no cursor can: rows that changed without a new `updated_at`, rows that are missing, returns that are gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from loop_returns.api.facts import DETAILS_PATH
from loop_returns.api.windows import DAY
from loop_returns.errors import ConfigurationError, NotFoundError
from loop_returns.extract.planning import reconcile_plan
from loop_returns.extract.scheduler import Answered
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.notices import planned, read_notices
from loop_returns.runs.session import open_session
from loop_returns.tables.catalog import CHILDREN, KEYS
from loop_returns.tables.chunk import Chunk, Tally
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.compare import differing, drift_counts, known_by_value
from loop_returns.warehouse.contents import keys_where, mark_deleted, rows_of
from loop_returns.warehouse.deduplicate import missing, newest_notices, newest_returns

if TYPE_CHECKING:
    from loop_returns.extract.scheduler import Event
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options, Session
    from loop_returns.settings import Settings
    from loop_returns.tables.chunk import Tables

_ANOTHER_SHOP: Final = 10  # so many returns, and not one of them known to Loop: then it is not the same shop
_COMPARED: Final = 10_000  # rows compared at a time: all that the warehouse has of them comes into memory too
_SYNCED: Final = "SELECT max({}) FROM {} WHERE shop = %s AND command = 'sync' AND outcome IN ('done', 'check_failed')"


def reconcile(settings: Settings, options: Options, *, days: int, progress: Progress) -> Run:
    """Compares the last `days` days with the shop; repairs unless `options.dry_run`. Returns the account of the run.

    Drift makes the outcome `drift` and the exit code 3. What changed after the last sync is no drift: it is loaded like by
    a sync. Raises LoopReturnsError; the ledger is written by then.
    """
    options = replace(options, limits=replace(options.limits, rows=min(_COMPARED, options.limits.rows)))
    with open_session("reconcile", settings, options, progress) as session:
        run, start = session.run, session.now - timedelta(days=days)
        run.cursor_before = run.cursor_after = session.state.cursor
        compare = ValueComparison(session)
        if options.wants("returns"):
            seen: list[pa.Table] = []

            def note_keys(event: Event) -> None:
                if isinstance(event, Answered) and event.page.tables:
                    seen.append(event.page.tables[RETURNS.name].select(KEYS[RETURNS.name]))

            session.read(reconcile_plan(settings, start, session.now), compare, watch=note_keys)
            _mark_deleted_returns(session, seen, start)
        if options.wants("advanced_shipping_notices"):
            plan = planned(session, start.date(), session.now.date() + DAY)
            _drift(run, ASN.name, "deleted", read_notices(session, plan, compare))
        if options.dry_run:
            run.tally = Tally(unchanged=run.tally.unchanged, older=run.tally.older)
        session.finish(check_all=True)
        if any(count for kinds in run.drift.values() for kind, count in kinds.items() if kind != "newer"):
            run.outcome, run.exit_code = "drift", 3
        return run


def _mark_deleted_returns(session: Session, seen: list[pa.Table], start: datetime) -> None:
    """Marks returns that no list shows any more and that Loop answers it does not have."""
    with session.warehouse.reader() as reader:
        values = [start, session.now]
        stored = keys_where(reader, RETURNS.name, session.shop, "created_at > %s AND created_at < %s", values)
        absent = missing(session.sets, stored, seen)
        if _ANOTHER_SHOP <= absent.num_rows == stored.num_rows:
            raise ConfigurationError(
                f"Of the {stored.num_rows} returns that the warehouse has of these days as shop `{session.shop}`, Loop "
                "shows none. The key seems to be another shop's: set the setting `shop` to a name of its own for each shop, "
                "or use the right key. Nothing was marked as deleted."
            )
        proved = [_is_deleted(session, one) for one in absent["id"].to_pylist()]
        deleted = absent.filter(pa.array(proved, pa.bool_()))
        if deleted.num_rows and not session.options.dry_run:
            mark_deleted(reader, RETURNS.name, session.shop, deleted, at=session.now)
    _drift(session.run, RETURNS.name, "deleted", deleted.num_rows)


def _is_deleted(session: Session, return_id: str) -> bool:
    """Asks Loop for this one return: only its answer that there is none proves it."""
    try:
        session.api.client.get(DETAILS_PATH, params={"return_id": return_id}, expect="object")
    except NotFoundError:
        return True
    session.run.notices.append(
        f"Return {return_id} is in no list, but Loop still has it; it was left as it is in the warehouse."
    )
    return False


class ValueComparison(Comparison):
    """Leaves out only what is the same in the warehouse, value by value, and counts the drift."""

    def __call__(self, tables: Tables) -> Chunk:
        """The chunk to load of the rows that were read; nothing in a dry run."""
        chunk = self._returns(tables) if RETURNS.name in tables else self._notices(tables)
        return Chunk({}, chunk.tally) if self.session.options.dry_run else chunk

    def _returns(self, tables: Tables) -> Chunk:
        session, sets = self.session, self.session.sets
        known = self.known(RETURNS.name, tables)
        newest = newest_returns(sets, tables, known.slice(0, 0), shop=session.shop, observed_at=session.now).tables
        ids = tables[RETURNS.name].column("id").to_pylist()
        parts = []
        with session.warehouse.reader() as reader:
            for table in (RETURNS, *CHILDREN):
                by = "id" if table is RETURNS else "return_id"
                ours = newest.get(table.name, tables[table.name].slice(0, 0))
                parts.append(differing(sets, table.name, ours, rows_of(reader, table.name, session.shop, ids), by=(by,)))
                self._count(table.name, parts[-1], newest[RETURNS.name], known)
        differs = pa.concat_tables(parts)
        proved = known_by_value(sets, known, differs, newest[RETURNS.name])
        uncertain = self.uncertain(tables[RETURNS.name], known)
        return newest_returns(sets, tables, proved, shop=session.shop, observed_at=session.now, uncertain=uncertain)

    def _notices(self, tables: Tables) -> Chunk:
        session, sets = self.session, self.session.sets
        known = self.known(ASN.name, tables)
        newest = newest_notices(sets, tables, known.slice(0, 0)).tables[ASN.name]
        with session.warehouse.reader() as reader:
            theirs = rows_of(reader, ASN.name, session.shop, tables[ASN.name].column("id").to_pylist())
        differs = differing(sets, ASN.name, newest, theirs, by=KEYS[ASN.name])
        self._count(ASN.name, differs, newest, known)
        return newest_notices(sets, tables, known_by_value(sets, known, differs, newest))

    def _count(self, table: str, differs: pa.Table, newest: pa.Table, known: pa.Table) -> None:
        for kind, count in drift_counts(self.session.sets, differs, newest, known, since=self._read_up_to).items():
            if kind != "missing" or table in KEYS:  # children are missing with their return, or with one that has changed
                _drift(self.session.run, table, kind, count)

    @cached_property
    def _read_up_to(self) -> datetime | None:
        """When the shop was synced last: that sync could not know of what changed later."""
        with self.session.warehouse.reader() as reader:
            there = reader.columns([RUNS.name]).get(RUNS.name, ())
            moment = "coalesce(synced_up_to, cursor_after)" if "synced_up_to" in there else "cursor_after"
            rows = reader.rows(_SYNCED.format(moment, reader.name(RUNS.name)), self.session.shop)
        return rows[0][0] if rows else None


def _drift(run: Run, table: str, kind: str, count: int) -> None:
    if count:
        run.drift.setdefault(table, Counter())[kind] += count
