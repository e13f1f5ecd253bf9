"""Everything of dlt that its documentation does not promise, in one place; `tests/warehouse` says what a new dlt changed.

dlt is imported when it is needed: `--help` must not wait for it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

PIPELINE: Final = "loop_returns"  # the name under which dlt keeps the state
SOURCE: Final = "loop_returns"  # the name of the dlt source and its schema
STATE_TABLE: Final = "_dlt_pipeline_state"
LOADS_TABLE: Final = "_dlt_loads"
VERSION_TABLE: Final = "_dlt_version"

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import dlt
    from dlt.common.destination.client import DestinationClientConfiguration
    from dlt.common.schema import Schema
    from dlt.destinations.job_client_impl import SqlJobClientBase
    from dlt.extract import DltSource


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


def looked_up_once(destination: Any) -> Any:
    """The destination, which from now on remembers its configuration.

    dlt looks it up at every statement, dozens of times in a run: a third of what a run takes that finds nothing new.
    """
    look_up, known = destination.configuration, {}

    def configuration(initial: Any, accept_partial: bool = False) -> Any:
        key = (accept_partial, *map(repr, initial.items()))
        if key not in known:
            known[key] = look_up(initial, accept_partial)
        return known[key]

    destination.configuration = configuration
    return destination


def schema_name(config: DestinationClientConfiguration) -> str:
    """The name that dlt makes of the configured dataset: `Loop Data` and `loop_data` are one schema in the database."""
    from dlt.common.destination.client import DestinationClientDwhConfiguration
    from dlt.common.schema import Schema

    assert isinstance(config, DestinationClientDwhConfiguration)  # noqa: S101 # every destination that can replace rows
    return config.normalize_dataset_name(Schema(SOURCE))


def sql_client(destination: Any, dataset: str) -> SqlJobClientBase | None:
    """dlt's client of a dataset, not yet connected, without any pipeline; None for files, which have no SQL."""
    from dlt.common.schema import Schema
    from dlt.dataset.utils import get_destination_clients

    client: Any = get_destination_clients(Schema(SOURCE), destination, dataset)[0]
    return client if has_sql(client) else None


def has_sql(client: object) -> bool:
    """True for a destination's client that is asked with SQL; files are not, though their client has a SQL client too."""
    from dlt.destinations.job_client_impl import SqlJobClientBase

    return isinstance(client, SqlJobClientBase)


def stored_state(client: SqlJobClientBase, pipeline: str) -> dict[str, Any]:
    """The state of a pipeline as the destination has it: of completed loads that with the greatest version; else empty.

    The version grows with each change, whichever machine made it. dlt takes the greatest load id: a machine's clock.
    """
    from dlt.common.versioned_state import decompress_state

    state, loads = (client.sql_client.make_qualified_table_name(name) for name in (STATE_TABLE, LOADS_TABLE))
    row = _first(
        client,
        f"s.state FROM {state} AS s JOIN {loads} AS l ON l.load_id = s._dlt_load_id"
        " WHERE s.pipeline_name = %s AND l.status = 0 ORDER BY s.version DESC, l.load_id DESC",
        pipeline,
    )
    return {} if row is None else dict(decompress_state(row[0]))


def stored_schema(client: SqlJobClientBase) -> Schema | None:
    """The schema as the destination has it: that with the greatest version. dlt takes the latest by a machine's clock."""
    from dlt.common.json import json
    from dlt.common.schema import Schema

    versions = client.sql_client.make_qualified_table_name(VERSION_TABLE)
    row = _first(
        client, f"version_hash FROM {versions} WHERE schema_name = %s ORDER BY version DESC, inserted_at DESC", SOURCE
    )
    stored = None if row is None else client.get_stored_schema_by_hash(row[0])
    # dlt has checked it before it was stored, column by column, which takes as long as all else that is read here
    return None if stored is None else Schema.from_dict(json.loads(stored.schema), validate_schema=False)


def _first(client: SqlJobClientBase, query: str, value: str) -> Any:
    """The first row of a query without its SELECT; None where there is none, or no such table."""
    from dlt.destinations.exceptions import DatabaseUndefinedRelation

    before, after = client.sql_client._limit_clause_sql(1)
    try:
        with client.sql_client.execute_query(f"SELECT {before} {query} {after}", value) as cursor:
            return cursor.fetchone()
    except DatabaseUndefinedRelation:
        return None


def known_schema(pipeline: dlt.Pipeline) -> Schema:
    """The schema that the pipeline has in memory; `default_schema` reads its file and hashes it at each look."""
    storage: Any = pipeline.schemas
    schema: Schema = storage.live_schemas.get(pipeline.default_schema_name) or pipeline.default_schema
    return schema


def restore(pipeline: dlt.Pipeline) -> None:
    """Gives a new pipeline schema and state of the destination: those with the greatest versions.

    `sync_destination` would take the latest by a machine's clock, and `run` calls it where nothing was restored.
    """
    from dlt.common.schema import Schema
    from dlt.pipeline.state_sync import mark_state_extracted, migrate_state_to_current

    client: Any = sql_client(pipeline.destination, pipeline.dataset_name)
    with client:
        found, schema = stored_state(client, pipeline.pipeline_name), stored_schema(client)
    if found:
        state = migrate_state_to_current(pipeline.pipeline_name, found)
        state["_local"] = pipeline.state["_local"]
        mark_state_extracted(state, state["_version_hash"])
        pipeline._install_state_and_schemas(state, [schema or Schema(SOURCE)], replace=True, update_last_run_context=True)
    pipeline._state_restored = True


def declare(pipeline: dlt.Pipeline, source: DltSource) -> None:
    """Has the destination make the tables and columns of a source that it lacks, without a load."""
    schema = pipeline.default_schema.clone() if pipeline.default_schema_name else source.schema
    for table in source.discover_schema().data_tables(include_incomplete=True):
        schema.update_table(table)
    with pipeline.managed_state():
        pipeline._inject_schema(schema)
    pipeline.sync_schema()


def make_again(client: SqlJobClientBase, tables: Collection[str]) -> None:
    """Makes what the storage lacks of these tables and their columns: dlt looks only when the schema is new to it."""
    client.update_stored_schema(only_tables={*tables, VERSION_TABLE}, force=True)  # the schema is noted in the latter


def load_id() -> str | None:
    """The id of the load that is being extracted; None where a source is looked at without a pipeline."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.exceptions import ContextDefaultCannotBeCreated
    from dlt.common.storages.load_package import LoadPackageStateInjectableContext

    try:
        return str(Container()[LoadPackageStateInjectableContext].load_id)
    except ContextDefaultCannotBeCreated:
        return None


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


@contextmanager
def signals_kept() -> Iterator[None]:
    """Around a load: dlt keeps a signal back meanwhile, and forgets one that comes when nothing is left to be loaded."""
    from dlt.common.runtime.signals import intercepted_signals, raise_if_signalled

    with intercepted_signals():
        yield
        raise_if_signalled()


def secrets_files() -> list[Path]:
    """The files of secrets that dlt has read. Raises ConfigurationError for a file of settings that is no TOML."""
    from loop_returns.settings import providers  # with what it imports, which `--help` must not wait for either

    found = [one for one in providers() if one.supports_secrets]
    return [Path(place).resolve() for one in found for place in getattr(one, "present_locations", ())]


def forget_lookups() -> None:
    """Forgets what dlt has looked up in its configuration, secrets too, which it collects for a trace."""
    from dlt.common.configuration.utils import get_resolved_traces

    get_resolved_traces().clear()


def had_signal() -> bool:
    """True when dlt keeps a signal back until a load is at rest."""
    signals = sys.modules.get("dlt.common.runtime.signals")
    return signals is not None and bool(signals.was_signal_received())


def file_system(address: str) -> tuple[Any, str, str]:
    """The fsspec file system of an address, the path in it, and the address without secrets.

    Credentials are those of dlt's destination `filesystem`. Raises what dlt raises without them or without a library.
    """
    from dlt.common.configuration import resolve_configuration
    from dlt.common.storages.configuration import FilesystemConfiguration
    from dlt.common.storages.fsspec_filesystem import fsspec_from_config

    config = resolve_configuration(FilesystemConfiguration(bucket_url=address), sections=("destination", "filesystem"))
    system, path = fsspec_from_config(config)
    if config.protocol == "gs":  # the class that is the default asks by gRPC, before each operation, what bucket it is
        from gcsfs.core import GCSFileSystem

        system = GCSFileSystem(**system.storage_options)
    return system, path, str(config)
