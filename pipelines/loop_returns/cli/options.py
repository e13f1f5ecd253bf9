"""The options that several commands share, each once, and the `Options` that are made of them.

Annotations are evaluated here, in `app.py` and in `demo.py`, because typer reads them.
"""

import inspect
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from typer import Option

from loop_returns.cli.progress import LogFormat, json_line, make_progress
from loop_returns.warehouse.dlt_internals import apply_log_level
from loop_returns.warehouse.permissions import open_secrets

if TYPE_CHECKING:
    from loop_returns.runs.session import Options
    from loop_returns.settings import Settings

_NO_LONGER: Final = (  # scripts of version 0.1.0 may still give it
    "--abort-pending is no longer needed: what a run had read and not loaded is read again by the next one."
)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What a command prints: log lines as text or JSON, its result as JSON, tracebacks or none."""

    log_format: Annotated[LogFormat, Option(help="json: one JSON object a line, result and errors included.")] = "text"
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON on standard output.")] = False
    debug: Annotated[bool, Option("--debug", help="Show the traceback of an error.")] = False
    command: str = ""  # which one prints

    @property
    def one_line(self) -> bool:
        """True when even the result is one line of JSON."""
        return self.log_format == "json"


def run_options(
    output: OutputOptions,
    *,
    destination: Annotated[
        str, Option(metavar="NAME", help="Where to: duckdb, postgres, ducklake, snowflake, bigquery …")
    ] = "duckdb",
    dataset: Annotated[str, Option(metavar="NAME", help="Schema of the tables there.")] = "loop_returns",
    marts_dataset: Annotated[
        str | None, Option(metavar="NAME", help="Schema of the marts; without it that of the tables.")
    ] = None,
    database: Annotated[
        str | None, Option(metavar="PATH", help="DuckDB: the file; without it the configured one, or loop.duckdb here.")
    ] = None,
    only: Annotated[str | None, Option(metavar="NAMES", help="Only these, by commas; `check` lists what there is.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show the planned requests; ask and load nothing.")] = False,
    abort_pending: Annotated[
        bool, Option("--abort-pending", help="No longer needed: a load that was cut off is read again.")
    ] = False,
    allow_deletions: Annotated[
        bool, Option("--allow-deletions", help="Mark rows that Loop no longer has, however many they are.")
    ] = False,
    publish: Annotated[
        str | None, Option(metavar="PLACE", help="Copy for readers: a DuckDB file, or Parquet files to folder/ or s3://….")
    ] = None,
    wait: Annotated[
        float, Option(metavar="SECONDS", min=0, help="Wait so long for another run on this warehouse to end.")
    ] = 0,
) -> "Options":
    """The options of a run. Raises ConfigurationError when `only` names what cannot be synced."""
    from loop_returns.cli.arguments import resources_of
    from loop_returns.runs.session import Options

    _set_up_log_of_dlt(output)
    for note in (*open_secrets(), *([_NO_LONGER] if abort_pending else [])):
        make_progress(output.log_format).note(note)
    chosen = resources_of(only)
    return Options(
        destination, dataset, database, chosen, dry_run, publish, allow_deletions, wait, marts_dataset=marts_dataset
    )


def settings_for(options: "Options", *, need_key: bool = True) -> "Settings":
    """The settings of this folder and environment; raises what `load` raises."""
    from loop_returns.settings import load

    return load(need_key=need_key, publish=options.publish)


def _set_up_log_of_dlt(output: OutputOptions) -> None:
    """Switches dlt's log off unless its level is set: errors are raised, and reported by the runner."""
    import dlt

    with suppress(Exception):  # a broken file: `load` reports it
        if not output.debug and dlt.config.get("runtime.log_level") is None:
            dlt.config["runtime.log_level"] = "CRITICAL"
        apply_log_level()
    if output.one_line:
        for handler in logging.getLogger("dlt").handlers:
            handler.setFormatter(_Event())


class _Event(logging.Formatter):
    """Makes an event of a line that a library logs."""

    def format(self, record: logging.LogRecord) -> str:
        return json_line("log", level=record.levelname.lower(), text=super().format(record))


TARGET: Final = ("destination", "dataset", "marts_dataset", "database")
READING: Final = (*TARGET, "only", "dry_run", "allow_deletions", "abort_pending", "publish", "wait")
OUTPUT: Final = inspect.signature(OutputOptions).parameters
SHARED: Final = {**inspect.signature(run_options).parameters, **OUTPUT}
