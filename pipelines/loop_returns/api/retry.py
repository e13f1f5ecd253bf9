"""When a request is repeated, and after how long.

tenacity itself and not stamina, whose sleep cannot be interrupted and which checks the time limit only after it
has slept.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from loop_returns.api.facts import LONGEST_BACKOFF, MAX_WAIT
from loop_returns.dates import clipped, in_utc
from loop_returns.errors import RateLimitedError, TransientError

if TYPE_CHECKING:
    from loop_returns.api.rate_limit import RateLimiter  # helper processes need none, and it takes memory


@dataclass(eq=False)
class RetryableError(Exception):  # caught by the client, which raises `final` in the end
    """One attempt failed in a way that another attempt may repair."""

    kind: type[TransientError]  # to raise if none does
    what: str  # one sentence of what happened
    reason: str  # the same in a few words, for whoever shows progress; without anything that the server said
    hint: str = ""  # what to do, if there is more to say than to run again
    attempts: int | None = None  # how many this kind of failure is worth, if fewer than others
    wait: float | None = None  # the seconds the server asked for, if it did

    def final(self, *, attempts: int, seconds: float) -> TransientError:
        """The error for the operator, after that many attempts in so many seconds."""
        tried = f"Tried {attempts} times in {seconds:.0f} s." if attempts > 1 else "It was not tried again."
        hint = self.hint or "Run the same command again later: what was loaded stays, and nothing is skipped."
        return self.kind(f"{self.what} {tried} {hint}")


def retrying(
    rate_limiter: "RateLimiter", *, attempts: int, deadline: float, first_wait: float, on_retry: Callable[[float, str], None]
) -> Retrying:
    """Calls a function again while it raises `RetryableError`, at most `attempts` times and never past `deadline`.

    Waits double from `first_wait` up to a minute, with jitter; where the server asks for a longer one, it is that, up to
    `MAX_WAIT`. A 429 makes every thread of that rate limiter wait, not only this one. Before a wait `on_retry` gets its
    seconds and the reason.
    """
    backoff = wait_exponential(multiplier=first_wait, max=LONGEST_BACKOFF) + wait_random(0, first_wait)
    limited: list[RetryableError] = []  # failures that have a number of attempts of their own

    def wait(state: RetryCallState) -> float:
        failure = _failure(state)
        seconds = max(backoff(state), min(failure.wait or 0.0, MAX_WAIT))
        if failure.kind is RateLimitedError:
            rate_limiter.pause(seconds)
        return float(seconds)

    def stop(state: RetryCallState) -> bool:
        failure = _failure(state)
        if failure.attempts:
            limited.append(failure)
        spent = state.attempt_number >= attempts or len(limited) >= (failure.attempts or attempts)
        return spent or rate_limiter.clock() + state.upcoming_sleep > deadline

    def told(state: RetryCallState) -> None:
        on_retry(state.upcoming_sleep, _failure(state).reason)

    again = retry_if_exception_type(RetryableError)
    return Retrying(retry=again, wait=wait, stop=stop, before_sleep=told, sleep=rate_limiter.sleep, reraise=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds a `Retry-After` header asks for; None without one that can be read.

    A date is measured against the server's own `Date`, so that a wrong clock on this side does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (http_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment of an HTTP date such as `Date` holds, UTC; None if it isn't one."""
    try:
        moment = in_utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):  # the latter for years and zones that no calendar has
        return None
    return moment if moment == clipped(moment) else None


def _failure(state: RetryCallState) -> RetryableError:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, RetryableError)  # noqa: S101 # for mypy: tenacity asks after a failed attempt only
    return failure
