"""The budget of requests is kept by all threads together, and shared fairly with other users of the key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import CancelledError
from tests.support.loopback import FakeTime


def paced(requests_per_minute: int) -> tuple[RateLimiter, FakeTime]:
    time = FakeTime()
    return RateLimiter(requests_per_minute, clock=time.clock, sleep=time.sleep), time


def waited_by(rate_limiter: RateLimiter) -> float:
    """The seconds until the next request might be sent, as it told them."""
    told: list[float] = []
    rate_limiter.wait(told.append)
    return sum(told)


def most_in_a_minute(sent: list[float]) -> int:
    return max(sum(1 for other in sent if at <= other < at + 60) for at in sent)


@given(
    limit=st.integers(1, 12),
    idle=st.lists(st.floats(0, 90), min_size=1, max_size=60),
)
def test_no_minute_holds_more_than_the_budget(limit: int, idle: list[float]) -> None:
    """However requests come, no sixty seconds hold more than allowed, and none waits longer than it has to."""
    rate_limiter, time = paced(limit)
    sent: list[float] = []
    for pause in idle:
        time.now += pause
        before = time.now
        waited = waited_by(rate_limiter)
        assert waited == pytest.approx(time.now - before, abs=0.001)
        if waited:  # only because the budget's oldest request was sent about a minute ago
            assert time.now - sent[-limit] == pytest.approx(61, abs=0.1)
        sent.append(time.now)
    assert most_in_a_minute(sent) <= limit


def test_threads_share_the_budget() -> None:
    """Ten threads together send no more in a minute than one alone would."""
    rate_limiter, time = paced(30)
    sent: list[float] = []
    lock = threading.Lock()

    def send(_: int) -> None:
        rate_limiter.wait()
        with lock:
            sent.append(time.clock())

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(send, range(100)))
    assert len(sent) == 100
    assert len([at for at in sent if at < 1060]) <= 30
    assert time.clock() >= 1000 + 3 * 60


def test_the_whole_budget_is_used() -> None:
    """Three hundred requests leave at once; the next one waits a minute."""
    rate_limiter, time = paced(300)
    assert sum(waited_by(rate_limiter) for _ in range(300)) == 0
    assert rate_limiter.left() == 0
    assert 60 < waited_by(rate_limiter) < 62
    assert most_in_a_minute([1000.0] * 300 + [time.now]) == 300


@given(used_by_others=st.integers(0, 300), own=st.integers(0, 299))
def test_what_others_use_is_not_used_again(used_by_others: int, own: int) -> None:
    """When the server says that fewer remain, exactly so many are left, never more than the own count leaves."""
    rate_limiter, _ = paced(300)
    for _ in range(own):
        rate_limiter.wait()
    remaining = max(0, 300 - own - used_by_others)
    rate_limiter.observe(remaining, 300)
    assert rate_limiter.left() == remaining


def test_the_server_cannot_speed_it_up() -> None:
    """More remaining, or a higher limit, than the own setting allows changes nothing; neither does silence."""
    rate_limiter, _ = paced(10)
    for _ in range(4):
        rate_limiter.wait()
    for remaining, limit in [(500, 600), (None, 600), (None, None), (9, None)]:
        rate_limiter.observe(remaining, limit)
        assert rate_limiter.left() == 6


def test_a_lower_limit_is_kept() -> None:
    """A server that allows less than the setting is obeyed, and so is its return to more."""
    rate_limiter, _ = paced(300)
    rate_limiter.observe(None, 5)
    assert sum(waited_by(rate_limiter) for _ in range(5)) == 0
    assert waited_by(rate_limiter) > 60
    rate_limiter.observe(None, 300)
    assert rate_limiter.left() == 299


def test_what_others_used_comes_back() -> None:
    """A minute after the others' requests the budget is whole again."""
    rate_limiter, time = paced(300)
    rate_limiter.observe(0, 300)
    time.now += 62
    assert rate_limiter.left() == 300


def test_a_pause_holds_and_the_longest_counts() -> None:
    """A pause delays the next request by its length; a shorter one that follows does not cut it."""
    rate_limiter, time = paced(300)
    rate_limiter.pause(30)
    rate_limiter.pause(5)
    assert waited_by(rate_limiter) == 30
    assert waited_by(rate_limiter) == 0
    assert time.now == 1030


def test_stopping_ends_waits() -> None:
    """After stop neither a wait nor a sleep lets anybody go on, also those begun before."""
    rate_limiter = RateLimiter(1)
    rate_limiter.wait()
    outcomes: list[type] = []

    def wait() -> None:
        try:
            rate_limiter.wait()
        except CancelledError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    rate_limiter.stop()
    for thread in threads:
        thread.join(20)
    assert outcomes == [CancelledError] * 3
    with pytest.raises(CancelledError):
        rate_limiter.sleep(0)
