"""What a run reports while it works. The caller decides how that is shown."""

from __future__ import annotations

from typing import Final, Protocol

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


class Silent:
    """Says nothing."""

    def _ignore(self, *_: object, **__: object) -> None: ...

    windows = window_done = rows = note = budget = close = _ignore


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
