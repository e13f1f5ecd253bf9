"""The HTTP client of the API: sends one GET, repeats it where that helps, and judges what comes back."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from loop_returns import __version__
from loop_returns.api.address import checked_base_url, checked_key, is_loopback
from loop_returns.api.errors import BadAnswer, Unreachable
from loop_returns.api.judge import Expect, Reply, judge
from loop_returns.api.key import Key
from loop_returns.api.retry import Again, http_date, retry_after, retrying
from loop_returns.api.stats import RequestStats
from loop_returns.settings import (
    ATTEMPTS,
    BUDGET_SECONDS,
    CONNECT_TIMEOUT,
    FIRST_WAIT,
    LIMIT_HEADER,
    MAX_CONCURRENCY,
    READ_TIMEOUT,
    REMAINING_HEADER,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from loop_returns.api.pace import Pace

log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"loop-returns/{__version__}",
}

_DETAIL: Final = 200  # characters of the network's own words


@dataclass(frozen=True)
class Answer:
    """A good answer.

    Attributes:
        body: what `read` made of it, or the decoded JSON: numbers with a fraction are Decimal, never float, integers are
            exact.
        server_time: the server's `Date`, UTC, whole seconds; None if it sent none.
        status: the HTTP status.
    """

    body: Any
    server_time: datetime | None
    status: int


class LoopClient:
    """Asks the API; safe to share between threads; a context manager.

    Args:
        api_key: the key of a shop.
        base_url: the API's address with the version at its end.
        pace: when requests may be sent; shared by everything that uses the same key.
        stats: where to count; a new one by default.
        timeout: seconds without a byte after which an attempt is given up.
        budget_seconds: for one request with all its waits and repeats.
        attempts: how often a request is sent at most.
        first_wait: seconds before the first repeat, and the least wait after a 429.
        max_concurrency: connections kept open.
        transport: in place of the network.
        sleep: in place of the pace's own.

    Attributes:
        turn: held while an answer is decoded, and by whoever goes on with it: Python lets one thread work at a time anyway,
            and threads that take turns waste nothing on wrestling for it and keep fewer decoded pages in memory.

    Raises:
        ChangeSettings: if the key or the address can't be used.
    """

    def __init__(  # all by keyword, and all but three have defaults
        self,
        *,
        api_key: str,
        base_url: str,
        pace: Pace,
        stats: RequestStats | None = None,
        timeout: float = READ_TIMEOUT,
        budget_seconds: float = BUDGET_SECONDS,
        attempts: int = ATTEMPTS,
        first_wait: float = FIRST_WAIT,
        max_concurrency: int = MAX_CONCURRENCY,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self.pace = pace
        self.stats = stats or RequestStats()
        self.turn = threading.Lock()
        self._budget = budget_seconds
        self._attempts = attempts
        self._first_wait = first_wait
        self._sleep = sleep or pace.sleep
        self._key = Key(checked_key(api_key))
        self._http = httpx.Client(
            auth=self._key,
            headers=_HEADERS,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT, pool=None),
            limits=httpx.Limits(max_connections=max_concurrency, max_keepalive_connections=max_concurrency),
            follow_redirects=False,  # the key goes to the host of base_url and nowhere else
            trust_env=not is_loopback(httpx.URL(self.base_url).host),  # no proxy between this machine and itself
            transport=transport,
            verify=_trusted(),
        )

    def __repr__(self) -> str:
        return f"LoopClient({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        expect: Expect = "any",
        read: Callable[[bytes], Any] | None = None,
    ) -> Answer:
        """Asks for `path` below the base URL until there is an answer that holds what is expected.

        Args:
            path: of the endpoint, as in `settings`.
            params: of the query.
            expect: `list` for rows, bare or in an envelope; `object` for one thing; `any` for all but errors.
            read: makes the answer's body of the bytes that came with HTTP 200, and judges them itself. Where it returns
                None the bytes are decoded and judged here.

        Raises:
            ChangeSettings: for what the operator must change (key, scope, range, page size, address).
            TryAgainLater: if the network or the server failed until attempts or time ran out.
            NotFound: if Loop has no such thing.
            Stopped: if the pace was stopped.
        """
        started = self.pace.clock()
        deadline = started + self._budget
        tries = retrying(
            self.pace,
            attempts=self._attempts,
            deadline=deadline,
            first_wait=self._first_wait,
            sleep=self._pause,
        )
        try:
            return tries(self._once, path, params or {}, expect=expect, read=read, deadline=deadline)
        except Again as failure:
            number = int(tries.statistics.get("attempt_number", 1))
            error = failure.final(attempts=number, seconds=self.pace.clock() - started)
        raise error  # outside of the handler, so that no traceback shows the attempts behind it

    def _once(
        self,
        path: str,
        params: Mapping[str, str | int],
        *,
        expect: Expect,
        read: Callable[[bytes], Any] | None,
        deadline: float,
    ) -> Answer:
        self.stats.add(seconds_waited=self.pace.wait(), requests=1)
        try:
            status, headers, body = self._fetch(path, params, deadline)
        except httpx.DecodingError:
            raise Again(BadAnswer, f"The compressed answer to {path} is damaged.") from None
        except httpx.TransportError as error:
            raise _network_trouble(path, error, detail=self._key.hide(str(error)[:_DETAIL])) from None
        wait = retry_after(headers)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            self.stats.add(too_many=1)
        if wait is None:  # with a Retry-After the server itself says when its budget is back
            self.pace.observe(_number(headers.get(REMAINING_HEADER)), _number(headers.get(LIMIT_HEADER)))
        server_time = http_date(headers.get("date", ""))
        if read is not None and status == httpx.codes.OK and (made := read(body)) is not None:
            return Answer(made, server_time, status)
        reply = Reply(path, status, body, location=self._key.hide(headers.get("location", "")), wait=wait)
        with self.turn:
            decoded = judge(reply, expect=expect, hide=self._key.hide)
        return Answer(decoded, server_time, status)

    def _fetch(self, path: str, params: Mapping[str, str | int], deadline: float) -> tuple[int, httpx.Headers, bytes]:
        url = f"{self.base_url}/{path.lstrip('/')}"  # as text: an address in `path` must not replace the host
        chunks = []
        with self._http.stream("GET", url, params=dict(params)) as response:
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                if self.pace.clock() > deadline:  # a trickle that never runs into the read timeout
                    raise httpx.ReadTimeout("the body came too slowly")
        return response.status_code, response.headers, b"".join(chunks)

    def _pause(self, seconds: float) -> None:
        log.info("asking again in %.1f s", seconds)
        self.stats.add(retries=1, seconds_waited=seconds)
        self._sleep(seconds)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates to trust, read once: that takes longer than a short request."""
    return httpx.create_ssl_context()


def _network_trouble(path: str, error: httpx.TransportError, *, detail: str) -> Again:
    detail = f"{type(error).__name__}: {detail}" if detail else type(error).__name__
    if "CERTIFICATE" in detail.upper():
        hint = (
            "The server's certificate is not trusted here: check base_url, this machine's clock, or the "
            "certificate of the proxy (SSL_CERT_FILE)."
        )
        return Again(Unreachable, f"No safe connection for {path} ({detail}).", hint=hint, attempts=2)
    return Again(
        Unreachable,
        f"The network failed while asking for {path} ({detail}).",
        hint="Check the connection and base_url, then run the same command again: nothing is skipped.",
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
