"""Waits are as long as the server asks for, grow when it says nothing, and end with the time budget."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from loop_returns.api.facts import FIRST_WAIT, LONGEST_BACKOFF, MAX_WAIT, RETURNS_PATH
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import CancelledError, RateLimitedError, ServerError
from tests.support.loopback import FakeTime, Loopback, Scripted, client_of


def waits(*script: Scripted, **settings: float) -> list[float]:
    """The waits between the attempts that such a script leads to."""
    time = FakeTime()
    with Loopback(*script, Scripted([])) as server, client_of(server, time, **settings) as client:
        client.get(RETURNS_PATH, expect="list")
    return time.slept


def dated(seconds: float, *, server_is_wrong_by: timedelta = timedelta()) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0) + server_is_wrong_by
    until = now + timedelta(seconds=seconds)
    return {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(until, usegmt=True)}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7.5"}, 7.5),
        ({"Retry-After": "86400"}, MAX_WAIT),
        ({"Retry-After": "9" * 5000}, MAX_WAIT),
        (dated(365 * 86400), MAX_WAIT),
        (dated(9), 9),
        (dated(9, server_is_wrong_by=timedelta(days=-40)), 9),
        (dated(9, server_is_wrong_by=timedelta(days=40)), 9),
    ],
)
def test_retry_after(status: int, headers: dict[str, str], expected: float) -> None:
    """Retry-After holds as seconds and as a date by the server's own clock, up to a cap."""
    assert waits(Scripted({}, status, headers)) == [expected]


SHORT = [
    {"Retry-After": text} for text in ("0", "0.5", "-5", "soon", "1.5e3", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [{}, dated(-30), {"Date": "Mon, 01 Jan 0001 00:00:00 +2359"}, *SHORT])
def test_backoff_grows(status: int, headers: dict[str, str]) -> None:
    """Where the server asks for no wait, or a short one, they double up to a minute, and outlast the limit's minute."""
    fault = Scripted({}, status, headers)
    slept = waits(*[fault] * 7)
    assert len(slept) == 7
    for number, seconds in enumerate(slept):
        least = min(FIRST_WAIT * 2**number, LONGEST_BACKOFF)
        assert least <= seconds <= least + FIRST_WAIT
    assert sum(slept) > 60


def test_a_spent_limit_comes_back() -> None:
    """A 429 that only says that nothing remains, and one that says to come back at once, are waited out for a minute."""
    headers = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0"}
    for more in ({}, {"Retry-After": "0"}, {"x-ratelimit-remaining": "9" * 5000}):
        time = FakeTime()
        server = Loopback(Scripted({}, 429, headers | more))
        with server, client_of(server, time) as client, pytest.raises(RateLimitedError):
            client.get(RETURNS_PATH)
        assert time.now - 1000 > 61


def test_the_time_budget_ends_it() -> None:
    """No wait is begun that would end after the budget, and the error says how long it was tried."""
    time = FakeTime()
    with Loopback(Scripted({}, 503, {"Retry-After": "25"})) as server:
        client = client_of(server, time, budget_seconds=60)
        with client, pytest.raises(ServerError, match="Tried 3 times in 50 s"):
            client.get(RETURNS_PATH)
    assert time.slept == [25, 25]


def test_the_number_of_attempts_can_be_set() -> None:
    """With one attempt nothing is repeated."""
    with Loopback(Scripted({}, 500)) as server, client_of(server, attempts=1) as client:
        with pytest.raises(ServerError, match="not tried again"):
            client.get(RETURNS_PATH)
        assert len(server.seen) == 1


def test_more_attempts_can_be_set() -> None:
    """A patient caller is patient: twelve attempts are twelve."""
    with Loopback(Scripted({}, 500)) as server, client_of(server, attempts=12) as client:
        with pytest.raises(ServerError, match="Tried 12 times"):
            client.get(RETURNS_PATH)
        assert len(server.seen) == 12


def test_a_429_holds_every_thread() -> None:
    """A 429 makes the next request of every client with the same rate limiter wait."""
    time = FakeTime()
    rate_limiter = RateLimiter(clock=time.clock, sleep=time.sleep)
    server = Loopback(Scripted({}, 429, {"Retry-After": "30"}), Scripted([]))
    with server, client_of(server, rate_limiter=rate_limiter) as client:
        with client_of(server, rate_limiter=rate_limiter, attempts=1) as other, pytest.raises(RateLimitedError):
            other.get(RETURNS_PATH)
        client.get(RETURNS_PATH)
    assert time.slept == [30]


def test_the_servers_count_slows_down() -> None:
    """When others have used up the key's budget, the next request waits although this side sent one only."""
    time = FakeTime()
    headers = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0"}
    with Loopback(Scripted([], headers=headers)) as server, client_of(server, time) as client:
        client.get(RETURNS_PATH)
        assert client.rate_limiter.left() == 0
        client.get(RETURNS_PATH)
    assert 60 <= sum(time.slept) <= 62


def test_a_lasting_429_names_the_other_tools() -> None:
    """The message tells that other tools on the key share its budget."""
    message = pytest.raises(RateLimitedError, match=r"Other tools .* requests_per_minute")
    with Loopback(Scripted({}, 429)) as server, client_of(server, attempts=2) as client, message:
        client.get(RETURNS_PATH)


def test_a_stopped_run_does_not_wait() -> None:
    """Stopping the pace breaks off a wait of minutes in another thread."""
    rate_limiter = RateLimiter()
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            client.get(RETURNS_PATH)
        except CancelledError as error:
            outcome.append(error)

    with (
        Loopback(Scripted({}, 503, {"Retry-After": "300"})) as server,
        client_of(server, rate_limiter=rate_limiter) as client,
    ):
        thread = threading.Thread(target=ask)
        thread.start()
        while not client.stats.retries:
            thread.join(0.01)  # until the wait has begun
        rate_limiter.stop()
        thread.join(20)
    assert [type(error) for error in outcome] == [CancelledError]
