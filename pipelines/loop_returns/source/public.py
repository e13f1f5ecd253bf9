"""The dlt source: Loop's returns with their children, the shipping notices, and what else a key may read.

`pipeline.run(loop_returns_source())` needs nothing but a pipeline and is incremental the dlt way. The commands run
`chunks_source`, chunk by chunk, and do more: they compare with the warehouse, keep a ledger and the history of states, and
mark what is gone.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import dlt
from dlt.common.configuration.specs import BaseConfiguration
from dlt.extract import DltResource

from loop_returns.dates import parse_when
from loop_returns.settings import load
from loop_returns.source.incremental import changed_notices, changed_returns
from loop_returns.source.others import other_resources
from loop_returns.source.parts import LookUp, incremental, with_children
from loop_returns.tables.catalog import dlt_hints
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.dlt_internals import SOURCE


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
    """Loop's returns with their children, the advanced shipping notices, and a resource for each other endpoint.

    What takes a request for each return (`return_notes`, `return_details`) is not selected; `with_resources` names what to
    read. A key that lacks a scope goes without that resource. Returns and notices have dlt's own incremental on
    `updated_at`: the first run reads everything from `start_date`, later ones what changed since, less `lookback` (of the
    notices, label requests and shipments: less `asn_horizon_days`). With `end_date`, or an interval that a scheduler gives
    dlt, they read what was updated in it, and keep no cursor. Run the pipeline with `loader_file_format="parquet"` where
    the destination can load it. dlt's telemetry is on, unless `RUNTIME__DLTHUB_TELEMETRY=false`; only the commands turn it
    off.

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
    yield from _resources(look_up, parse_when(end_date) if isinstance(end_date, str) else end_date)


def _resources(look_up: LookUp, end: datetime | None) -> Iterator[DltResource]:
    settings = look_up(need_key=False)
    horizon = timedelta(days=settings.asn_horizon_days)
    returns = dlt.resource(changed_returns, **dlt_hints(RETURNS))
    root = with_children(returns(look_up, incremental(settings.start_date, end, settings.lookback)))
    yield root
    yield dlt.resource(changed_notices, **dlt_hints(ASN))(look_up, incremental(settings.start_date, end, horizon))
    yield from other_resources(look_up, settings, end, root)
