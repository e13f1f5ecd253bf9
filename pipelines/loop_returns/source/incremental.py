"""Returns and shipping notices of the public source: what changed since dlt's own incremental was last moved."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import dlt

from loop_returns.api.windows import DAY
from loop_returns.extract.planning import changed_plan, notices_plan
from loop_returns.extract.reading import Reading
from loop_returns.extract.state import ShopState
from loop_returns.source.parts import (
    AT_ONCE,
    CURSOR,
    OF_A_RETURN,
    LookUp,
    item,
    items,
    opened,
    remember,
    start_of,
    state_of,
    with_children,
)
from loop_returns.tables.catalog import arrow_schema
from loop_returns.tables.chunk import Chunk, Tables
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.deduplicate import newest_notices, newest_returns


def changed_returns(look_up: LookUp, updated_at: dlt.sources.incremental[datetime] = CURSOR) -> Iterator[Any]:
    """Everything that was updated in the incremental's range; the cursor moves when all of it was taken."""
    updated_at.advance(cast("datetime", None))  # the API has filtered by the range: every row it sends is wanted
    with_children(dlt.current.resource())  # again: `run` has meanwhile given its file format to the root alone
    settings = look_up()
    state = state_of(settings)  # refuses another key before anything is read
    remember(settings, state)
    for name in OF_A_RETURN:
        yield item(name, arrow_schema(name).empty_table())
    with opened(settings) as (api, sets):
        clock = api.clock()
        end = clock.latest if updated_at.end_value is None else min(updated_at.end_value, clock.latest + DAY).astimezone(UTC)
        start = start_of(settings, updated_at, latest=clock.latest)
        plan = changed_plan(settings, start, end, since=start)

        def compare(_: str, pages: Sequence[Tables]) -> Chunk:
            return newest_returns(sets, pages, None, shop=settings.shop, observed_at=clock.now)

        reading = Reading(api, ShopState(), compare, returns=plan, limits=AT_ONCE, begun=clock.earliest)
        yield from items(reading)
    remember(settings, state_of(settings).after_load(reading.state.days_due))
    if updated_at.end_value is None and reading.state.cursor is not None:
        updated_at.advance(reading.state.cursor)


def changed_notices(look_up: LookUp, updated_at: dlt.sources.incremental[datetime] = CURSOR) -> Iterator[Any]:
    """The notices of the incremental's range, and of the days of returns that earlier runs saw change."""
    updated_at.advance(cast("datetime", None))
    settings = look_up()
    state = state_of(settings)
    remember(settings, state)
    yield item(ASN.name, arrow_schema(ASN.name).empty_table())
    with opened(settings) as (api, sets):
        clock = api.clock()
        end = min(updated_at.end_value or clock.latest, clock.latest).astimezone(UTC)
        first, last = min(start_of(settings, updated_at, latest=clock.latest), end).date() - DAY, end.date() + DAY
        plan = notices_plan(settings, first, last, due=state_of(settings).days_due)

        def compare(_: str, pages: Sequence[Tables]) -> Chunk:
            return newest_notices(sets, pages, None, shop=settings.shop, observed_at=clock.now)

        yield from items(Reading(api, ShopState(), compare, notices=plan, limits=AT_ONCE))
    remember(settings, state_of(settings).with_notices(state.days_due))
    if updated_at.end_value is None:
        updated_at.advance(clock.earliest)
