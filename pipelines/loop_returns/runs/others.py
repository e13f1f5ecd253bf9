"""Reads the resources beside returns and shipping notices: lists, ranges of time, and what belongs to single returns.

Lists and ranges are read side by side with the returns. A list that was read whole shows what is gone. What takes a request
for each parent comes last, for parents that are due, and no more of them than leave the next run its time.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from loop_returns.api.facts import KEYS_ARE_MADE_IN
from loop_returns.api.windows import Window
from loop_returns.errors import AccessDeniedError, ConfigurationError, LoopReturnsError
from loop_returns.extract.reading import Compare
from loop_returns.extract.resource_tasks import ResourceTask, range_task, since
from loop_returns.extract.scheduler import Answered, Event
from loop_returns.extract.state import ShopState
from loop_returns.runs.deletions import refuse, usual
from loop_returns.runs.progress import counted
from loop_returns.runs.session import Options, Session
from loop_returns.settings import Settings
from loop_returns.tables.catalog import KEYS
from loop_returns.tables.resource import Paging, Reads, Resource
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.contents import due_parents, keys_where
from loop_returns.warehouse.deduplicate import missing

_A_DAY: Final = timedelta(hours=20)  # so that a daily run reads each day what is read once a day
_TOO_LONG: Final = timedelta(days=2)  # without a good answer
_MOST: Final = 1_500  # requests for single returns in one run: five minutes at Loop's limit


def wanted(settings: Settings, options: Options) -> list[Resource]:
    """The resources that a run reads: those that `--only` names, or the cheap ones and those that settings add."""
    named = {one.strip() for one in settings.extra_resources.split(",")} if options.only is None else options.only
    names = {one.name for one in RESOURCES if one.name in named or (options.only is None and one.by_default)}
    return [one for one in RESOURCES if one.name in names or (one.parent and one.parent.name in names)]


def due_tasks(
    settings: Settings, options: Options, state: ShopState, end: datetime, *, start: datetime | None = None
) -> list[ResourceTask]:
    """The first requests for lists, and for ranges up to `end`: from `start`, or from where a sync begins."""
    tasks: list[ResourceTask] = []
    for one in wanted(settings, options):
        read = state.resources.get(one.name)
        if one.reads is Reads.RANGE:
            tasks.append(range_task(one, start or since(settings, end, read), end))
        elif one.reads is Reads.SNAPSHOT:
            is_fresh = one.daily and options.only is None and read is not None and timedelta(0) <= end - read < _A_DAY
            tasks += [] if is_fresh else [ResourceTask(one)]
    return tasks


class Others:
    """What is read of the other resources in one run; sees every event while the lists and ranges are read."""

    def __init__(
        self, session: Session, compare: Compare, *, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        self.session, self.compare, self._is_sync = session, compare, start is None
        self._end = end or session.clock.latest
        self.tasks = due_tasks(session.settings, session.options, session.state, self._end, start=start)
        self._seen: dict[str, list[pa.Table]] = {task.resource.name: [] for task in self.tasks}
        self._totals: dict[str, set[int | None]] = {}

    def __call__(self, event: Event) -> None:
        """Takes note of the keys in an answer, and of how many the server says there are."""
        if not isinstance(event, Answered) or not isinstance(event.task, ResourceTask) or event.task.parent:
            return
        resource = event.task.resource
        self._totals.setdefault(resource.name, set()).add(event.page.total)
        if event.page.tables:
            self._seen[resource.name].append(event.page.tables[resource.table.name].select(KEYS[resource.table.name]))

    def finish(self) -> None:
        """Marks what is gone, reads what single parents are due, and says what could not be read.

        Raises the failure of a resource that `--only` names.
        """
        session = self.session
        for one in {task.resource.name: task.resource for task in self.tasks}.values():
            session.run.resources[one.name] = "partly"
            if one.name in session.api.failed or not self._is_whole(one):
                continue
            self._mark_missing(one)
            session.run.resources[one.name] = "read"
            if self._is_sync:  # by the earlier of two clocks: one that is ahead must not hide what comes until then
                read = min(self._end, session.clock.earliest)
                session.state = replace(session.state, resources={**session.state.resources, one.name: read})
        self._read_parents()
        self._say_failures()

    def _is_whole(self, resource: Resource) -> bool:
        """Whether a list is known to have been read from its first to its last row: pages shift while they are read."""
        is_list = resource.reads is Reads.SNAPSHOT and resource.paging is not Paging.NONE
        return not is_list or self._totals.get(resource.name) == {self._keys(resource).num_rows}

    def _keys(self, resource: Resource) -> pa.Table:
        return _all(resource, self._seen[resource.name]).group_by(KEYS[resource.table.name]).aggregate([])

    def _mark_missing(self, resource: Resource) -> None:
        """Marks rows that Loop should have shown and did not: all of a list, of a range those that were made in it.

        Where Loop can be asked for a row by its id it is, as one that moved to a page that was read already is still there.
        """
        session, table, window = self.session, resource.table.name, self._window(resource)
        if window and not resource.alone:
            return
        made = ("created_at > %s AND created_at < %s", [window.start, window.end]) if window else ("1 = 1", [])
        expected = self._stored(resource, *made)
        gone, left = missing(session.sets, expected, [self._keys(resource)]), self._left(resource, window)
        if session.options.dry_run:
            return
        is_doubtful = gone.num_rows == expected.num_rows or window is not None
        if is_doubtful and gone.num_rows > usual(expected.num_rows) and not session.options.allow_deletions:
            refuse(session.run, f"Loop's list of {table} lacks {gone.num_rows:,} of {expected.num_rows:,} rows.")
            gone = gone.slice(0, 0)
        gone = pa.concat_tables([gone, left])
        gone = self._asked(resource, gone) if resource.alone and gone.num_rows else gone
        if gone.num_rows and resource.name not in session.api.failed:
            session.mark_deleted(table, gone)
            what = counted(gone.num_rows, "row")
            session.run.notices.append(f"Loop no longer has {what} of {table}; marked in `_deleted_at`.")

    def _window(self, resource: Resource) -> Window | None:
        """The stretch of time of a range."""
        return next(task.window for task in self.tasks if task.resource is resource)

    def _left(self, resource: Resource, window: Window | None) -> pa.Table:
        """The keys of rows from before the range that were in a passing state and are not any more; reads those that are."""
        none = _all(resource, ())
        if window is None or resource.still is None or not self._is_sync:
            return none
        column, value = resource.still
        before = self._stored(resource, f"{column} = %s AND created_at <= %s", [value, window.start])
        if not before.num_rows:
            return none
        task = range_task(resource, self.session.settings.start_date, window.start, **{column: value})
        self.session.read(self.compare, others=[task], watch=self)
        return missing(self.session.sets, before, [self._keys(resource)])

    def _stored(self, resource: Resource, condition: str, values: list[Any]) -> pa.Table:
        with self.session.warehouse.reader() as reader:
            return _all(resource, keys_where(reader, resource.table.name, self.session.shop, condition, values))

    def _asked(self, resource: Resource, keys: pa.Table) -> pa.Table:
        """Those of the rows that Loop, asked for each, says it does not have; the others are loaded."""
        ids = keys.column(0).to_pylist()
        self._seen[resource.name] = []
        self.session.read(self.compare, others=[ResourceTask(resource, alone=one) for one in ids], watch=self)
        return missing(self.session.sets, keys, [self._keys(resource)])

    def _read_parents(self) -> None:
        """Reads what takes one request for each parent: of those that have changed since, and of open ones in turn."""
        session, options = self.session, self.session.options
        only_these = options.only is not None and not options.only & {RETURNS.name}
        left, tasks, asked = _MOST, list[ResourceTask](), list[tuple[str, int, int]]()
        for one in wanted(session.settings, options):
            if one.parent is None or one.name in session.api.failed or options.dry_run:
                continue
            most = None if only_these or one.parent is not RETURNS else left
            with session.warehouse.reader() as reader:
                due, every = due_parents(reader, one, session.shop, most=most, stale=session.clock.latest - _A_DAY)
            tasks += [ResourceTask(one, parent=parent) for parent in due]
            asked.append((one.name, len(due), every))
            left -= len(due) if most is not None else 0
        if tasks:
            session.read(self.compare, others=tasks)
        for name, now, every in asked:
            is_whole = every == now and name not in session.api.passed_over
            session.run.resources[name] = "read" if is_whole else "partly"
            if every > now:
                session.run.notices.append(
                    f"{name}: asked for {now:,} of {counted(every, 'return')} that are due; the next runs go on. "
                    f"All at once: `loop-returns sync --only {name}`."
                )

    def _say_failures(self) -> None:
        session, failed = self.session, self.session.api.failed
        refused = {name: isinstance(error, AccessDeniedError) for name, error in failed.items()}
        session.run.resources |= {name: "refused" if one else "failed" for name, one in refused.items()}
        for name in failed.keys() & (session.options.only or ()):
            raise _explained(name, failed[name])
        for name, errors in session.api.passed_over.items():
            if name not in failed:
                what, why = counted(len(errors), "return"), errors[0].message
                session.run.notices.append(f"{name}: {what} could not be read and will be asked for again: {why}")
        lacking = [one for one in RESOURCES if refused.get(one.name)]
        if lacking:
            names = ", ".join(f"{one.name} (scope {one.scope})" for one in lacking)
            session.run.notices.append(f"Not read, because the key lacks the scope: {names}.")
        for name, error in failed.items():
            if refused[name]:
                continue
            session.run.notices.append(f"{name} could not be read: {error.message}")
            read = session.state.resources.get(name)
            if not isinstance(error, ConfigurationError) and (read is None or session.clock.latest - read > _TOO_LONG):
                session.run.outcome, session.run.exit_code = "check_failed", 3


def _all(resource: Resource, parts: Iterable[pa.Table]) -> pa.Table:
    """The parts, which are keys, as one table."""
    schema = pa.schema([(name, pa.string()) for name in KEYS[resource.table.name]])
    return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in parts)])


def _explained(name: str, error: LoopReturnsError) -> LoopReturnsError:
    if not isinstance(error, AccessDeniedError):
        return error
    scope = next(one.scope for one in RESOURCES if one.name == name)
    return AccessDeniedError(
        f"The API key works, and may read returns, but Loop refuses it {name}: it lacks the scope {scope}. Give it that "
        f"scope in {KEYS_ARE_MADE_IN}, or leave {name} out of --only."
    )
