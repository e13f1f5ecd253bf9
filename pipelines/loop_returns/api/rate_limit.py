"""Limits how many requests are sent in a minute, however many threads send them.

Loop allows 300 requests a minute per key (api-reference/rate-limit), shared with every other tool that uses
the key. What the others use shows only in the headers of the responses, so the rate limiter reads those.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from loop_returns.api.facts import RATE_WINDOW, REQUESTS_PER_MINUTE
from loop_returns.errors import CancelledError

_MILLISECONDS: Final = 1000


class RateLimiter:
    """Says when the next request may be sent; one for all threads that use a key.

    At most `requests_per_minute` in any minute, as a sliding window. The bucket is used without
    pyrate-limiter's `Limiter`, whose waits cannot be interrupted and which keeps a thread of its own.

    `clock` gives seconds that never run backwards; `sleep` waits so many, and by default ends early when it is stopped.
    """

    def __init__(
        self,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.clock = clock
        self._per_minute = requests_per_minute
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        self._paused_until = clock()
        self._bucket = InMemoryBucket([_rate(requests_per_minute)])

    def wait(self, on_wait: Callable[[float], None] = lambda _: None) -> None:
        """Blocks until a request may be sent, and counts it; `on_wait` gets the seconds of each wait before it begins.

        Raises CancelledError if `stop` was called.
        """
        while (seconds := self._try()) > 0:
            on_wait(seconds)
            self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Waits that long, or until `stop` is called. Raises CancelledError if it was."""
        self._check()
        self._sleep(seconds)
        self._check()

    def observe(self, remaining: int | None, limit: int | None = None) -> None:
        """Takes over what the headers of a response say; None where a header is missing.

        If fewer requests remain than counted here, other programs have used them: they are counted as if sent
        just now, so that all threads slow down. Never goes above `requests_per_minute`.
        """
        with self._lock:
            now = self._now()
            if limit is not None and limit > 0:
                self._bucket.rates = [_rate(min(limit, self._per_minute))]
            if remaining is None:
                return
            for _ in range(self._left(now) - max(remaining, 0)):
                self._bucket.put(RateItem("others", now))

    def pause(self, seconds: float) -> None:
        """Makes all threads wait that long; a longer pause under way stays."""
        with self._lock:
            self._paused_until = max(self._paused_until, self.clock() + seconds)

    def left(self) -> int:
        """How many requests may still be sent right now, as far as is known."""
        with self._lock:
            return self._left(self._now())

    def stop(self) -> None:
        """Ends all waits, now and later: every thread in `wait` or `sleep` gets `CancelledError`."""
        self._stopped.set()

    def _try(self) -> float:
        """Counts a request and returns 0, or returns the seconds after which to try again."""
        self._check()
        with self._lock:
            pause = self._paused_until - self.clock()
            if pause > 0:
                return pause
            now = self._now()
            self._bucket.leak(now)
            item = RateItem("request", now)
            if self._bucket.put(item):
                return 0.0
            wait = self._bucket.waiting(item)
            assert isinstance(wait, int)  # noqa: S101 # for mypy: only asynchronous buckets answer with an awaitable
            return max(wait, 1) / _MILLISECONDS

    def _left(self, now: int) -> int:
        self._bucket.leak(now)
        return max(0, self._bucket.rates[0].limit - self._bucket.count())

    def _now(self) -> int:
        return int(self.clock() * _MILLISECONDS)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise CancelledError("The request was given up because the run is ending; the reason is reported separately.")


def _rate(requests: int) -> Rate:
    return Rate(requests, int(RATE_WINDOW * _MILLISECONDS))
