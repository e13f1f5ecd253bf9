"""Shows results on standard output: tables for people, JSON for programs.

On a terminal tables have rules and colours; elsewhere they are plain text in aligned columns that never wrap.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from loop_returns.cli.progress import json_line
from loop_returns.runs.progress import counted, duration

if TYPE_CHECKING:
    from rich.console import Console

    from loop_returns.cli.options import OutputOptions
    from loop_returns.extract.planning import PlannedRequest
    from loop_returns.runs.check import Finding
    from loop_returns.runs.ledger import Run
    from loop_returns.runs.status import Status

_LOG_WIDTH: Final = 100_000  # columns outside a terminal: lines of a log never wrap
_LOOKS_NUMERIC: Final = re.compile(r"-?[\d,]*\.?[\d,]*\d|-")
_OUTCOMES: Final = {  # in words and colour
    "done": ("done", "green"),
    "drift": ("done, and it found differences", "yellow"),
    "check_failed": ("loaded, but a check of the data failed", "yellow"),
}
_EXTRA_REQUESTS: Final = {"retries": "repeated", "too_many_requests": "answered 429", "edge_checks": "to look at page edges"}


def show_run(run: "Run", output: "OutputOptions") -> None:
    """Prints what a run did: `Run.record()` as JSON, or a short table."""
    record = run.record()
    if show_as_json(record, output):
        return
    outcome, style = _OUTCOMES.get(run.outcome, (run.outcome, "red"))
    show_text(f"{run.command} · {outcome}", style=f"bold {style}")
    new, changed = record["rows_new"], record["rows_changed"]
    tables = [name for name in dict.fromkeys((*new, *changed)) if new.get(name) or changed.get(name)]
    if tables:
        rows = [(name, f"{new.get(name, 0):,}", f"{changed.get(name, 0):,}") for name in tables]
        show_table(("table", "new", "changed"), rows)
    show_facts([*([] if tables else [("rows", "nothing new")]), *_run_facts(run, record), *_run_lists(record)])


def _run_facts(run: "Run", record: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "unchanged", counted(record["unchanged"], "row")
    if record["older_copies"]:
        yield "left out", f"{counted(record['older_copies'], 'copy', plural='copies')} older than what the warehouse has"
    extra = [f"{record[name]:,} {words}" for name, words in _EXTRA_REQUESTS.items() if record[name]]
    yield "requests", ", ".join((f"{record['requests']:,}", *extra))
    yield "windows", f"{record['windows']:,}"
    yield "time", duration(run.seconds)
    if run.cursor_after is not None and run.cursor_after == run.cursor_before:
        yield "cursor", f"{format_moment(run.cursor_after)}, as before"
    elif run.cursor_after is not None:
        yield "cursor", f"{format_moment(run.cursor_before)} → {format_moment(run.cursor_after)}"


def _run_lists(record: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    drift = {
        table: ", ".join(f"{count:,} {name}" for name, count in counts.items()) for table, counts in record["drift"].items()
    }
    lists = {
        "undeclared columns": record["new_columns"],
        "differences": [f"{table}: {counts}" for table, counts in drift.items()],
        "failed checks": [f"{one['severity']}: {one['message']}" for one in record["checks"] if one.get("failed")],
        "notices": record["notices"],
    }
    for title, lines in lists.items():
        yield from zip([title] + [""] * len(lines), lines, strict=False)  # the title stands on the first line


def show_plan(planned: "Sequence[PlannedRequest]", per_minute: int, output: "OutputOptions") -> int:
    """Prints the requests of a plan and how long they take at so many `per_minute`; returns 0."""
    requests = [asdict(one) for one in planned]
    if not show_as_json({"least_requests": len(requests), "requests": requests}, output):
        rows = [(one.method, one.path, " ".join(f"{k}={v}" for k, v in one.params.items()), one.note) for one in planned]
        show_table(("method", "path", "parameters", ""), rows)
        show_text(
            f"At least {counted(len(planned), 'request')} (full pages lead to more), "
            f"{duration(len(planned) / per_minute * 60)} at {per_minute} a minute. Nothing was asked or loaded."
        )
    return 0


def show_findings(findings: "Sequence[Finding]", code: int, output: "OutputOptions") -> int:
    """Prints what `check` found; returns `code`, the exit code that this means."""
    records = [{**asdict(one), "is_well": one.is_well} for one in findings]
    if not show_as_json({"exit_code": code, "findings": records}, output):
        show_facts(("ok" if one.is_well else "TROUBLE", f"{one.subject}: {one.message}") for one in findings)
        show_text("All is well." if code == 0 else "Not all is well: see above for what to do.")
    return code


def show_status(current: "Status", output: "OutputOptions") -> int:
    """Prints what the warehouse has; returns 0."""
    if show_as_json(current.record(), output):
        return 0
    show_text(f"{current.location} · {current.dataset} · shop {current.shop}", style="bold")
    if current.is_empty and current.working is None:
        show_text("Nothing synced yet.")
    elif current.tables:
        rows = [(one.table, f"{one.rows:,}", f"{one.deleted:,}", format_moment(one.newest)) for one in current.tables]
        show_table(("table", "rows", "deleted", "newest"), rows)
    show_facts(_status_facts(current))
    return 0


def _status_facts(current: "Status") -> Iterable[tuple[str, str]]:
    if current.cursor is not None:
        yield "cursor", format_moment(current.cursor)
    if current.last_success is not None and current.age_seconds is not None:
        stale = "; that is long ago" if current.is_stale else ""
        when = format_moment(current.last_success["started_at"])
        yield "last good sync", f"{when}, {duration(current.age_seconds)} ago{stale}"
    if current.last_run is not None:
        yield from _last_run_facts(current.last_run)
    if current.personal_data is not None:
        yield "personal data", current.personal_data
    for name, done in current.backfills.items():
        yield "unfinished", f"backfill {name} ({counted(done, 'window')} done): run the same backfill again to go on"
    if current.working is not None:
        working = current.working
        yield "at work now", f"{working['command']}, process {working['pid']}, since {format_moment(working['started'])}"
    if current.advice is not None:
        yield "next", current.advice


def _last_run_facts(last: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    outcome = _OUTCOMES.get(last["outcome"], (last["outcome"], ""))[0]
    code = f" (exit code {last['exit_code']})" if last["exit_code"] else ""
    yield "last run", f"{last['command']} at {format_moment(last['started_at'])}: {outcome}{code}"
    new, changed = (sum((last[name] or {}).values()) for name in ("rows_new", "rows_changed"))
    yield "", f"{new:,} rows new, {changed:,} changed, {last['requests'] or 0:,} requests"
    yield from (("", one["message"]) for one in last["checks"] or () if one.get("failed"))
    if last["error_message"]:
        yield "", str(last["error_message"])


def format_moment(moment: datetime | str | None) -> str:
    """A moment, or ISO text of one, for people, in UTC; `-` where there is none."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def show_as_json(value: Mapping[str, Any], output: "OutputOptions", *, event: str = "result") -> bool:
    """Prints an object as JSON, indented, or as an event on one line in JSON logs; returns whether JSON was asked for."""
    if output.one_line:
        show_line(json_line(event, **{"command": output.command, **value}))
    elif output.as_json:
        show_line(json.dumps(value, ensure_ascii=False, default=str, indent=2))
    return output.as_json or output.one_line


def show_line(text: str) -> None:
    """Prints a line on standard output as it is."""
    try:
        print(text, flush=True)  # noqa: T201 # results go to standard output
    except BrokenPipeError:
        discard(sys.stdout)


def discard(*streams: TextIO) -> None:
    """Throws away what is written from now on: the reader has closed the pipe, as `| head` does, and wants no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def show_text(text: str, *, style: str | None = None) -> None:
    """Prints a paragraph as it is."""
    _console().print(text, style=style)


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Prints names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    grid, console = Table.grid(padding=(0, 2)), _console()
    for name, value in facts:
        grid.add_row(Text(f"  {name}", style="dim"), value)
    with console.capture() as lines:
        console.print(grid)
    for line in lines.get().removesuffix("\n").split("\n") if grid.row_count else ():
        show_line(line.rstrip())  # a grid fills every line up to the length of the longest


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; columns that hold only numbers are aligned right."""
    from rich import box
    from rich.table import Table

    console = _console()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=True, show_edge=False)
    for place, name in enumerate(columns):
        numbers = bool(rows) and all(_LOOKS_NUMERIC.fullmatch(row[place]) for row in rows)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _console() -> "Console":
    """A new one for each use, because tests replace standard output."""
    from rich.console import Console  # slow to import, and not needed for help and logs

    class Forgiving(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process with 1, whatever the command found
            discard(sys.stdout)

    console = Forgiving(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Forgiving(highlight=False, markup=False, emoji=False, width=_LOG_WIDTH)
