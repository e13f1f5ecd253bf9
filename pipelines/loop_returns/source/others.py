"""The other resources of the public source: lists, ranges by dlt's incremental, transformers of their parents."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from loop_returns.dates import in_utc
from loop_returns.errors import ConfigurationError
from loop_returns.extract.reading import Reading
from loop_returns.extract.resource_tasks import ResourceTask, range_task
from loop_returns.extract.state import ShopState
from loop_returns.settings import Settings
from loop_returns.source.parts import AT_ONCE, CURSOR, LookUp, incremental, item, items, opened, start_of, with_children
from loop_returns.tables.catalog import arrow_schema, dlt_hints
from loop_returns.tables.chunk import Chunk, Tables
from loop_returns.tables.resource import Parent, Reads, Resource
from loop_returns.tables.resources import BY_NAME, RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.changed import FINGERPRINTS, changed_rows, changed_sets

_log: Final = logging.getLogger("loop_returns")


def other_resources(
    look_up: LookUp, settings: Settings, end: datetime | None, returns: DltResource
) -> Iterator[DltResource]:
    """A resource for each, selected unless it takes one request for each return."""
    horizon = timedelta(days=settings.asn_horizon_days)
    parents = {RETURNS.name: returns}
    for one in RESOURCES:
        hints = dlt_hints(one.table) | {"name": one.name, "table_name": one.table.name, "selected": one.by_default}
        if one.parent is not None:
            made = dlt.transformer(_of_parents, data_from=parents[one.parent.name], **hints)(look_up, one.name)
        elif one.reads is Reads.RANGE:
            cursor = incremental(settings.start_date, end, horizon, column=one.cursor)
            made = dlt.resource(_in_range, **hints)(look_up, one.name, cursor)
        else:
            made = dlt.resource(_whole, **hints)(look_up, one.name)
        parents[one.table.name] = with_children(made, one.tables[1:])
        yield made


def _whole(look_up: LookUp, name: str) -> Iterator[Any]:
    """All rows of a list."""
    yield from _read(look_up(), BY_NAME[name], [ResourceTask(BY_NAME[name])])


def _in_range(look_up: LookUp, name: str, made_at: dlt.sources.incremental[datetime] = CURSOR) -> Iterator[Any]:
    """What was made in the incremental's range; the cursor moves when all of it was taken."""
    made_at.advance(cast("datetime", None))  # the API has filtered by the range
    settings = look_up()
    with opened(settings) as (api, _):
        clock = api.clock()
    end = min(made_at.end_value or clock.latest, clock.latest)
    start = min(start_of(settings, made_at, latest=clock.latest), end)
    yield from _read(settings, BY_NAME[name], [range_task(BY_NAME[name], in_utc(start), in_utc(end))])
    if made_at.end_value is None:
        made_at.advance(clock.earliest)


def _of_parents(rows: pa.Table, look_up: LookUp, name: str) -> Iterator[Any]:
    """What belongs to each of the parents; their children come through here too, and are passed over."""
    parent = BY_NAME[name].parent
    assert parent is not None  # noqa: S101 # only these are transformers
    if not isinstance(rows, pa.Table) or not {parent.key[-1], "_row_hash"} <= {*rows.column_names} or not rows.num_rows:
        return
    tasks = [ResourceTask(BY_NAME[name], parent=Parent(one)) for one in rows[parent.key[-1]].to_pylist()]
    yield from _read(look_up(), BY_NAME[name], tasks)


def _read(settings: Settings, resource: Resource, tasks: Sequence[ResourceTask]) -> Iterator[Any]:
    """What the tasks give; a key without the scope goes without, with a warning."""
    for table in resource.tables:
        yield item(table.name, arrow_schema(table.name).empty_table())
    with opened(settings) as (api, sets):

        def compare(_: str, pages: Sequence[Tables]) -> Chunk:
            if resource.reads is Reads.EACH:
                return changed_sets(sets, resource, pages, FINGERPRINTS.empty_table(), shop=settings.shop, at=None)
            return changed_rows(sets, resource, pages, FINGERPRINTS.empty_table(), shop=settings.shop)

        yield from items(Reading(api, ShopState(), compare, others=tasks, limits=AT_ONCE))
        for error in (*api.failed.values(), *(one for some in api.passed_over.values() for one in some)):
            if not isinstance(error, ConfigurationError):
                raise error
            _log.warning("%s was not read (scope %s): %s", resource.name, resource.scope, error)
