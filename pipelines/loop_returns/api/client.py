"""The HTTP client of the API: sends GET requests, repeats them where that helps, and has every response checked."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final, Self

import httpx

from loop_returns import __version__
from loop_returns.api import facts
from loop_returns.api.network import ApiKey, TimedBackend, http_client, network_error
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.api.response import Expect, RawResponse, parse_response
from loop_returns.api.retry import RetryableError, http_date, retry_after, retrying
from loop_returns.errors import InvalidResponseError, RangeRejectedError

_Params = Mapping[str, str | int]

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"loop-returns/{__version__}",
}
_TOO_SLOW: Final = frozenset({HTTPStatus.GATEWAY_TIMEOUT, 524})  # of the edge in front of Loop (client mindcloud)
_LOOPBACK: Final = re.compile(r"localhost$|127\.|::1$")


@dataclass(frozen=True)
class ApiResponse:
    """A response that holds what was expected.

    Attributes:
        body: what `parse` made of it; by default the decoded JSON: numbers with a fraction are Decimal, never float,
            integers are exact.
        server_time: the server's `Date`, UTC, whole seconds; None if it sent none.
    """

    body: Any
    server_time: datetime | None


@dataclass
class RequestStats:
    """Counts of what was sent, shared by all threads."""

    requests: int = 0  # repeated ones included
    retries: int = 0  # how many of them were repeats
    too_many: int = 0  # responses with HTTP 429
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: int) -> None:
        """Adds to the counts of these names."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


class LoopClient:
    """Sends requests to the API; safe to share between threads; a context manager.

    Args:
        api_key: the key of a shop.
        base_url: the API's address with the version at its end, as `settings` accepts it.
        rate_limiter: when requests may be sent; shared by everything that uses the same key.
        budget_seconds: for one request with all its waits and repeats.
        attempts: how often a request is sent at most.
        first_wait: seconds before the first repeat, and the least wait after a 429.
        max_concurrency: connections kept open.
        max_bytes: how long a body may be.
        folder: where answers wait, from when they begin to arrive until they are parsed; None: in memory.
        on_retry: is told of every wait before it begins, in seconds, with a few words on its reason that hold no secret;
            called from whichever thread is about to wait.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        rate_limiter: RateLimiter,
        budget_seconds: float = facts.BUDGET_SECONDS,
        attempts: int = facts.ATTEMPTS,
        first_wait: float = facts.FIRST_WAIT,
        max_concurrency: int = facts.MAX_CONCURRENCY,
        max_bytes: int = facts.MAX_BYTES,
        folder: Path | None = None,
        on_retry: Callable[[float, str], None] = lambda _seconds, _reason: None,
    ) -> None:
        self.base_url = base_url
        self.rate_limiter = rate_limiter
        self.stats = RequestStats()
        self._budget = budget_seconds
        self._max_bytes = max_bytes
        self._folder = folder
        self._on_retry = on_retry
        self._retrying = partial(retrying, rate_limiter, attempts=attempts, first_wait=first_wait, on_retry=self._note_retry)
        self._key = ApiKey(api_key)
        self._http = http_client(
            auth=self._key,
            headers=_HEADERS,
            timeout=httpx.Timeout(facts.READ_TIMEOUT, connect=facts.CONNECT_TIMEOUT, pool=None),
            limits=httpx.Limits(max_connections=max_concurrency, max_keepalive_connections=max_concurrency),
            follow_redirects=False,  # the key goes to the host of base_url and nowhere else
            trust_env=not _LOOPBACK.match(httpx.URL(base_url).host),  # no proxy leads to this machine
        )
        self._network = TimedBackend(rate_limiter.clock)
        self._network.serve(self._http)

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
        params: _Params | None = None,
        expect: Expect = "any",
        parse: Callable[[RawResponse], Any] | None = None,
        most: int | None = None,
    ) -> ApiResponse:
        """Requests `path` below the base URL until there is a response that holds what is expected.

        Args:
            path: of the endpoint.
            params: of the query.
            expect: `list` for rows, bare or in an envelope; `object` for one thing; `any` for all but errors.
            parse: in place of `parse_response`, whose errors it raises too; called once for every attempt.
            most: bytes, where a smaller range can be asked for instead of an answer that is longer or takes too long.

        Raises:
            ConfigurationError: for what is to be changed (key, scope, range, which may be too large, page size, address).
            TransientError: if the network or the server failed until attempts or time ran out.
            NotFoundError: if Loop has no such thing.
            CancelledError: if the rate limiter was stopped.
        """
        started = self.rate_limiter.clock()
        deadline = started + self._budget
        tries = self._retrying(deadline=deadline)
        try:
            return tries(self._once, path, params or {}, parse or partial(parse_response, expect=expect), deadline, most)
        except RetryableError as failure:
            seconds = self.rate_limiter.clock() - started
            error = failure.final(attempts=int(tries.statistics.get("attempt_number", 1)), seconds=seconds)
        raise error  # outside of the handler, so that no traceback shows the attempts behind it

    def probe(self) -> ApiResponse:
        """The response to the cheapest request that the returns list accepts: one return of the last hour."""
        now = datetime.now(UTC)
        start, end = (f"{moment:{facts.TIME_FORMAT}}" for moment in (now - timedelta(hours=1), now))
        params: dict[str, str | int] = {"filter": "updated_at", "from": start, "to": end, "paginate": "true", "pageSize": 1}
        return self.get(facts.RETURNS_PATH, params=params, expect="list")

    def _once(
        self, path: str, params: _Params, parse: Callable[[RawResponse], Any], deadline: float, most: int | None
    ) -> ApiResponse:
        self.rate_limiter.wait(lambda seconds: self._on_retry(seconds, "the limit of requests a minute"))
        self.stats.add(requests=1)
        with NamedTemporaryFile(dir=self._folder) if self._folder else BytesIO() as content:
            try:
                status, headers = self._fetch(path, params, deadline, most, content)
            except httpx.DecodingError:
                what = f"The compressed answer to {path} is damaged."
                raise RetryableError(InvalidResponseError, what, "the answer was damaged") from None
            except httpx.TransportError as error:
                if most is not None and isinstance(error, httpx.ReadTimeout):
                    raise _too_much(path) from None
                raise network_error(path, error, hide=self._key.hide) from None
            wait = retry_after(headers)
            if status == httpx.codes.TOO_MANY_REQUESTS:
                self.stats.add(too_many=1)
            if wait is None:  # with a Retry-After the server itself says when requests are accepted again
                remaining, limit = (headers.get(name, "") for name in (facts.REMAINING_HEADER, facts.LIMIT_HEADER))
                self.rate_limiter.observe(_number(remaining), _number(limit))
            location = self._key.hide(headers.get("location", ""))
            body = content.getvalue() if isinstance(content, BytesIO) else Path(content.name)
            response = RawResponse(path, status, body, location=location, wait=wait, hide=self._key.hide)
            return ApiResponse(parse(response), http_date(headers.get("date", "")))

    def _fetch(
        self, path: str, params: _Params, deadline: float, most: int | None, content: IO[bytes]
    ) -> tuple[int, httpx.Headers]:
        """Writes the body to `content`."""
        url = f"{self.base_url}/{path.lstrip('/')}"  # as text: an address in `path` must not replace the host
        self._network.deadline = deadline
        length = 0
        with self._http.stream("GET", url, params=dict(params)) as response:
            if most is not None and response.status_code in _TOO_SLOW:
                raise _too_much(path)
            for chunk in response.iter_bytes():
                content.write(chunk)
                length += len(chunk)
                if most is not None and length > most:
                    raise _too_much(path)
                if length > self._max_bytes:
                    raise _too_long(path, self._max_bytes)
        content.flush()
        return response.status_code, response.headers

    def _note_retry(self, seconds: float, reason: str) -> None:
        self.stats.add(retries=1)
        self._on_retry(seconds, reason)


def _too_long(path: str, most: int) -> RetryableError:
    what = f"Loop answered {path} with more than {most / 1_000_000:g} MB, and no answer should be that long."
    hint = "If it stays so, set window_days lower, and look for a proxy that answers in Loop's place."
    return RetryableError(InvalidResponseError, what, "the answer had no end", hint=hint, attempts=2)


def _too_much(path: str) -> RangeRejectedError:
    return RangeRejectedError(f"The answer to this range of {path} is too long, or takes Loop too long.")


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
