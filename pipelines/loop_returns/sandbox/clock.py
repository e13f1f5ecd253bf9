"""The shop's clock: the real one, moved on at will, or one that stands still until it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Time in UTC; `skew` seconds ahead of what it would be."""

    def __init__(self, fixed: datetime | None = None) -> None:
        self.skew = 0.0
        self._fixed = fixed.astimezone(UTC) if fixed is not None else None
        self._offset = timedelta()

    def read(self) -> datetime:
        """The time."""
        moment = self._fixed if self._fixed is not None else datetime.now(UTC) + self._offset
        return moment + timedelta(seconds=self.skew)

    def fix(self, moment: datetime) -> None:
        """Stop at a moment."""
        self._fixed = moment.astimezone(UTC)

    def tick(self, seconds: float) -> None:
        """Let time pass at once."""
        if self._fixed is not None:
            self._fixed += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def second(self, *, apart: bool) -> int:
        """The second to stamp something with; `apart`: a fixed clock moves on by one before."""
        if apart and self._fixed is not None:
            self.tick(1)
        return int(self.read().timestamp())
