"""Everything of dlt that its documentation does not promise, in one place; `tests/warehouse` says what a new dlt changed.

dlt is imported when it is needed: `--help` must not wait for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt.common.destination.client import DestinationClientConfiguration
    from dlt.destinations.job_client_impl import SqlJobClientBase


def data_folder() -> Path:
    """Where dlt keeps what belongs to this machine: `DLT_DATA_DIR`, else its default."""
    from dlt.common.runtime.run_context import active

    return Path(active().data_dir)


def configuration(destination: Any, dataset: str) -> DestinationClientConfiguration:
    """The resolved configuration of a destination. Raises dlt's ConfigurationException when something is missing."""
    spec = destination.spec()
    if hasattr(spec, "_bind_dataset_name"):
        spec = spec._bind_dataset_name(dataset)
    resolved: DestinationClientConfiguration = destination.configuration(spec)
    return resolved


def sql_client(destination: Any, dataset: str, schema: str) -> SqlJobClientBase | None:
    """dlt's client of a dataset, not yet connected, without any pipeline; None for files, which have no SQL."""
    from dlt.common.schema import Schema
    from dlt.dataset.utils import get_destination_clients

    client: Any = get_destination_clients(Schema(schema), destination, dataset)[0]
    return client if has_sql(client) else None


def has_sql(client: object) -> bool:
    """True for a destination's client that is asked with SQL; files are not, though their client has a SQL client too."""
    from dlt.destinations.job_client_impl import SqlJobClientBase

    return isinstance(client, SqlJobClientBase)


def stored_state(client: SqlJobClientBase, pipeline: str) -> dict[str, Any]:
    """The state of a pipeline as the destination has it; empty when there is none yet."""
    from dlt.common.versioned_state import decompress_state
    from dlt.destinations.exceptions import DatabaseUndefinedRelation

    try:
        stored = client.get_stored_state(pipeline)
    except DatabaseUndefinedRelation:
        return {}
    return {} if stored is None else dict(decompress_state(stored.state))


def may_be_over(error: BaseException) -> bool:
    """True for a failed load that the destination calls passing, such as a connection that was lost."""
    from dlt.common.destination.exceptions import DestinationTransientException
    from dlt.load.exceptions import LoadClientJobRetry

    one: BaseException | None = error
    while one is not None:
        if isinstance(one, LoadClientJobRetry | DestinationTransientException):
            return True
        one = one.__cause__ or getattr(one, "exception", None)
    return False


def apply_log_level() -> None:
    """Has dlt look at its configured log level again: it has done so when it was imported."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    Container()[PluggableRunContext].initialize_runtime()


def had_signal() -> bool:
    """True when dlt keeps a signal back until a load is at rest."""
    signals = sys.modules.get("dlt.common.runtime.signals")
    return signals is not None and bool(signals.was_signal_received())
