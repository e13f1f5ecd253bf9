"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from loop_returns.shell import Voice, guarded

if TYPE_CHECKING:
    from collections.abc import Callable


class LogFormat(StrEnum):
    """The values of --log-format."""

    TEXT = "text"
    JSON = "json"


Destination = Annotated[
    str, typer.Option(metavar="NAME", help="Where to: duckdb, postgres, snowflake … any dlt destination that can merge.")
]
Dataset = Annotated[str, typer.Option(metavar="NAME", help="Schema of the tables there.")]
Format = Annotated[LogFormat, typer.Option(help="json: one JSON object a line, result and errors included.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Only = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Only these: returns, advanced_shipping_notices; by commas.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the planned requests; ask and load nothing.")]
AbortPending = Annotated[
    bool, typer.Option("--abort-pending", help="Give up a load of an earlier run that can never succeed; read it again.")
]
Publish = Annotated[
    str | None, typer.Option(metavar="PATH", help="DuckDB: afterwards put a copy for readers there, replaced whole.")
]


def end_with(work: Callable[[Voice], int], *, log_format: LogFormat, debug: bool, as_json: bool = False) -> typer.Exit:
    """Runs `work` and returns the exit that the command raises."""
    voice = Voice(log_format.value, as_json, debug)
    return typer.Exit(guarded(lambda: work(voice), voice))
