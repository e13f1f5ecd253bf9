"""The commands: their options, their help, and what they do. What takes long to import is imported when one runs."""
# ruff: noqa: D301 # a \b in a docstring keeps typer from wrapping the lines after it

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option, Typer, echo

from loop_returns import __version__
from loop_returns.cli.console import show_as_json, show_findings, show_plan, show_status, show_text
from loop_returns.cli.options import READING, TARGET, OutputOptions, settings_for
from loop_returns.cli.runner import command, run_with_progress

if TYPE_CHECKING:
    from loop_returns.runs.session import Options

REPORT = Path("loop_returns_report.html")
CODES = """\b
Exit codes:
  0   done, also when nothing had changed
  1   failed; the next run repairs it
  2   you must change something: key, scope, option, date, a place that cannot be written
  3   done, but a check of the data failed, many rows were missing, or reconcile found differences
  75  another run is at work on this warehouse; nothing was done
  130 interrupted by Ctrl-C or SIGTERM; the next run goes on from there
"""

app = Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers in half the time and reads well in logs and pagers
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        echo(f"loop-returns {__version__}")
        raise Exit


@app.callback(epilog=CODES)
def root(
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
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
    """


@command(app, "Bring the warehouse up to date with the shop.", *READING, "as_json")
def sync(
    options: "Options",
    output: OutputOptions,
    *,
    until: Annotated[str | None, Option(metavar="DATE", help="Read returns that were updated up to then, UTC.")] = None,
) -> int:
    """Bring the warehouse up to date: everything the first time, then what changed.

    Safe to run as often as you like, from cron or CI: runs on one warehouse exclude each other, a killed run is
    finished by the next one, and nothing is loaded twice.

    \b
    Examples:
      loop-returns sync
      loop-returns sync --only returns --json
      loop-returns sync --destination postgres --dataset loop --log-format json
      loop-returns sync --publish loop_read.duckdb     # readers never block the sync
      loop-returns sync --publish s3://bucket/loop     # all tables and marts as Parquet files
      loop-returns sync --wait 600 --until 2026-11-01T06:00:00Z --json     # from an orchestrator
    """
    from loop_returns.cli.arguments import moment_of
    from loop_returns.runs import sync as runs

    options = replace(options, until=None if until is None else moment_of("--until", until))

    settings = settings_for(options, need_key=not options.dry_run)
    if options.dry_run:
        return show_plan(runs.plan(settings, options), settings.requests_per_minute, output)
    return run_with_progress(output, runs.sync, settings, options)


@command(app, "Read a range of days again; the sync is not touched.", *READING, "as_json")
def backfill(
    options: "Options",
    output: OutputOptions,
    *,
    start: Annotated[str, Option("--from", metavar="DATE", help="First day, or moment, in UTC.")],
    end: Annotated[str, Option("--to", metavar="DATE", help="Last day, whole, or last moment, in UTC.")],
    newest_first: Annotated[bool, Option("--newest-first", help="Begin with the newest returns.")] = False,
    restart: Annotated[
        bool, Option("--restart/--resume", help="Read windows again that are done already, or go on after them.")
    ] = False,
) -> int:
    """Read everything again that was submitted from one day to another.

    The sync goes on from where it was. A backfill that was killed goes on when the same command is run again.

    \b
    Dates: 2024-01-31 · 2024-01-31T10:00:00Z · "2024-01-31 10:00" · 2024-01-31T10:00:00+02:00

    \b
    Examples:
      loop-returns backfill --from 2024-01-01 --to 2024-12-31
      loop-returns backfill --from 2019-01-01 --to 2026-10-31 --newest-first
      loop-returns backfill --from 2024-01-01 --to 2024-03-31 --dry-run
    """
    from loop_returns.cli.arguments import range_of
    from loop_returns.runs import backfill as runs

    first, last = range_of(start, end)
    settings = settings_for(options, need_key=not options.dry_run)
    if options.dry_run:
        return show_plan(runs.plan(settings, options, start=first, end=last), settings.requests_per_minute, output)
    return run_with_progress(
        output, runs.backfill, settings, options, start=first, end=last, newest_first=newest_first, restart=restart
    )


@command(
    app, "Compare value by value, repair, report differences.", *TARGET, "allow_deletions", "publish", "wait", "as_json"
)
def reconcile(
    options: "Options",
    output: OutputOptions,
    *,
    days: Annotated[int, Option(min=1, max=10_000, help="Returns submitted in so many last days.")] = 30,
    dry_run: Annotated[bool, Option("--dry-run", help="Report differences; repair nothing.")] = False,
) -> int:
    """Compare the warehouse with the shop, value by value, and repair what differs.

    Finds what no cursor can: rows that changed without a new timestamp, rows that are missing, returns that Loop
    no longer has (they get `_deleted_at`; no row is ever removed). Differences make the exit code 3.

    \b
    Examples:
      loop-returns reconcile                  # the last 30 days
      loop-returns reconcile --days 400
      loop-returns reconcile --dry-run --json
    """
    from loop_returns.runs.reconcile import reconcile as compare

    return run_with_progress(output, compare, settings_for(options), replace(options, dry_run=dry_run), days=days)


@command(app, "See whether a sync would work.", *TARGET, "wait", "as_json")
def check(options: "Options", output: OutputOptions) -> int:
    """See whether a sync would work: key, scopes, Loop, and the right to write to the warehouse.

    Sends two or three small requests, and makes and drops one small table. With pii = "hash" it looks at pii_key, and
    prints a fresh one where there is none.

    \b
    Examples:
      loop-returns check
      loop-returns check --destination postgres --dataset loop
    """
    from loop_returns.runs import check as runs

    findings = runs.check(settings_for(options), options)
    return show_findings(findings, runs.worst(findings), output)


@command(app, "Show what the warehouse has and how fresh it is.", *TARGET, "as_json")
def status(options: "Options", output: OutputOptions) -> int:
    """Show what the warehouse has and how fresh it is, without asking Loop.

    \b
    Examples:
      loop-returns status
      loop-returns status --json | jq .age_seconds
    """
    from loop_returns.runs.status import status as read_status

    return show_status(read_status(settings_for(options, need_key=False), options), output)


@command(app, "Write a page with the answers that merchants ask for first.", *TARGET)
def report(
    options: "Options",
    output: OutputOptions,
    *,
    file: Annotated[Path, Option("--output", metavar="FILE", help="Where to write the page.")] = REPORT,
    days: Annotated[int, Option(min=1, max=10_000, help="Returns submitted in so many last days.")] = 731,
    show: Annotated[bool, Option("--open", help="Open the page in a browser.")] = False,
) -> int:
    """Write one HTML page with what merchants ask first, from the marts: no network, no server, no personal data.

    Outcomes by week, retained revenue, reasons, products, carriers, what will arrive when, what waits, and whether the
    numbers can be trusted. Shop, currency and dates are chosen in the page.

    Needs the extra `report`: pip install 'loop-returns[report]'

    \b
    Examples:
      loop-returns report
      loop-returns report --open
      loop-returns report --output /srv/www/returns.html --destination postgres
    """
    from loop_returns.report import write_report

    path = write_report(options.target(), output=file, days=days)
    if not show_as_json({"report": str(path)}, output):
        show_text(f"The report is in {path}")
    if show:
        webbrowser.open(path.as_uri())
    return 0
