"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loop_returns.cli_options import Dataset, Debug, Destination, Format, LogFormat, end_with

if TYPE_CHECKING:
    from loop_returns.shell import Voice


def report(
    *,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="Where to write the page.")] = Path(
        "loop_returns_report.html"
    ),
    days: Annotated[int, typer.Option(min=1, max=10_000, help="Returns submitted in so many last days.")] = 731,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    destination: Destination = "duckdb",
    dataset: Dataset = "loop_returns",
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Write one HTML page with what merchants ask first, from the marts: no network, no server, no personal data.

    Outcomes by week, retained revenue, reasons, products, carriers, what will arrive when, what waits, and whether the
    numbers can be trusted. Shop, currency and dates are chosen in the page.

    \b
    Examples:
      loop-returns report
      loop-returns report --open
      loop-returns report --output /srv/www/returns.html --destination postgres
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns.report.command import report as write
        from loop_returns.runs.session import Options

        return write(Options(destination, dataset), voice, output=output, days=days, show=show)

    raise end_with(work, log_format=log_format, debug=debug)
