"""Counts what is sent, for the run report and the ledger."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class RequestStats:
    """Counts of what was sent, shared by all threads.

    Attributes:
        requests: requests sent, repeated ones included.
        retries: how many of them were repeats.
        too_many: answers with HTTP 429.
        seconds_waited: seconds spent waiting for the budget and between attempts, summed over all threads.
    """

    requests: int = 0
    retries: int = 0
    too_many: int = 0
    seconds_waited: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: float) -> None:
        """Adds to the counts of these names."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
