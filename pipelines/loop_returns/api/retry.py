"""When a request is repeated, and after how long.

tenacity itself and not stamina, which sleeps in a way that nobody can break off and looks at the time limit
only after it has slept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from loop_returns.api.errors import TooManyRequests
from loop_returns.settings import LONGEST_BACKOFF, MAX_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.api.errors import TryAgainLater
    from loop_returns.api.pace import Pace


class Again(Exception):  # noqa: N818 # not an error: a wish, which never leaves the client
    """One attempt failed in a way that another attempt may heal.

    Attributes:
        kind: the error to raise if none does.
        what: one sentence of what happened.
        hint: what to do, if there is more to say than to run again.
        attempts: how many attempts this kind of failure is worth, if fewer than others.
        wait: the seconds the server asked for, if it did.
    """

    def __init__(
        self,
        kind: type[TryAgainLater],
        what: str,
        *,
        hint: str = "",
        attempts: int | None = None,
        wait: float | None = None,
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.hint = hint
        self.attempts = attempts
        self.wait = wait

    def final(self, *, attempts: int, seconds: float) -> TryAgainLater:
        """The error for the operator, after that many attempts in so many seconds."""
        tried = f"Tried {attempts} times in {seconds:.0f} s." if attempts > 1 else "It was not tried again."
        hint = self.hint or "Run the same command again later: what was loaded stays, and nothing is skipped."
        return self.kind(f"{self.what} {tried} {hint}")


def retrying(pace: Pace, *, attempts: int, deadline: float, first_wait: float, sleep: Callable[[float], None]) -> Retrying:
    """Calls a function again while it raises `Again`, at most `attempts` times and never past `deadline`.

    Waits double from `first_wait` up to a minute, with jitter; what the server asks for goes first, but is at
    least `first_wait` and at most `MAX_WAIT`. A 429 holds every thread of that pace, not only this one.
    """
    backoff = wait_exponential(multiplier=first_wait, max=LONGEST_BACKOFF) + wait_random(0, first_wait)

    few: list[Again] = []

    def wait(state: RetryCallState) -> float:
        failure = _failure(state)
        seconds = backoff(state) if failure.wait is None else min(max(failure.wait, first_wait), MAX_WAIT)
        if failure.kind is TooManyRequests:
            pace.pause(seconds)
        return float(seconds)

    def stop(state: RetryCallState) -> bool:
        failure = _failure(state)
        if state.attempt_number >= attempts:
            return True
        if failure.attempts is not None:  # counted apart, whatever else failed before
            few.append(failure)
            if len(few) >= failure.attempts:
                return True
        return pace.clock() + state.upcoming_sleep > deadline

    return Retrying(retry=retry_if_exception_type(Again), wait=wait, stop=stop, sleep=sleep, reraise=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds a `Retry-After` header asks for; None without one that can be read.

    A date is measured against the server's own `Date`, so that a wrong clock on this side does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (http_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment of an HTTP date such as `Date` holds, UTC; None if it isn't one."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _failure(state: RetryCallState) -> Again:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, Again)  # noqa: S101 # for mypy: tenacity asks after a failed attempt only
    return failure
