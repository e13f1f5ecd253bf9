"""Reads the shipping notice report: the rolling horizon, and the days of older returns that changed.

The report has no filter, no state and no pages, and it is not documented which timestamp its range applies to. So every
day that may hold a changed row is read again, and which timestamps the answers are consistent with decides which rows of
the warehouse must have appeared in them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.facts import ASN_PATH, KEYS_ARE_MADE_IN
from loop_returns.api.windows import DAY, DayWindow, joined, utc_midnight
from loop_returns.errors import AccessDeniedError
from loop_returns.extract.planning import ReturnsPlan, notices_plan
from loop_returns.extract.reading import Compare
from loop_returns.extract.resource_tasks import ResourceTask
from loop_returns.extract.scheduler import Answered, Event
from loop_returns.extract.state import ShopState
from loop_returns.extract.tasks import NoticesTask
from loop_returns.runs.deletions import ALWAYS, refuse, usual
from loop_returns.runs.progress import counted
from loop_returns.runs.session import Session
from loop_returns.tables.catalog import KEYS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.contents import keys_where
from loop_returns.warehouse.reader import Reader

CANDIDATES: Final = ("created_at", "updated_at", "label_updated_at")  # what the range may apply to
_TIME: Final = pa.timestamp("us", tz="UTC")
_SEEN: Final = "seen_notices"  # a table in the session's sets
_EXPECTED: Final = "expected_notices"  # another


class _Answers:
    """What the answers showed: the keys of the rows, and the timestamps that they are consistent with."""

    def __init__(self, sets: duckdb.DuckDBPyConnection, earlier: int) -> None:
        self.consistent = set(CANDIDATES)
        self.outside: set[tuple[str, ...]] = set()  # keys of rows that nobody asked for
        self.asked: list[DayWindow] = []  # the days of each answer
        self.earlier = earlier  # so many loads of the run were made before these answers
        self._sets = sets
        self._begin(sets, _SEEN)

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Answered) or not isinstance(event.task, NoticesTask):
            return
        self.asked.append(event.task.asked)
        if not event.page.tables:
            return
        rows, asked = event.page.tables[ASN.name], event.task.asked
        keys = rows.select(KEYS[ASN.name])
        with self._sets.cursor() as cursor:
            self._add(cursor, _SEEN, keys)
        bounds = pa.scalar(utc_midnight(asked.first - DAY), _TIME), pa.scalar(utc_midnight(asked.last + 2 * DAY), _TIME)
        inside_any: Any = pa.scalar(value=False)
        for name in CANDIDATES:
            inside = pc.and_(pc.greater_equal(rows[name], bounds[0]), pc.less(rows[name], bounds[1])).fill_null(False)
            inside_any = pc.or_(inside, inside_any)
            if not pc.all(inside).as_py():
                self.consistent.discard(name)
        self.outside.update(zip(*keys.filter(pc.invert(inside_any)).to_pydict().values(), strict=True))

    def lack(self, parts: Iterable[pa.Table]) -> tuple[pa.Table, int]:
        """Those of the rows, which are keys, that were in no answer, and how many were given."""
        given = 0
        with self._sets.cursor() as cursor:
            self._begin(cursor, _EXPECTED)
            for part in parts:
                self._add(cursor, _EXPECTED, part)
                given += part.num_rows
            sql = f"FROM {_EXPECTED} ANTI JOIN {_SEEN} USING ({', '.join(KEYS[ASN.name])})"
            return cursor.sql(sql).to_arrow_table(), given

    @staticmethod
    def _begin(sets: duckdb.DuckDBPyConnection, name: str) -> None:
        """An empty table of keys in the database of the run, as they may be millions."""
        sets.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{key} VARCHAR' for key in KEYS[ASN.name])})")

    @staticmethod
    def _add(cursor: duckdb.DuckDBPyConnection, name: str, keys: pa.Table) -> None:
        cursor.register("keys", keys)
        cursor.execute(f"INSERT INTO {name} FROM keys")


def read_with_notices(
    session: Session,
    compare: Compare,
    returns: ReturnsPlan,
    first: date,
    last: date,
    *,
    read: date | None = None,
    to_now: bool = True,
    others: Sequence[ResourceTask] = (),
    watch: Callable[[Event], None] = lambda _: None,
) -> int | None:
    """Reads and loads the returns, the notices of these days and those that are due, and marks notices that are gone.

    Returns how many that are; None where the answers cannot be believed. `read` is the day up to which all notices are
    read then; `others` are read side by side with them, and `watch` sees every event of that; `to_now` says that everything
    that changed since the notices were last read lies within these days. In a dry run they are only counted.
    """
    before, answers = session.state, _Answers(session.sets, len(session.warehouse.loads))
    settings = session.settings
    a_day = None if returns.windows and before.cursor is None else _a_day(session, first)
    plan = notices_plan(settings, first, last, due=before.days_due, a_day=a_day, read=read)
    try:
        session.read(compare, returns=returns, notices=plan, others=others, watch=_both(answers, watch))
        if late := session.state.days_due:  # of returns that were read when their notices had been asked for
            session.read(compare, notices=notices_plan(settings, due=late, a_day=_a_day(session, min(late))), watch=answers)
        session.api.end_processes()  # what comes now needs memory itself
        gone = _missing(session, answers)
        # meanwhile rows may have moved from a day that was not read yet to today; a dry run would count changes twice
        if not session.options.dry_run and gone.num_rows:
            today, tomorrow = session.clock.earliest.date(), session.clock.latest.date() + DAY
            session.read(compare, notices=notices_plan(settings, today, tomorrow), watch=answers)
            gone = _missing(session, answers)
    except AccessDeniedError as error:
        if ASN_PATH not in str(error):
            raise
        raise without_notices() from error
    # the other times move: a row may have moved to a day that was not read
    is_proof = to_now or (answers.consistent == {"created_at"} and not answers.outside)
    return _mark_missing(session, answers, gone, before=before, is_proof=is_proof)


def _both(*watching: Callable[[Event], None]) -> Callable[[Event], None]:
    def watch(event: Event) -> None:
        for one in watching:
            one(event)

    return watch


def _missing(session: Session, answers: _Answers) -> pa.Table:
    """The keys of rows that should have appeared and did not."""
    with session.warehouse.reader() as reader:
        return answers.lack(_expected(session, reader, answers, answers.asked))[0]


def _mark_missing(
    session: Session, answers: _Answers, deleted: pa.Table, *, before: ShopState, is_proof: bool
) -> int | None:
    """Marks rows that should have appeared and did not, and returns how many; None where that can hardly be right."""
    if answers.outside:
        session.run.notices.append(
            f"Loop sent {counted(len(answers.outside), 'shipping notice')} of days that were not asked for; kept all the "
            "same. Loop may have misread a date: compare the notices' dates with the run's."
        )
    with session.warehouse.reader() as reader:
        doubt = _doubt(session, reader, answers) if deleted.num_rows > ALWAYS else ""
    if doubt:
        _keep_due(session, before, answers.asked)
        if is_proof:
            refuse(session.run, doubt)
        else:
            session.run.notices.append(f"{doubt} None was marked as deleted; the next sync reads these days again.")
        return None
    if not is_proof:
        return 0
    if deleted.num_rows and not session.options.dry_run:
        session.mark_deleted(ASN.name, deleted)
        session.run.notices.append(
            f"Loop's report no longer has {counted(deleted.num_rows, 'shipping notice')}; marked in `_deleted_at`."
        )
    return int(deleted.num_rows)


def without_notices() -> AccessDeniedError:
    """What stands for the refusal of a key that may read returns."""
    return AccessDeniedError(
        "The API key works, and may read returns, but Loop refuses it the shipping notices: it lacks the right to "
        f"{ASN_PATH}. Returns that were read are loaded. Give the key that scope in {KEYS_ARE_MADE_IN}, or go on without "
        "shipping notices: `loop-returns sync --only returns`."
    )


def _a_day(session: Session, since: date) -> float:
    """How many units were returned a day since then, as far as the warehouse knows."""
    with session.warehouse.reader() as reader:
        sql = f"SELECT count(*) FROM {reader.name('return_line_items')} WHERE shop = %s AND returned_at >= %s"
        ((units,),) = reader.rows(sql, session.shop, utc_midnight(since)) or [(0,)]
    return float(units) / max((session.clock.latest.date() - since).days, 1)


def _doubt(session: Session, reader: Reader, answers: _Answers) -> str:
    """What the report lacks, all days together or in one answer, in words; empty where it is no more than usual.

    Rows whose item has left its return, or whose return is marked as deleted, are missing with reason.
    """
    if session.options.allow_deletions:
        return ""
    for windows in (answers.asked, *([one] for one in answers.asked)):
        lacking, held = answers.lack(_expected(session, reader, answers, windows, listed=True))
        gone = lacking.num_rows
        if gone > usual(held):
            return (
                f"Loop's report lacks {gone:,} of {counted(held, 'shipping notice')} that the warehouse has of "
                f"{min(windows).first} to {max(windows).last}, though the returns still have these items."
            )
        if gone <= ALWAYS and windows is answers.asked:
            break  # then no answer lacks more
    return ""


def _keep_due(session: Session, before: ShopState, windows: Sequence[DayWindow]) -> None:
    """The days of the windows stay due, as what was read of them cannot be trusted; their borders come with them."""
    days = {one.first + DAY * n for one in joined(windows) for n in range(1, (one.last - one.first).days)}
    session.state = replace(session.state, days_due=before.days_due | days, notices_read=before.notices_read)


def _expected(
    session: Session, reader: Reader, answers: _Answers, windows: Iterable[DayWindow], *, listed: bool = False
) -> Iterator[pa.Table]:
    """Keys of the rows that should have appeared, in parts; with `listed` of items that the returns still have."""
    condition, values = _must_have_appeared(answers, windows)
    if listed and session.state.cursor is not None:  # else the warehouse may have no returns to go by
        items = (
            f"SELECT i.line_item_id FROM {reader.name('return_line_items')} i JOIN {reader.name('returns')} r"
            " ON r.shop = i.shop AND r.id = i.return_id WHERE i.shop = %s AND r._deleted_at IS NULL"
        )
        condition += f" AND (created_at IS NULL OR created_at < %s OR return_line_item_id IN ({items}))"
        values = [*values, session.settings.start_date, session.shop]
    if not listed and (loads := session.warehouse.loads[answers.earlier :]):  # what they brought has appeared
        condition += f" AND coalesce(_dlt_load_id, '') NOT IN ({', '.join(['%s'] * len(loads))})"
        values = [*values, *loads]
    return keys_where(reader, ASN.name, session.shop, condition, values)


def _must_have_appeared(answers: _Answers, windows: Iterable[DayWindow]) -> tuple[str, list[Any]]:
    """The condition for a row that should have appeared in what was read whole, and its values.

    A row is expected only if every timestamp the range may apply to lies inside the days that were read, a day away from
    their borders: in which zone Loop cuts days is not documented. One that is null has shown that the range does not apply
    to it, as the row came all the same.
    """
    stretches = joined([*windows])
    values = [moment for one in stretches for moment in (utc_midnight(one.first + DAY), utc_midnight(one.last))]
    # rows from outside the range show nothing about it
    names = sorted(CANDIDATES if answers.outside or not answers.consistent else answers.consistent)
    within = [f"({name} IS NULL OR {' OR '.join([f'({name} >= %s AND {name} < %s)'] * len(stretches))})" for name in names]
    return " AND ".join(within), values * len(names)
