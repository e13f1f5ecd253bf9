"""Says what a run is doing: a live line on a terminal, plain lines in a log, JSON lines for machines.

All of it goes to standard error, so that standard output holds results only.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LogFormat = Literal["text", "json"]
_TELLING: Final = 2  # windows that must be done before their pace says anything about the rest
_MINUTE: Final = 60


class Progress(Protocol):
    """What a run reports while it works. Called from one thread."""

    def windows(self, total: int) -> None:
        """So many windows are to be read; a further call adds to them."""

    def window_done(self, label: str) -> None:
        """A window is read and loaded."""

    def rows(self, returns: int) -> None:
        """So many more returns have been read."""

    def note(self, text: str) -> None:
        """Something the operator may want to know."""

    def budget(self, left: int) -> None:
        """So many requests may still be sent in this minute."""

    def close(self) -> None:
        """The run is over. May be called twice."""


def make(log_format: LogFormat = "text", *, quiet: bool = False) -> Progress:
    """The progress that fits the place where standard error goes."""
    if quiet:
        return Silent()
    if log_format == "json":
        return JsonLines()
    return Live() if sys.stderr.isatty() else Lines()


@dataclass
class Counts:
    """How far the run is."""

    total: int = 0
    done: int = 0
    returns: int = 0
    left: int | None = None  # requests
    began: float = field(default_factory=time.monotonic)

    @property
    def a_second(self) -> float:
        """Returns read in a second, on average over the run."""
        return self.returns / max(time.monotonic() - self.began, 0.001)

    @property
    def seconds_left(self) -> float | None:
        """What the coming windows take if they are like those that are done; None while that says nothing."""
        if self.done < _TELLING or self.done >= self.total:
            return None
        return (time.monotonic() - self.began) / self.done * (self.total - self.done)

    def text(self) -> str:
        """Returns, pace, budget and time left, in words."""
        parts = [f"{self.returns:,} returns", f"{self.a_second:,.0f}/s"]
        if self.left is not None:
            parts.append(f"{self.left} requests left this minute")
        if (seconds := self.seconds_left) is not None:
            parts.append(f"about {duration(seconds)} to go")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as people say them: 8 s, 3 min, 2 h 5 min, 4 d 2 h."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < _MINUTE:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004 # two days: from there on minutes tell nothing
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


class Silent:
    """Says nothing."""

    def windows(self, total: int) -> None:
        """Ignored."""

    def window_done(self, label: str) -> None:
        """Ignored."""

    def rows(self, returns: int) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def budget(self, left: int) -> None:
        """Ignored."""

    def close(self) -> None:
        """Ignored."""


class _Counting(Silent):
    """What the speaking kinds share: they count."""

    def __init__(self) -> None:
        self.counts = Counts()

    def windows(self, total: int) -> None:
        """Adds to the total."""
        self.counts.total += total

    def rows(self, returns: int) -> None:
        """Counts them."""
        self.counts.returns += returns

    def budget(self, left: int) -> None:
        """Keeps it for the next line."""
        self.counts.left = left


class Lines(_Counting):
    """One line for each window and note, for logs."""

    def window_done(self, label: str) -> None:
        """Writes the line."""
        self.counts.done += 1
        _say(f"{self.counts.done} of {self.counts.total} windows · {label} · {self.counts.text()}")

    def note(self, text: str) -> None:
        """Writes it."""
        _say(text)


class JsonLines(_Counting):
    """One JSON object a line: `at`, `event` and what belongs to it."""

    def windows(self, total: int) -> None:
        """Says how many in all."""
        super().windows(total)
        write_event("windows", total=self.counts.total)

    def window_done(self, label: str) -> None:
        """Says where the run is."""
        counts = self.counts
        counts.done += 1
        seconds = counts.seconds_left
        write_event(
            "window_done",
            window=label,
            done=counts.done,
            total=counts.total,
            returns=counts.returns,
            returns_per_second=round(counts.a_second, 1),
            requests_left=counts.left,
            seconds_left=None if seconds is None else round(seconds),
        )

    def note(self, text: str) -> None:
        """Says it."""
        write_event("note", text=text)


class Live(_Counting):
    """A bar that is redrawn in place; notes stay above it."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def windows(self, total: int) -> None:
        """Starts the bar."""
        super().windows(total)
        self._draw()

    def window_done(self, label: str) -> None:  # noqa: ARG002 # the bar has no room for it
        """Moves the bar."""
        self.counts.done += 1
        self._draw()

    def rows(self, returns: int) -> None:
        """Shows the new count."""
        super().rows(returns)
        self._draw()

    def note(self, text: str) -> None:
        """Prints it above the bar."""
        if self._bar is None:
            _say(text)
        else:
            self._bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self) -> None:
        if self._bar is None or self._task is None:
            self._start()
            return
        counts = self.counts
        self._bar.update(self._task, total=counts.total, completed=counts.done, words=counts.text())

    def _start(self) -> None:
        from rich.console import Console  # a tenth of a second that logs need not pay
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # as above

        columns = (
            TextColumn("windows"),
            MofNCompleteColumn(),
            BarColumn(24),
            TextColumn("{task.fields[words]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=self.counts.total, words="")
        self._bar.start()


def write_event(event: str, **fields: object) -> None:
    """Writes one JSON line to standard error."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    _say(json.dumps(line, ensure_ascii=False, default=str))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 # this is where the program speaks
