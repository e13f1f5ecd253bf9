"""The console script `loop-returns`: words in, exit code out. Nothing heavy is imported before a command is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from loop_returns import __version__
from loop_returns.cli_looking import check, status
from loop_returns.cli_options import (
    AbortPending,
    Dataset,
    Debug,
    Destination,
    DryRun,
    Format,
    Json,
    LogFormat,
    Only,
    Publish,
    end_with,
)
from loop_returns.cli_report import report
from loop_returns.cli_sandbox import demo, sandbox
from loop_returns.shell import refused

if TYPE_CHECKING:
    from loop_returns.shell import Voice

CODES = """\b
Exit codes:
  0   done, also when nothing had changed
  1   failed; the next run repairs it
  2   you must change something: key, scope, option, date
  3   done, but a check of the data failed or reconcile found differences
  75  another run is at work on this warehouse
"""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers in half the time and reads well in logs and pagers
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """The entry point of the console script; ends the process with the exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command that the arguments name; returns the exit code."""
    try:
        code = app(arguments, prog_name="loop-returns", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # before a command had begun
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of typer's usage errors, whose class has no public name
            raise
        if not error.format_message():  # no command at all: the help has been shown
            return 2
        return refused(f"{error.format_message()} See `loop-returns --help`.", arguments=arguments)
    return int(code or 0)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"loop-returns {__version__}")
        raise typer.Exit


@app.callback(epilog=CODES)
def root(
    version: Annotated[  # its callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Mirror a Loop Returns shop into a data warehouse, completely, and prove it.

    \b
    Begin without a key:   loop-returns demo
    With a key:            export SOURCES__LOOP_RETURNS__API_KEY=…
                           loop-returns check
                           loop-returns sync

    A run goes into loop.duckdb in the current folder unless --destination says otherwise. Settings stand in
    .dlt/config.toml, secrets in .dlt/secrets.toml, and each can be set in the environment as
    SOURCES__LOOP_RETURNS__<NAME>.
    """  # noqa: D301 # \b keeps typer from wrapping the lines


@app.command(short_help="Bring the warehouse up to date with the shop.")
def sync(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    only: Only = None,
    dry_run: DryRun = False,
    abort_pending: AbortPending = False,
    publish: Publish = None,
    as_json: Json = False,
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Bring the warehouse up to date: everything the first time, then what changed.

    Safe to run as often as you like, from cron or CI: runs on one warehouse exclude each other, a killed run is
    finished by the next one, and nothing is loaded twice.

    \b
    Examples:
      loop-returns sync
      loop-returns sync --only returns --json
      loop-returns sync --destination postgres --dataset loop --log-format json
      loop-returns sync --publish loop_read.duckdb     # readers never block the sync
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns import commands
        from loop_returns.runs.session import Options
        from loop_returns.words import resources_of

        chosen = resources_of(only)
        options = Options(destination, dataset, only=chosen, dry_run=dry_run, abort_pending=abort_pending, publish=publish)
        return commands.sync(options, voice)

    raise end_with(work, log_format=log_format, debug=debug, as_json=as_json)


@app.command(short_help="Read a range of days again; the sync is not touched.")
def backfill(
    *,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="First day, or moment, in UTC.")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, whole, or last moment, in UTC.")],
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Begin with the newest returns.")] = False,
    restart: Annotated[
        bool,
        typer.Option("--restart/--resume", help="Read windows again that are done already, or go on after them."),
    ] = False,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    only: Only = None,
    dry_run: DryRun = False,
    abort_pending: AbortPending = False,
    publish: Publish = None,
    as_json: Json = False,
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Read everything again that was submitted from one day to another.

    The sync goes on from where it was. A backfill that was killed goes on when the same command is run again.

    \b
    Dates: 2024-01-31 · 2024-01-31T10:00:00Z · "2024-01-31 10:00" · 2024-01-31T10:00:00+02:00

    \b
    Examples:
      loop-returns backfill --from 2024-01-01 --to 2024-12-31
      loop-returns backfill --from 2019-01-01 --to 2026-10-31 --newest-first
      loop-returns backfill --from 2024-01-01 --to 2024-03-31 --dry-run
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns.words import range_of, resources_of

        first, last = range_of(start, end)
        chosen = resources_of(only)
        from loop_returns import commands
        from loop_returns.runs.session import Options

        options = Options(destination, dataset, only=chosen, dry_run=dry_run, abort_pending=abort_pending, publish=publish)
        return commands.backfill(options, voice, start=first, end=last, newest_first=newest_first, restart=restart)

    raise end_with(work, log_format=log_format, debug=debug, as_json=as_json)


@app.command(short_help="Compare value by value, repair, report differences.")
def reconcile(
    *,
    days: Annotated[int, typer.Option(min=1, help="Returns submitted in so many last days.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report differences; repair nothing.")] = False,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    publish: Publish = None,
    as_json: Json = False,
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Compare the warehouse with the shop, value by value, and repair what differs.

    Finds what no cursor can: rows that changed without a new timestamp, rows that are missing, returns that Loop
    no longer has (they get `_deleted_at`; no row is ever removed). Differences make the exit code 3.

    \b
    Examples:
      loop-returns reconcile                  # the last 30 days
      loop-returns reconcile --days 400
      loop-returns reconcile --dry-run --json
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns import commands
        from loop_returns.runs.session import Options

        options = Options(destination, dataset, dry_run=dry_run, publish=publish)
        return commands.reconcile(options, voice, days=days)

    raise end_with(work, log_format=log_format, debug=debug, as_json=as_json)


app.command(short_help="See whether a sync would work.")(check)
app.command(short_help="Show what the warehouse has and how fresh it is.")(status)
app.command(short_help="Write a page with the answers that merchants ask for first.")(report)
app.command(short_help="See it all work, without a key, in under a minute.")(demo)
app.command(short_help="Serve an invented shop, for trying things out.")(sandbox)
