"""Reads the resources beside returns and shipping notices: lists, ranges of time, and what belongs to single returns.

Lists and ranges are read side by side with the returns. A list that was read whole shows what is gone. What takes a request
for each parent comes last, for parents that are due, and no more of them than leave the next run its time.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import pyarrow as pa

from loop_returns.api.facts import KEYS_ARE_MADE_IN
from loop_returns.errors import AccessDeniedError, ConfigurationError, LoopReturnsError
from loop_returns.extract.reading import Compare
from loop_returns.extract.resource_tasks import ResourceTask, parent_tasks, range_task, since
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
        elif one.reads is Reads.SNAPSHOT and not (one.daily and options.only is None and read and end - read < _A_DAY):
            tasks.append(ResourceTask(one))
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
        if not isinstance(event, Answered) or not isinstance(event.task, ResourceTask) or event.task.of_parent:
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
        asked = {task.resource.name: task.resource for task in self.tasks}
        done = [one for name, one in asked.items() if name not in session.api.failed]
        for one in done:
            if one.reads is Reads.SNAPSHOT and not self._is_whole(one):
                continue
            if one.reads is Reads.SNAPSHOT:
                self._mark_missing(one)
            elif one.still and self._is_sync:
                self._read_again(one)
            if self._is_sync:
                read = min(self._end, session.clock.latest)
                session.state = replace(session.state, resources={**session.state.resources, one.name: read})
        self._read_parents()
        self._say_failures()

    def _is_whole(self, resource: Resource) -> bool:
        """Whether a list is known to have been read from its first to its last row: pages shift while they are read."""
        keys = self._keys(resource)
        return resource.paging is Paging.NONE or self._totals.get(resource.name) == {keys.num_rows}

    def _keys(self, resource: Resource) -> pa.Table:
        return _all(resource, self._seen[resource.name]).group_by(KEYS[resource.table.name]).aggregate([])

    def _mark_missing(self, resource: Resource) -> None:
        """Marks rows that are no longer in a list; one without any is not believed where there were more than a few."""
        session, table = self.session, resource.table.name
        with session.warehouse.reader() as reader:
            stored = _all(resource, keys_where(reader, table, session.shop, "1 = 1", ()))
        gone = missing(session.sets, stored, [self._keys(resource)])
        if not gone.num_rows or session.options.dry_run:
            return
        if gone.num_rows == stored.num_rows > usual(stored.num_rows) and not session.options.allow_deletions:
            refuse(session.run, f"Loop's list of {table} lacks all {stored.num_rows:,} rows that the warehouse has.")
            return
        if resource.paging is not Paging.NONE:  # one that moved to a page that was read already is still there
            gone = self._asked(resource, gone)
        self._mark(resource, gone)

    def _read_again(self, resource: Resource) -> None:
        """Reads rows again that are in a passing state and older than the range: first all of that state, then the rest."""
        session, table = self.session, resource.table.name
        assert resource.still is not None  # noqa: S101 # `finish` has looked
        column, value = resource.still
        start = min(task.window.start for task in self.tasks if task.resource is resource and task.window)
        condition = f"{column} = %s AND created_at < %s"
        with session.warehouse.reader() as reader:
            old = _all(resource, keys_where(reader, table, session.shop, condition, [value, start]))
        if old.num_rows:
            self._seen[resource.name] = []
            task = range_task(resource, session.settings.start_date, start, **{column: value})
            session.read(self.compare, others=[task], watch=self)
            self._mark(resource, self._asked(resource, missing(session.sets, old, [self._keys(resource)])))

    def _asked(self, resource: Resource, keys: pa.Table) -> pa.Table:
        """Those of the rows that Loop, asked for each, says it does not have; the others are loaded."""
        ids = keys.column(0).to_pylist()
        self._seen[resource.name] = []
        self.session.read(self.compare, others=[ResourceTask(resource, parent=one) for one in ids], watch=self)
        return missing(self.session.sets, keys, [self._keys(resource)])

    def _mark(self, resource: Resource, gone: pa.Table) -> None:
        session, table = self.session, resource.table.name
        if gone.num_rows and resource.name not in session.api.failed and not session.options.dry_run:
            session.mark_deleted(table, gone)
            what = counted(gone.num_rows, "row")
            session.run.notices.append(f"Loop no longer has {what} of {table}; marked in `_deleted_at`.")

    def _read_parents(self) -> None:
        """Reads what takes one request for each parent: of those that have changed since, and of open ones in turn."""
        session, options = self.session, self.session.options
        only_these = options.only is not None and not options.only & {RETURNS.name}
        left = _MOST
        for one in wanted(session.settings, options):
            if one.parent is None or one.name in session.api.failed or options.dry_run:
                continue
            most = None if only_these or one.parent is not RETURNS else left
            with session.warehouse.reader() as reader:
                find = partial(due_parents, reader, one, session.shop, stale=session.clock.latest - _A_DAY)
                due, every = find(most=most)
            if due:
                session.read(self.compare, others=parent_tasks(one, due))
            left -= len(due) if most is not None else 0
            if every > len(due):
                session.run.notices.append(
                    f"{one.name}: asked for {len(due):,} of {counted(every, 'return')} that are due; the next runs go on. "
                    f"All at once: `loop-returns sync --only {one.name}`."
                )

    def _say_failures(self) -> None:
        session, failed = self.session, self.session.api.failed
        for name in failed.keys() & (session.options.only or ()):
            raise _explained(name, failed[name])
        lacking = [one for one in RESOURCES if isinstance(failed.get(one.name), AccessDeniedError)]
        if lacking:
            names = ", ".join(f"{one.name} (scope {one.scope})" for one in lacking)
            session.run.notices.append(f"Not read, because the key lacks the scope: {names}.")
        for name, error in failed.items():
            if isinstance(error, AccessDeniedError):
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
