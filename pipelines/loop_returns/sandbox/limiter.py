"""The server's rate limit: so many requests in a window, which starts with its first request."""

from __future__ import annotations

import threading
import time


class Limiter:
    """Counts requests; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = float("-inf")
        self._count = 0

    def take(self, limit: int, window: float) -> tuple[bool, int, float]:
        """Count a request.

        Args:
            limit: requests per window.
            window: its length in seconds.

        Returns:
            Whether it is allowed, how many more are, and the seconds until the window ends.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._start >= window:
                self._start, self._count = now, 0
            self._count += 1
            return self._count <= limit, max(0, limit - self._count), self._start + window - now
