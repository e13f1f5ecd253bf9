"""The dlt source: Loop's returns and shipping notices for anyone's dlt pipeline.

`loop-returns sync` does more: it compares with the warehouse, keeps a ledger and the history of states, marks what is gone,
and reads the notices of older returns in the same run. This source needs nothing but a pipeline.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dlt

from loop_returns.api.crew import Found
from loop_returns.api.windows import cover, days, split
from loop_returns.config import Settings, load
from loop_returns.dates import parse_when
from loop_returns.extract.api_reader import Shop
from loop_returns.extract.days import DAY, notice_days, pack, unpack
from loop_returns.extract.spool import Spool
from loop_returns.tables.catalog import CHILDREN, arrow_schema, dlt_hints
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.deduplicate import settle_notices, settle_returns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.tables.schema import Table
    from loop_returns.warehouse.deduplicate import Tables


@dlt.source(name="loop_returns")
def loop_returns_source(*, start_date: str | None = None, end_date: str | None = None, **settings: Any) -> Iterator[Any]:
    """Loop's returns with their children, and the advanced shipping notices, as typed tables.

    Incremental on `updated_at`: the first run reads everything, later ones what changed since, less an overlap of
    `lookback`. With `end_date` it reads what was created from `start_date` to `end_date` instead and keeps no cursor.

    Args:
        start_date: first day, or moment (UTC), to read; only for the first run, unless `end_date` is given.
        end_date: last moment to read; makes the run stateless.
        settings: any setting of `[sources.loop_returns]`, such as `api_key`, `base_url`, `shop`, `page_size`. What is not
            given comes from dlt's configuration, by its full name only: a stray `API_KEY` in the environment is not used.

    Returns:
        Resources `returns`, `return_line_items`, `return_exchanges`, `return_labels`, `return_refunds` and
        `advanced_shipping_notices`; choose with `with_resources`. Run the pipeline with `loader_file_format="parquet"`
        where the destination can load it.

    Raises:
        ChangeSettings: when a setting is missing or cannot be used.
    """
    if start_date is not None:
        settings["start_date"] = start_date
    resolved = load(**settings)
    until = None if end_date is None else parse_when(end_date)
    walk = dlt.resource(_walk, name="returns_walk", selected=False)(resolved, until)
    for table in (RETURNS, *CHILDREN):
        yield walk | dlt.transformer(_pick, **dlt_hints(table))(table)
    yield dlt.resource(_notices, **dlt_hints(ASN))(resolved, until)


def _walk(settings: Settings, until: datetime | None) -> Iterator[Tables]:
    """Everything that is to be loaded, page by page, after the whole walk is done."""
    with Shop(settings) as shop, Spool(RETURNS.name, ("id",)) as spool:
        now = shop.clock()
        memory = _memory(settings)
        end = now if until is None else min(until, now)
        start = settings.start_date
        if until is None and "cursor" in memory:
            start = min(datetime.fromisoformat(memory["cursor"]), now) - settings.lookback
        windows = split(min(start, end), end, width=timedelta(days=settings.window_days))
        for event in shop.returns(windows, column="updated_at" if until is None else "created_at"):
            if isinstance(event, Found):
                spool.add(event.item.tables)
        for page in spool.pages():
            settled = settle_returns(page, None, shop=settings.shop, observed_at=now)
            if settled.tables:
                found = unpack(memory.get("asn_days", ())) | notice_days(settled.tables)
                memory["asn_days"] = pack(found)
                yield settled.tables
        if until is None:
            memory["cursor"] = end.isoformat()


def _pick(tables: Tables, table: Table) -> Any:
    yield tables.get(table.name, arrow_schema(table.name).empty_table())


def _notices(settings: Settings, until: datetime | None) -> Iterator[Any]:
    """The rolling horizon, or the days asked for, and the days of returns that earlier runs saw change."""
    memory = _memory(settings)
    with Shop(settings) as shop, Spool(ASN.name, ("id", "return_line_item_id")) as spool:
        today = shop.clock().astimezone(UTC).date()
        last = today if until is None else min(until.astimezone(UTC).date(), today)
        everything = until is not None or "asn_read" not in memory
        first = settings.start_date.date() if everything else last - DAY * settings.asn_horizon_days
        changed = unpack(memory.get("asn_days", ()))
        extra = {day + DAY * n for day in changed for n in (-1, 0, 1)}
        windows = days(min(first, last), last + DAY, width=settings.window_days)
        windows += cover((day for day in extra if not first < day <= last), width=settings.window_days)
        for _, shaped in shop.notices(windows):
            spool.add(shaped.tables)
        memory["asn_days"] = pack(unpack(memory.get("asn_days", ())) - changed)  # the walk may have added some meanwhile
        if until is None:
            memory["asn_read"] = today.isoformat()
        yield arrow_schema(ASN.name).empty_table()
        for page in spool.pages():
            yield from settle_notices(page, {}).tables.values()


def _memory(settings: Settings) -> dict[str, Any]:
    shops = dlt.current.source_state().setdefault("shops", {})
    memory: dict[str, Any] = shops.setdefault(settings.shop, {})
    return memory
