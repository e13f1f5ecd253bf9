"""Says what a run is doing: a live line on a terminal, plain lines in a log, JSON lines for machines.

All of it goes to standard error, so that standard output holds results only.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self

from loop_returns.runs.progress import Progress, Silent, counted, duration

LogFormat = Literal["text", "json"]
_ENOUGH_WINDOWS: Final = 2  # that must be done before the time left is estimated from them
_FULL_PAGE: Final = 750  # rows: to read them takes about as long as a request, and to load them too
_MINUTE: Final = 60
_LONG_WAIT: Final = 2.0  # seconds from which a wait is worth a line
_AGAIN: Final = 5.0  # seconds before the same reason is said again: several threads wait for it


def make_progress(log_format: LogFormat = "text", *, quiet: bool = False) -> Progress:
    """The progress that fits the place where standard error goes."""
    if quiet:
        return Silent()
    if log_format == "json":
        return _Counts(write_as_event)
    # on the terminals of these names rich draws nothing
    can_redraw = sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
    return _Counts(Bar() if can_redraw else write_as_line)


@dataclass
class _Counts:
    """The `Progress` that counts how far the run is. `show` gets each event, and the window's label or the text.

    The time left is estimated from the requests and rows of the latest windows; empty windows before the first row tell
    nothing, and are most windows of a first sync.
    """

    show: Callable[[str, Self, str], None]
    clock: Callable[[], float] = time.monotonic
    what: str = ""
    phase: str = "connecting"
    total: int = 0  # windows
    done: int = 0  # windows that are read
    landed: int = 0  # windows whose rows are in the warehouse, too
    returns: int = 0
    written: int = 0  # of the returns: what the last line told
    left: int | None = None  # requests
    per_minute: int = 0  # requests that are allowed
    _read: tuple[int, int] = (0, 0)  # requests and rows
    _to_load: int = 0  # rows
    _ends: list[tuple[int, int]] = field(default_factory=list)  # `_read` at the end of each window, from the first row on
    _said: dict[str, float] = field(default_factory=dict)  # reason of a wait -> when it was said last

    def __post_init__(self) -> None:
        self.began = self._reading_began = self.clock()

    def begin(self, what: str, windows: int, *, per_minute: int) -> None:
        self.what, self.phase = what, f"reading {what}"
        self.total, self.done, self.landed, self.per_minute = windows, 0, 0, per_minute
        self._read, self._to_load, self._ends = (0, 0), 0, []
        self._reading_began = self.clock()
        self.show("windows", self, "")

    def answered(self, *, rows: int, returns: int, left: int) -> None:
        self.phase = f"reading {self.what}"
        if rows and not self._ends:
            self._ends.append(self._read)
        self._read = self._read[0] + 1, self._read[1] + rows
        self._to_load += rows
        self.returns += returns
        self.left = left
        self.show("answered", self, "")

    def window_done(self, label: str) -> None:
        self.done += 1
        if self._ends:
            self._ends.append(self._read)
        self.show("window_done", self, label)

    def doing(self, what: str) -> None:
        self.phase = what
        self.show("phase", self, what)

    def loaded(self) -> None:
        self.landed, self._to_load = self.done, 0
        self.phase = f"reading {self.what}"
        self.show("loaded", self, "")

    def waiting(self, seconds: float, reason: str) -> None:
        now = self.clock()
        if seconds < _LONG_WAIT:
            return
        self.phase = f"waiting until {datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S} UTC: {reason}"
        if now - self._said.get(reason, now - _AGAIN) >= _AGAIN:
            self._said[reason] = now
            self.show("waiting", self, self.phase)

    def note(self, text: str) -> None:
        self.show("note", self, text)

    def close(self) -> None:
        self.show("close", self, "")

    def seconds(self) -> float:
        """How long the run has been at work."""
        return self.clock() - self.began

    def seconds_left(self) -> float | None:
        """Until what is being read is loaded, if the windows to come are like the latest; None where that tells nothing."""
        windows = min(len(self._ends) - 1, max(_ENOUGH_WINDOWS, self.done // 5))
        if windows < _ENOUGH_WINDOWS or (self.done == self.total and not self._to_load):
            return None
        to_come = (self.total - self.done) / windows
        requests, rows = ((self._read[n] - self._ends[-1 - windows][n]) * to_come for n in (0, 1))
        to_load = self._to_load / _FULL_PAGE
        done = self._read[0] + 2 * self._read[1] / _FULL_PAGE - to_load
        seconds = (self.clock() - self._reading_began) / max(done, 1) * (requests + 2 * rows / _FULL_PAGE + to_load)
        minutes = math.ceil((requests - (self.left or 0)) / self.per_minute)  # to wait for, as Loop counts requests
        return max(seconds, _MINUTE * minutes - self.seconds() % _MINUTE)

    def text(self) -> str:
        """What the run does, the time gone and left, returns and requests, in words; a narrow terminal cuts off the end."""
        parts = [self.phase, f"{duration(self.seconds())} gone"]
        if (seconds := self.seconds_left()) is not None:
            parts.append(f"about {duration(seconds)} to go")
        parts.append(counted(self.returns, "return"))
        if self.left is not None:
            parts.append(f"{counted(self.left, 'request')} left this minute")
        return " · ".join(parts)


def write_as_line(event: str, counts: _Counts, text: str) -> None:
    """A line for each window that had returns, each phase, long wait and note, for logs."""
    if event == "window_done" and counts.returns > counts.written:
        counts.written = counts.returns
        _write(f"{counts.done} of {counted(counts.total, 'window')} · {text} · {counts.text()}")
    elif event in {"phase", "waiting"}:
        _write(f"{text[:1].upper()}{text[1:]}.")
    elif event == "note":
        _write(text)


def write_as_event(event: str, counts: _Counts, text: str) -> None:
    """One JSON object a line: `at`, `event` and what belongs to it."""
    if event == "windows":
        write_event(event, of=counts.what, total=counts.total)
    elif event in {"note", "phase", "waiting"}:
        write_event(event, text=text)
    elif event == "window_done":
        left = counts.seconds_left()
        write_event(
            event,
            window=text,
            done=counts.done,
            total=counts.total,
            returns=counts.returns,
            returns_per_second=round(counts.returns / max(counts.seconds(), 0.001), 1),
            requests_left=counts.left,
            seconds=round(counts.seconds()),
            seconds_left=None if left is None else round(left),
        )


class Bar:
    """A bar that is redrawn in place, several times a second; notes and long waits stay above it."""

    def __init__(self) -> None:
        from rich.console import Console  # slow to import, and not needed for logs
        from rich.progress import BarColumn, Progress, ProgressColumn, Task
        from rich.text import Text

        class Words(ProgressColumn):
            def render(self, task: Task) -> Text:  # noqa: ARG002 # asked for at each redrawing, so that time goes on
                return Text("" if bar.counts is None else bar.counts.text(), no_wrap=True, overflow="ellipsis")

        bar = self
        self.counts: _Counts | None = None
        self._bar = Progress(BarColumn(16), Words(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("")

    def __call__(self, event: str, counts: _Counts, text: str) -> None:
        """Draws the bar, prints a line above it, or removes it; a window counts half when read and half when loaded."""
        self.counts = counts
        if event in {"note", "waiting"}:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif event == "close":
            self._bar.stop()
        else:
            self._bar.start()
            self._bar.update(self._task, total=2 * counts.total or None, completed=counts.done + counts.landed)


def write_event(event: str, **fields: object) -> None:
    """Writes one JSON line to standard error."""
    _write(json_line(event, **fields))


def json_line(event: str, **fields: object) -> str:
    """A line of JSON, on whichever stream: `at`, `event` and what belongs to it."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    return json.dumps(line, ensure_ascii=False, default=str)


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 # progress and errors go to standard error
