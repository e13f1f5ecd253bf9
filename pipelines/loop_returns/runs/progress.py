"""What a run reports while it works. The caller decides how that is shown."""

from __future__ import annotations

from typing import Final, Protocol

_MINUTE: Final = 60


class Progress(Protocol):
    """What a run reports while it works. Called from one thread, unless said otherwise."""

    def begin(self, what: str, windows: int, *, per_minute: int) -> None:
        """So many windows of `what` are to be read, with so many requests a minute."""

    def answered(self, *, rows: int, returns: int, left: int) -> None:
        """A response was read. So many of its rows are returns; so many requests may still be sent in this minute."""

    def window_done(self, label: str) -> None:
        """All responses of a window are read."""

    def doing(self, what: str) -> None:
        """The run now does this, such as `loading 40,000 rows`."""

    def loaded(self) -> None:
        """Everything that was read so far is in the warehouse."""

    def waiting(self, seconds: float, reason: str) -> None:
        """A request waits that long. Called from any thread."""

    def note(self, text: str) -> None:
        """Something the operator may want to know."""

    def close(self) -> None:
        """The run is over. May be called twice."""


class Silent:
    """Says nothing."""

    def _ignore(self, *_: object, **__: object) -> None: ...

    begin = answered = window_done = doing = loaded = waiting = note = close = _ignore


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


def counted(number: int, thing: str, *, plural: str | None = None) -> str:
    """A number of things as people say it: 1 row, 2,000 rows."""
    return f"{number:,} {thing if number == 1 else plural or f'{thing}s'}"
