"""`reconcile`: reads what was submitted in the last days again, compares it value by value, repairs and reports the drift.

It finds what no cursor can: rows that changed without a new `updated_at`, rows that are missing, returns that are gone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.windows import DAY
from loop_returns.extract.planning import NO_RETURNS, reconcile_plan
from loop_returns.extract.scheduler import Answered, Event
from loop_returns.runs.comparing import Comparison
from loop_returns.runs.deletions import FEW, refuse, usual
from loop_returns.runs.ledger import Run
from loop_returns.runs.notices import read_with_notices
from loop_returns.runs.opening import open_session
from loop_returns.runs.others import Others
from loop_returns.runs.privacy import review
from loop_returns.runs.progress import Progress, counted
from loop_returns.runs.same_shop import details
from loop_returns.runs.session import Options, Session
from loop_returns.settings import Settings
from loop_returns.tables.catalog import CHILDREN, KEYS, arrow_schema
from loop_returns.tables.chunk import Chunk, Tables, Tally, columns_of
from loop_returns.tables.resource import Reads, Resource
from loop_returns.tables.resources import BY_NAME
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import RUNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.changed import FINGERPRINTS, changed_rows
from loop_returns.warehouse.compare import differing, drift_counts, known_by_value
from loop_returns.warehouse.contents import fingerprints, keys_where, rows_of, without_parent
from loop_returns.warehouse.deduplicate import missing, newest_notices, newest_returns

_COMPARED: Final = 10_000  # rows compared at a time: all that the warehouse has of them comes into memory too
_MEMORY: Final = "SET memory_limit = '200MB'"  # blocks for every column that is compared
_SYNCED: Final = (  # {0} in the future is a wrong clock's
    "SELECT max({0}) FROM {1} WHERE shop = %s AND command = 'sync' AND outcome IN ('done', 'check_failed') AND {0} <= %s"
)


def reconcile(settings: Settings, options: Options, *, days: int, progress: Progress) -> Run:
    """Compares the last `days` days with the shop; repairs unless `options.dry_run`. Returns the account of the run.

    Drift makes the outcome `drift` and the exit code 3. What changed after the last sync is no drift: it is loaded like by
    a sync. Raises LoopReturnsError; the ledger is written by then.
    """
    options = replace(options, limits=replace(options.limits, rows=min(_COMPARED, options.limits.rows)))
    with open_session("reconcile", settings, options, progress) as session:
        run, start = session.run, session.clock.earliest - timedelta(days=days)
        run.cursor_before = run.cursor_after = session.state.cursor
        session.sets.execute(_MEMORY)
        compare = ValueComparison(session)
        if options.wants("returns"):
            seen: list[pa.Table] = []

            def note_keys(event: Event) -> None:
                if isinstance(event, Answered) and event.page.tables:
                    seen.append(columns_of([event.page.tables], RETURNS.name, KEYS[RETURNS.name]))

            session.read(compare, returns=reconcile_plan(settings, start, session.clock.latest), watch=note_keys)
            _mark_deleted_returns(session, seen, start)
        if options.wants("advanced_shipping_notices"):
            last = session.clock.latest.date() + DAY
            _drift(run, ASN.name, "deleted", read_with_notices(session, compare, NO_RETURNS, start.date(), last) or 0)
        others = Others(session, compare, start=start)
        if others.tasks:
            session.read(compare, others=others.tasks, watch=others)
        others.finish()
        if options.dry_run:
            run.tally = Tally(unchanged=run.tally.unchanged, older=run.tally.older)
        review(session)
        session.finish(check_all=True)
        has_drifted = any(count for kinds in run.drift.values() for kind, count in kinds.items() if kind != "newer")
        if has_drifted and run.outcome == "running":  # what was refused or fails a check is still to be looked at
            run.outcome, run.exit_code = "drift", 3
        return run


def _mark_deleted_returns(session: Session, seen: list[pa.Table], start: datetime) -> None:
    """Marks returns that no list shows any more and that Loop, asked for each, answers it does not have."""
    with session.warehouse.reader() as reader:
        values = [start, session.clock.latest]
        lost = without_parent(reader, session.shop)
        none = lost.slice(0, 0)
        of_days = keys_where(reader, RETURNS.name, session.shop, "created_at > %s AND created_at < %s", values)
        stored = pa.concat_tables([none, *of_days])
        undated = pa.concat_tables([lost, *keys_where(reader, RETURNS.name, session.shop, "created_at IS NULL", ())])
    absent, undated = (missing(session.sets, keys, seen) for keys in (stored, undated))
    limit = max(FEW, usual(stored.num_rows))  # each is asked for by itself, which proves more than a list that lacks it
    if session.options.allow_deletions:
        limit = absent.num_rows + undated.num_rows
    gone, kept = _asked(session, absent, limit)
    gone += _asked(session, undated, limit)[0]
    held = f"of {counted(stored.num_rows, 'return')} that the warehouse has of these days."
    if kept:
        examples = ", ".join(kept[:5])
        session.run.notices.append(
            f"Loop still has {counted(len(kept), 'return')} that its list lacks (such as {examples}); left as before."
        )
    if len(kept) > limit:
        problem = f"Loop's list lacks {absent.num_rows:,} {held}"
        refuse(session.run, problem, cure="If that stays so, ask Loop why its list leaves out returns that it has.")
    elif len(gone) > limit:
        refuse(session.run, f"Loop says that it no longer has {len(gone):,} or more {held}")
    else:
        if gone and not session.options.dry_run:
            _mark(session, pa.table({"id": pa.array(gone, pa.string())}), lost=lost)
        _drift(session.run, RETURNS.name, "deleted", len(gone))


def _mark(session: Session, gone: pa.Table, *, lost: pa.Table) -> None:
    """Marks the returns as deleted; of those `lost`, whose children are left, a row is made first."""
    again = lost.filter(pc.is_in(lost["id"], value_set=gone["id"].combine_chunks()))
    if again.num_rows:
        rows = [{"shop": session.shop, **row} for row in again.to_pylist()]
        session.warehouse.load_tables({RETURNS.name: pa.Table.from_pylist(rows, arrow_schema(RETURNS.name))})
    session.mark_deleted(RETURNS.name, gone)


def _asked(session: Session, returns: pa.Table, limit: int) -> tuple[list[str], list[str]]:
    """Those that Loop no longer has, and those that it has, until there are more than `limit` of either."""
    found: tuple[list[str], list[str]] = ([], [])
    for return_id in returns["id"].to_pylist():
        found[details(session.api.client, return_id) is not None].append(return_id)
        if max(map(len, found)) > limit:
            break
    return found


class ValueComparison(Comparison):
    """Leaves out only what is the same in the warehouse, value by value, and counts the drift."""

    def __call__(self, table: str, pages: Sequence[Tables]) -> Chunk:
        """The chunk to load of pages that were read; nothing in a dry run."""
        if table in BY_NAME:
            chunk = self.other(BY_NAME[table], pages)
        else:
            chunk = self._returns(pages) if table == RETURNS.name else self._notices(pages)
        return Chunk(chunk.tally) if self.session.options.dry_run else chunk

    def _returns(self, pages: Sequence[Tables]) -> Chunk:
        session, sets = self.session, self.session.sets
        known = self.known(RETURNS.name, pages)
        choose = partial(newest_returns, sets, pages, shop=session.shop, observed_at=session.now)
        first = choose(self._landed(known))
        if not first.rows:
            return first
        newest = first.table(RETURNS.name)
        ids = newest["id"].to_pylist()
        parts = []
        with session.warehouse.reader() as reader:
            for table in (RETURNS, *CHILDREN):
                by = "id" if table is RETURNS else "return_id"
                ours, theirs = first.table(table.name), rows_of(reader, table.name, session.shop, ids)
                parts.append(differing(sets, table.name, ours, theirs, by=(by,)))
                self._count(table.name, parts[-1], newest, known)
        proved = known_by_value(sets, known, pa.concat_tables(parts), newest)
        return choose(proved, uncertain=self.uncertain(columns_of(pages, RETURNS.name, ["id"]), known))

    def _notices(self, pages: Sequence[Tables]) -> Chunk:
        session, sets = self.session, self.session.sets
        known = self.known(ASN.name, pages)
        choose = partial(newest_notices, sets, pages, shop=session.shop, observed_at=session.now)
        first = choose(self._landed(known))
        if not first.rows:
            return first
        newest = first.table(ASN.name)
        with session.warehouse.reader() as reader:
            theirs = rows_of(reader, ASN.name, session.shop, newest.column("id").to_pylist())
        differs = differing(sets, ASN.name, newest, theirs, by=KEYS[ASN.name])
        self._count(ASN.name, differs, newest, known)
        return choose(known_by_value(sets, known, differs, newest))

    def other(self, resource: Resource, pages: Sequence[Tables]) -> Chunk:
        """As the comparison of a sync, and value by value: what differs although its fingerprint does not has drifted."""
        if resource.reads is Reads.EACH:
            return super().other(resource, pages)
        session, sets, table = self.session, self.session.sets, resource.table
        choose = partial(changed_rows, sets, resource, pages, shop=session.shop)
        newest, key = choose(FINGERPRINTS.empty_table()), table.key[-1]
        rows = newest.table(table.name)
        ids = rows[key].to_pylist()
        with session.warehouse.reader() as reader:
            known = fingerprints(reader, table.name, session.shop, ids)
            differs = []
            for one in resource.tables:
                ours, by = newest.table(one.name), one.replace_by[-1] if one.replace_by else key
                ours = ours.filter(pc.is_null(ours["_removed"])) if "_removed" in ours.column_names else ours
                theirs = rows_of(reader, one.name, session.shop, ids)
                differs.append(differing(sets, one.name, ours, theirs, by=(by,)).select(["id"]))
        among = pa.concat_tables(differs)["id"].combine_chunks()
        hashes = rows.select([key, "_row_hash"]).rename_columns(["id", "row_hash"])
        same = known.join(hashes, keys=["id", "row_hash"], join_type="inner")
        _drift(session.run, table.name, "changed", same.filter(pc.is_in(same["id"], value_set=among)).num_rows)
        return choose(known.filter(pc.invert(pc.is_in(known["id"], value_set=among))))

    def _landed(self, known: pa.Table) -> pa.Table:
        """What this run itself has loaded: only there an older copy was read by Loop's clock before a newer one."""
        return known.filter(pc.is_in(known["load_id"], value_set=pa.array(self.session.warehouse.loads, pa.string())))

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
            rows = reader.rows(_SYNCED.format(moment, reader.name(RUNS.name)), self.session.shop, self.session.clock.latest)
        return rows[0][0] if rows else None


def _drift(run: Run, table: str, kind: str, count: int) -> None:
    if count:
        run.drift.setdefault(table, Counter())[kind] += count
