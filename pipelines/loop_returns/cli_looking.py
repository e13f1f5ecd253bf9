"""The commands that look and change nothing: `check` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.cli_options import Dataset, Debug, Destination, Format, Json, LogFormat, end_with

if TYPE_CHECKING:
    from loop_returns.shell import Voice


def check(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    as_json: Json = False,
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """See whether a sync would work: key, scopes, Loop, and the right to write to the warehouse.

    Sends two small requests, and makes and drops one small table.

    \b
    Examples:
      loop-returns check
      loop-returns check --destination postgres --dataset loop
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns import commands
        from loop_returns.runs.session import Options

        return commands.check(Options(destination, dataset), voice)

    raise end_with(work, log_format=log_format, debug=debug, as_json=as_json)


def status(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    as_json: Json = False,
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Show what the warehouse has and how fresh it is, without asking Loop.

    \b
    Examples:
      loop-returns status
      loop-returns status --json | jq .age_seconds
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns import commands
        from loop_returns.runs.session import Options

        return commands.status(Options(destination, dataset), voice)

    raise end_with(work, log_format=log_format, debug=debug, as_json=as_json)
