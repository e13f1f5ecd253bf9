"""Shows results on standard output: tables for people, JSON for programs.

On a terminal tables have rules and colours; elsewhere they are plain text in aligned columns that never wrap.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loop_returns.runs.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loop_returns.runs.ledger import Run

_WIDE: Final = 1000  # columns where there is no terminal whose width would count
_STYLES: Final = {"done": "green", "drift": "yellow", "check_failed": "yellow"}
_SAID: Final = {
    "done": "done",
    "drift": "done, and it found differences",
    "check_failed": "loaded, but a check of the data failed",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "running",
    "killed": "killed",
}


def show_run(run: Run, *, as_json: bool = False, one_line: bool = False) -> None:
    """Prints what a run did: `Run.record()` as JSON, or a short table."""
    if as_json or one_line:
        show_json(run.record(), one_line=one_line)
        return
    record = run.record()
    show_title(f"{run.command} · {_SAID.get(run.outcome, run.outcome)}", style=_STYLES.get(run.outcome, "red"))
    rows = list(_changes(record))
    if rows:
        show_table(("table", "new", "changed"), rows)
    lists = (pair for title, lines in _lists(record) for pair in as_facts(title, lines))
    show_facts([*_facts(run, record), *lists])


def _changes(record: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    new, changed = record["rows_new"], record["rows_changed"]
    for table in dict.fromkeys((*new, *changed)):
        if new.get(table) or changed.get(table):
            yield table, f"{new.get(table, 0):,}", f"{changed.get(table, 0):,}"


def _facts(run: Run, record: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if not any(record["rows_new"].values()) and not any(record["rows_changed"].values()):
        yield "rows", "nothing new"
    yield "unchanged", f"{record['unchanged']:,} rows"
    if record["older_copies"]:
        yield "left out", f"{record['older_copies']:,} copies older than what the warehouse has"
    extra = [f"{record[name]:,} {said}" for name, said in _TROUBLE if record[name]]
    yield "requests", ", ".join((f"{record['requests']:,}", *extra))
    yield "windows", f"{record['windows']:,}"
    yield "time", duration(run.seconds)
    if run.cursor_after is not None and run.cursor_after == run.cursor_before:
        yield "cursor", f"{when(run.cursor_after)}, as before"
    elif run.cursor_after is not None:
        yield "cursor", f"{when(run.cursor_before)} → {when(run.cursor_after)}"


_TROUBLE: Final = (
    ("retries", "repeated"),
    ("too_many_requests", "answered 429"),
    ("edge_checks", "to look at page edges"),
)


def _lists(record: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    yield "undeclared columns", list(record["new_columns"])
    drift = record["drift"]
    yield "differences", [f"{table}: {_counts(found)}" for table, found in drift.items() if any(found.values())]
    failed = [check for check in record["checks"] if check.get("failed")]
    yield "failed checks", [f"{one['severity']}: {one['message']}" for one in failed]
    yield "notices", list(record["notices"])


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in found.items() if count)


def when(moment: datetime | None) -> str:
    """A moment for people, in UTC; `-` where there is none."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def show_json(value: object, *, one_line: bool = False) -> None:
    """Prints a value as JSON, in one line or for the eye."""
    text = json.dumps(value, ensure_ascii=False, default=str, indent=None if one_line else 2)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_title(text: str, *, style: str = "bold") -> None:
    """Prints a heading."""
    _console().print(Text(text, style=f"bold {style}" if style != "bold" else style))


def show_text(text: str) -> None:
    """Prints a paragraph as it is."""
    _console().print(Text(text))


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Prints names and values in two columns."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(Text(f"  {name}", style="dim"), Text(value))
    if grid.row_count:
        _console().print(grid)


def as_facts(title: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """A list for `show_facts`, titled on its first line."""
    return [(title if number == 0 else "", line) for number, line in enumerate(lines)]


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; columns whose values all look like numbers are set right."""
    console = _console()
    cells = [tuple(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=True, show_edge=False)
    for place, name in enumerate(columns):
        numbers = bool(cells) and all(_is_number(row[place]) for row in cells)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).lstrip("-").isdigit() or cell == "-"


def _console() -> Console:
    """Made anew for each use, because tests and demos exchange standard output."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)
