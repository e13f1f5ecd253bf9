"""Says what a run is doing: a live line on a terminal, plain lines in a log, JSON lines for machines.

All of it goes to standard error, so that standard output holds results only.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from loop_returns.runs.progress import Silent, duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.progress import Progress

LogFormat = Literal["text", "json"]
_ENOUGH_WINDOWS: Final = 2  # that must be done before the time left is estimated from them


def make_progress(log_format: LogFormat = "text", *, quiet: bool = False) -> Progress:
    """The progress that fits the place where standard error goes."""
    if quiet:
        return Silent()
    if log_format == "json":
        return _Counts(write_as_event)
    return _Counts(Bar() if sys.stderr.isatty() else write_line)


@dataclass
class _Counts:
    """The `Progress` that counts how far the run is. `show` gets each event, and the window's label or the note."""

    show: Callable[[str, _Counts, str], None]
    total: int = 0
    done: int = 0
    returns: int = 0
    left: int | None = None  # requests
    began: float = field(default_factory=time.monotonic)

    def windows(self, total: int) -> None:
        self.total += total
        self.show("windows", self, "")

    def window_done(self, label: str) -> None:
        self.done += 1
        self.show("window_done", self, label)

    def rows(self, returns: int) -> None:
        self.returns += returns
        self.show("rows", self, "")

    def note(self, text: str) -> None:
        self.show("note", self, text)

    def budget(self, left: int) -> None:
        self.left = left  # shown with the next event

    def close(self) -> None:
        self.show("close", self, "")

    def per_second(self) -> float:
        return self.returns / max(time.monotonic() - self.began, 0.001)

    def seconds_left(self) -> float | None:
        """Estimated from the windows that are done; None before there are enough of them."""
        if self.done < _ENOUGH_WINDOWS or self.done >= self.total:
            return None
        return (time.monotonic() - self.began) / self.done * (self.total - self.done)

    def text(self) -> str:
        """Returns, returns a second, requests left and time left, in words."""
        parts = [f"{self.returns:,} returns", f"{self.per_second():,.0f}/s"]
        if self.left is not None:
            parts.append(f"{self.left} requests left this minute")
        if (seconds := self.seconds_left()) is not None:
            parts.append(f"about {duration(seconds)} to go")
        return " · ".join(parts)


def write_line(event: str, counts: _Counts, text: str) -> None:
    """One line for each window and note, for logs."""
    if event == "window_done":
        _write(f"{counts.done} of {counts.total} windows · {text} · {counts.text()}")
    elif event == "note":
        _write(text)


def write_as_event(event: str, counts: _Counts, text: str) -> None:
    """One JSON object a line: `at`, `event` and what belongs to it."""
    if event == "windows":
        write_event(event, total=counts.total)
    elif event == "note":
        write_event(event, text=text)
    elif event == "window_done":
        seconds = counts.seconds_left()
        write_event(
            event,
            window=text,
            done=counts.done,
            total=counts.total,
            returns=counts.returns,
            returns_per_second=round(counts.per_second(), 1),
            requests_left=counts.left,
            seconds_left=None if seconds is None else round(seconds),
        )


class Bar:
    """A bar that is redrawn in place; notes stay above it."""

    def __init__(self) -> None:
        from rich.console import Console  # slow to import, and not needed for logs
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("windows"), MofNCompleteColumn(), BarColumn(24), TextColumn("{task.fields[words]}"))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", words="")

    def __call__(self, event: str, counts: _Counts, text: str) -> None:
        """Draws the bar, prints a note above it, or removes it."""
        if event == "note":
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif event == "close":
            self._bar.stop()
        else:
            self._bar.start()
            self._bar.update(self._task, total=counts.total, completed=counts.done, words=counts.text())


def write_event(event: str, **fields: object) -> None:
    """Writes one JSON line to standard error."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    _write(json.dumps(line, ensure_ascii=False, default=str))


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 # progress and errors go to standard error
