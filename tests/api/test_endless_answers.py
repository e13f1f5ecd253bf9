"""An answer that never ends is given up, wherever it stops coming, and takes neither all time nor all memory."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import InvalidResponseError, UnreachableError
from tests.support.loopback import KEY, FakeTime, Loopback, RawServer, Scripted, client_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

BUDGET = 0.4  # seconds
PAUSE, TIMES = 0.02, 1000  # far more than the budget; then the server hangs up, so that no test hangs
OK = b"HTTP/1.1 200 OK\r\n"
LETTERS = [b"x"] * TIMES


def slowly(*parts: bytes, then: Iterable[bytes] = ()) -> Callable[[socket.socket], None]:
    """Sends the parts at once, and the rest bit by bit."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        for bit in itertools.islice(then, TIMES):
            time.sleep(PAUSE)
            connection.sendall(bit)

    return talk


def silent(connection: socket.socket) -> None:
    """Takes what is sent and says nothing."""
    connection.settimeout(PAUSE * TIMES)
    while connection.recv(1000):
        pass


ENDLESS = {
    "nothing": silent,
    "a status line": slowly(b"HTTP/1.1 200 ", then=LETTERS),
    "a header": slowly(OK, b"X-Long: ", then=LETTERS),
    "header lines": slowly(OK, then=[b"X-One-More: line\r\n"] * TIMES),
    "interim answers": slowly(then=[b"HTTP/1.1 100 Continue\r\n\r\n"] * TIMES),
    "a body of known length": slowly(OK, b"Content-Length: 100000\r\n\r\n", then=LETTERS),
    "a body of no known length": slowly(OK, b"\r\n", then=LETTERS),
    "a chunk's length": slowly(OK, b"Transfer-Encoding: chunked\r\n\r\n", then=[b"0"] * TIMES),
    "chunks": slowly(OK, b"Transfer-Encoding: chunked\r\n\r\n", then=[b"1\r\nx\r\n"] * TIMES),
    "trailers": slowly(OK, b"Transfer-Encoding: chunked\r\n\r\n0\r\n", then=[b"X-One-More: line\r\n"] * TIMES),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_an_answer_that_never_ends(what: str) -> None:
    """Whatever comes bit by bit, for ever, is given up when the request's time is over."""
    with (
        RawServer(ENDLESS[what]) as server,
        client_of(server, rate_limiter=RateLimiter(), budget_seconds=BUDGET) as client,
        pytest.raises(UnreachableError, match=r"Timeout: .*not tried again"),
    ):
        client.get(RETURNS_PATH, expect="list")


def test_a_safe_connection_that_never_begins() -> None:
    """A handshake that is not answered is given up likewise."""
    with RawServer(silent) as server:
        settings = {"base_url": server.url.replace("http:", "https:"), "rate_limiter": RateLimiter()}
        with (
            client_of(server, budget_seconds=BUDGET, **settings) as client,
            pytest.raises(UnreachableError, match=r"Timeout: .*not tried again"),
        ):
            client.get(RETURNS_PATH)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_never_answers(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on the way is no exception."""
    with RawServer(ENDLESS["a header"]) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{proxy.address}")
        settings = {"base_url": f"{scheme}://api.example.com/api/2026-10", "rate_limiter": RateLimiter()}
        with (
            client_of(proxy, budget_seconds=BUDGET, **settings) as client,
            pytest.raises(UnreachableError, match=r"Timeout: .*not tried again"),
        ):
            client.get(RETURNS_PATH)


def test_a_connection_serves_later_requests() -> None:
    """The time of one request does not count for the next one on the same connection."""
    time = FakeTime()
    with Loopback(Scripted([])) as server, client_of(server, time, budget_seconds=60) as client:
        for _ in range(3):
            client.get(RETURNS_PATH, expect="list")
            time.now += 61


def test_more_than_fits_into_memory() -> None:
    """A body that is larger than any answer is not read to its end, also where it only grows when it is unpacked."""
    for compress in (False, True):
        large = Scripted(b"[" + b" " * 100_000 + b"]", compress=compress)
        with (
            Loopback(large) as server,
            client_of(server, max_bytes=50_000) as client,
            pytest.raises(InvalidResponseError, match=r"more than .* window_days") as caught,
        ):
            client.get(RETURNS_PATH, expect="list")
        assert KEY not in caught.value.message
        assert len(server.seen) == 2
    with Loopback(large) as server, client_of(server) as client:
        assert client.get(RETURNS_PATH, expect="list").body == []


def test_a_body_without_an_end() -> None:
    """A body that goes on for ever, as fast as it can, is cut off at that size."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(OK + b"\r\n")
        for _ in range(TIMES):
            connection.sendall(b" " * 1_000_000)

    server = RawServer(flood)
    with (
        server,
        client_of(server, max_bytes=5_000_000) as client,
        pytest.raises(InvalidResponseError, match="more than"),
    ):
        client.get(RETURNS_PATH, expect="list")


def test_redirects_in_a_circle() -> None:
    """No redirect is followed, so none can lead around for ever."""
    with Loopback() as server:
        server.script = [Scripted([], 302, {"Location": f"{server.url}{RETURNS_PATH}"})]
        with client_of(server) as client, pytest.raises(Exception, match="redirected"):
            client.get(RETURNS_PATH)
        assert len(server.seen) == 1
