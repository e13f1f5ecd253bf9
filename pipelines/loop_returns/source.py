"""The dlt source: Loop's returns with their children, and the shipping notices.

`pipeline.run(loop_returns_source())` needs nothing but a pipeline and is incremental the dlt way. The commands run
`chunks_source`, chunk by chunk, and do more: they compare with the warehouse, keep a ledger and the history of states, and
mark what is gone.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import dlt
import duckdb
import pyarrow as pa
from dlt.common.configuration.specs import BaseConfiguration
from dlt.extract import DltResource

from loop_returns.api.facts import FIRST_DAY
from loop_returns.api.windows import DAY, utc_midnight
from loop_returns.dates import parse_when
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.clocks import Clocks
from loop_returns.extract.planning import changed_plan, notices_plan
from loop_returns.extract.reading import Limits, Reading
from loop_returns.extract.state import ShopState
from loop_returns.settings import Settings, load
from loop_returns.tables.catalog import CHILDREN, HISTORY, OTHERS, TABLES, arrow_schema, dlt_hints
from loop_returns.tables.chunk import Chunk, Tables
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.schema import LOAD_ID, Type
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.deduplicate import newest_notices, newest_returns
from loop_returns.warehouse.dlt_internals import SOURCE, load_id

_CURSOR: Final = dlt.sources.incremental[datetime]("updated_at", primary_key=(), on_cursor_value_missing="include")
_AT_ONCE: Final = Limits(rows=sys.maxsize, idle_rows=sys.maxsize)  # one package, so the newest copy of everything
LookUp = Callable[..., Settings]  # `load` with the arguments of the source
_RETURNS: Final = (RETURNS.name, *(child.name for child in CHILDREN))  # the tables of one return


@dlt.source(name=SOURCE, spec=BaseConfiguration)  # an empty spec: dlt would fill arguments from a stray API_KEY
def loop_returns_source(
    *,
    shop: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    start_date: str | datetime | None = None,
    end_date: str | datetime | None = None,
    window_days: int | None = None,
    page_size: int | None = None,
    requests_per_minute: int | None = None,
    max_concurrency: int | None = None,
    lookback: str | timedelta | None = None,
    asn_horizon_days: int | None = None,
    pii: str | None = None,
    pii_key: str | None = None,
) -> Iterator[DltResource]:
    """Loop's returns with their children, and the advanced shipping notices, as typed tables.

    Both resources have dlt's own incremental on `updated_at`: the first run reads everything from `start_date`, later ones
    what changed since, less `lookback` (of the notices: less `asn_horizon_days`). With `end_date`, or an interval that a
    scheduler gives dlt, they read what was updated in it, and keep no cursor. Run the pipeline with
    `loader_file_format="parquet"` where the destination can load it. dlt's telemetry is on, unless
    `RUNTIME__DLTHUB_TELEMETRY=false`; only the commands turn it off.

    The arguments are those of `Settings`; one that is not given comes from `[sources.loop_returns]` of dlt's configuration,
    by its full name only. `start_date` counts for the first run only, unless there is an `end_date`, the moment up to
    which to read.

    Raises ConfigurationError when a setting cannot be used. Keys are looked up when the source is read: a missing one
    must not keep a scheduler from loading its other jobs.
    """
    look_up = partial(
        load, shop=shop, api_key=api_key, base_url=base_url, start_date=start_date, window_days=window_days,
        page_size=page_size, requests_per_minute=requests_per_minute, max_concurrency=max_concurrency,
        lookback=lookback, asn_horizon_days=asn_horizon_days, pii=pii, pii_key=pii_key,
    )  # fmt: skip
    yield from _incremental_resources(look_up, parse_when(end_date) if isinstance(end_date, str) else end_date)


def _incremental_resources(look_up: LookUp, end: datetime | None) -> Iterator[DltResource]:
    settings = look_up(need_key=False)
    horizon = timedelta(days=settings.asn_horizon_days)
    returns = dlt.resource(_changed_returns, **dlt_hints(RETURNS))
    yield _with_children(returns(look_up, _incremental(settings.start_date, end, settings.lookback)))
    yield dlt.resource(_changed_notices, **dlt_hints(ASN))(look_up, _incremental(settings.start_date, end, horizon))


def _incremental(start: datetime, end: datetime | None, lag: timedelta) -> Any:
    return dlt.sources.incremental[datetime](
        "updated_at",
        initial_value=start,
        end_value=end,
        lag=lag.total_seconds(),
        primary_key=(),  # no hashes of tied rows in the state: what is seen twice is merged
        on_cursor_value_missing="include",
    )


def _with_children(returns: DltResource, *, append: bool = False) -> DltResource:
    """The resource with a table variant for each child; after arguments are bound, as binding forgets them."""
    file_format: Any = returns.compute_table_schema().get("file_format")
    for table in CHILDREN:
        hints = dlt_hints(table, append=append)
        name, columns = hints.pop("name"), hints.pop("columns")
        # a variant starts as a copy of the root's hints, so those go first
        returns.apply_hints(table_name=name, columns={}, primary_key=[], merge_key=[], create_table_variant=True)
        returns.apply_hints(table_name=name, columns=columns, file_format=file_format, create_table_variant=True, **hints)
    return returns


def _changed_returns(look_up: LookUp, updated_at: dlt.sources.incremental[datetime] = _CURSOR) -> Iterator[Any]:
    """Everything that was updated in the incremental's range; the cursor moves when all of it was taken."""
    updated_at.advance(cast("datetime", None))  # the API has filtered by the range: every row it sends is wanted
    _with_children(dlt.current.resource())  # again: `run` has meanwhile given its file format to the root alone
    settings = look_up()
    state = _state(settings)  # refuses another key before anything is read
    _remember(settings, state)
    for name in _RETURNS:
        yield _item(name, arrow_schema(name).empty_table())
    with _opened(settings) as (api, sets, clock):
        end = clock.latest if updated_at.end_value is None else min(updated_at.end_value, clock.latest + DAY).astimezone(UTC)
        start = _start(settings, updated_at, latest=clock.latest)
        plan = changed_plan(settings, start, end, since=start)

        def compare(_: str, pages: Sequence[Tables]) -> Chunk:
            return newest_returns(sets, pages, None, shop=settings.shop, observed_at=clock.now)

        reading = Reading(api, ShopState(), compare, returns=plan, limits=_AT_ONCE, begun=clock.earliest)
        yield from _items(reading)
    _remember(settings, _state(settings).after_load(reading.state.days_due))
    if updated_at.end_value is None and reading.state.cursor is not None:
        updated_at.advance(reading.state.cursor)


def _changed_notices(look_up: LookUp, updated_at: dlt.sources.incremental[datetime] = _CURSOR) -> Iterator[Any]:
    """The notices of the incremental's range, and of the days of returns that earlier runs saw change."""
    updated_at.advance(cast("datetime", None))
    settings = look_up()
    state = _state(settings)
    _remember(settings, state)
    yield _item(ASN.name, arrow_schema(ASN.name).empty_table())
    with _opened(settings) as (api, sets, clock):
        end = min(updated_at.end_value or clock.latest, clock.latest).astimezone(UTC)
        first, last = min(_start(settings, updated_at, latest=clock.latest), end).date() - DAY, end.date() + DAY
        plan = notices_plan(settings, first, last, due=_state(settings).days_due)

        def compare(_: str, pages: Sequence[Tables]) -> Chunk:
            return newest_notices(sets, pages, None, shop=settings.shop, observed_at=clock.now)

        yield from _items(Reading(api, ShopState(), compare, notices=plan, limits=_AT_ONCE))
    _remember(settings, _state(settings).with_notices(state.days_due))
    if updated_at.end_value is None:
        updated_at.advance(clock.earliest)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[ApiReader, duckdb.DuckDBPyConnection, Clocks]]:
    """A reader of the shop with its pages in a temporary folder, a DuckDB in memory, and the time."""
    with (
        TemporaryDirectory(prefix="loop-returns-") as folder,
        ApiReader(settings, Path(folder, "pages")) as api,
        duckdb.connect(config={"threads": 1}) as sets,
    ):
        yield api, sets, api.clock()


def _items(reading: Reading) -> Iterator[Any]:
    """Everything that the reading reads, in parts.

    A plain dlt load puts everything into one package; two copies of one return in it would leave both copies' children.
    """
    with closing(reading):
        while reading.advance():
            for chunk in reading.chunks:
                for name in chunk.rows:
                    if name not in {one.name for one in HISTORY}:
                        yield from (_item(name, part) for part in chunk.parts(name))


def _item(name: str, table: pa.Table) -> Any:
    """A table for anyone's pipeline: with its load's id, as a CSV file must have every column.

    JSON columns that hold nothing are left out: dlt warns of each that comes as text.
    """
    empty = [
        one.name for one in TABLES[name].columns if one.type is Type.JSON and table[one.name].null_count == table.num_rows
    ]
    loads = pa.array([load_id()] * table.num_rows, pa.string())
    return dlt.mark.with_table_name(table.drop_columns(empty).append_column(LOAD_ID.name, loads), name)


def _start(settings: Settings, updated_at: dlt.sources.incremental[datetime], *, latest: datetime) -> datetime:
    """Where reading begins: where the incremental does; at the very start where a wrong clock has put that ahead of time."""
    start = max(updated_at.start_value or settings.start_date, utc_midnight(FIRST_DAY)).astimezone(UTC)
    is_ahead = updated_at.end_value is None and start + timedelta(seconds=updated_at.lag or 0) > latest + DAY
    return settings.start_date.astimezone(UTC) if is_ahead else start


def _state(settings: Settings) -> ShopState:
    stored = dlt.current.source_state().get("shops", {}).get(settings.shop, {})
    return ShopState.read(stored).under(Privacy.of(settings))


def _remember(settings: Settings, state: ShopState) -> None:
    dlt.current.source_state().setdefault("shops", {})[settings.shop] = state.written()


@dlt.source(name=SOURCE, spec=BaseConfiguration)
def chunks_source(reading: Reading, *, may_append: bool) -> Iterator[DltResource]:
    """The current chunks of a command, without dlt's incremental: the cursor is in the shop's own state.

    What the warehouse has nothing of is appended, unless a load that failed may have left something.
    """

    def rows(chunks: Sequence[Chunk], names: Sequence[str]) -> Iterator[Any]:
        _remember(reading.api.settings, reading.state)
        for chunk in chunks:
            for name in names:
                yield from (dlt.mark.with_table_name(part, name) for part in chunk.parts(name))

    # the history stands by itself: `refresh` of `returns` must not drop it
    for table in (RETURNS, *HISTORY, ASN, *OTHERS, READS):
        chunks = [chunk for chunk in reading.chunks if table.name in chunk.rows]
        append = may_append and all(chunk.is_new for chunk in chunks)
        if chunks and table is RETURNS:
            resource = dlt.resource(rows, **dlt_hints(table, append=append))(chunks, _RETURNS)
            yield _with_children(resource, append=append)
        elif chunks:
            yield dlt.resource(rows, **dlt_hints(table, append=append))(chunks, (table.name,))
