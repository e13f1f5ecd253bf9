"""What `publish` names: a copy of the DuckDB file, or a folder that gets all tables and marts as Parquet files."""

from collections.abc import Callable
from typing import Final

import pyarrow as pa

from loop_returns import marts
from loop_returns.runs.ledger import Run
from loop_returns.tables.catalog import ARROW, TABLES
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.folder import find_folder, is_folder
from loop_returns.warehouse.parquet import publish_files
from loop_returns.warehouse.publish import publish, publish_path

_TOLD: Final = ("run_id", "command", "shop", "started_at", "finished_at", "version", "marts_version")  # of the run
Publish = Callable[[Run, Callable[[], None]], object]


def publishing(target: Target, place: str) -> Publish:
    """What publishes when a run has ended, given what confirms the run's lock.

    Raises ConfigurationError for a useless place: before a long run, not after it.
    """
    if not is_folder(place):
        publish_path(target, place)
        return lambda *_: publish(target, place)
    folder = find_folder(place)
    folder.refuse_unwritable(dataset=target.dataset)

    def write(run: Run, confirm: Callable[[], None]) -> None:
        raw = {name: pa.schema([(one.name, ARROW[one.type]) for one in table.columns]) for name, table in TABLES.items()}
        record = run.record()
        about = {"dataset": target.dataset, **{name: record[name] for name in _TOLD}}
        publish_files(target, folder, {**raw, **marts.arrow_schemas()}, about=about, confirm=confirm)

    return write
