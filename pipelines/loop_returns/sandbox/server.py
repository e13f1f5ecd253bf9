"""The sandbox: a local HTTP server that behaves like the Loop API, its faults included."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from loop_returns.sandbox.limiter import Limiter
from loop_returns.sandbox.quirks import FaultName, Quirks
from loop_returns.sandbox.responses import SandboxResponse, html_response, json_response
from loop_returns.sandbox.routes import Call, route, split
from loop_returns.sandbox.type_variants import vary_types
from loop_returns.sandbox.wire import Cut, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from loop_returns.sandbox.shop import Shop

VERSION: Final = "2026-10"
_GATEWAY: Final = (
    (502, "502 Bad Gateway"),
    (503, "503 Service Unavailable"),
    (524, "524: A timeout occurred"),
)
_ERRORS_200: Final = (
    {"error": {"message": "Something went wrong."}},
    {"errors": {"message": "Something went wrong.", "code": "UNEXPECTED_ERROR"}},
    {"message": "Something went wrong."},
)


@dataclass(frozen=True)
class SeenRequest:
    """A request; `path` is the endpoint without `/api/<version>`, status 0 while not yet answered."""

    method: str
    path: str
    params: dict[str, str]
    status: int
    at: datetime
    fault: FaultName | None = None
    version: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case


class Sandbox:
    """Serves a shop on loopback, as a context manager or between `start()` and `stop()`.

    Attributes:
        shop: the shop that is served.
        quirks: the behaviour; may be replaced at any time.
        requests: every request so far, in the order of the answers.
        on_request: called with each request before it is answered, in the server's thread.
        script: faults for the coming answers, first to last, ahead of `quirks.faults`; None is a good answer.
    """

    def __init__(  # all but the shop are keywords with a default
        self,
        shop: Shop,
        *,
        quirks: Quirks | None = None,
        api_key: str = "sandbox-key",
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self.shop = shop
        self.quirks = quirks if quirks is not None else Quirks()
        self.api_key = api_key
        self.requests: list[SeenRequest] = []
        self.on_request: Callable[[SeenRequest], None] | None = None
        self.script: deque[FaultName | None] = deque()
        self._address = (host, port)
        self._rng = random.Random(seed)  # noqa: S311  # repeatable faults, nothing secret
        self._lock = threading.Lock()
        self._limiter = Limiter()
        self._in_a_row: dict[str, int] = {}
        self._server: Server | None = None
        self._broken: list[Exception] = []

    @property
    def quirks(self) -> Quirks:
        """The behaviour; may be replaced at any time."""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self.shop.clock.skew = quirks.clock_skew

    @property
    def host(self) -> str:
        """Scheme, host and port; RuntimeError before the first start."""
        if not self._address[1]:
            msg = "The sandbox has no port before it is started; call start() or use it in a with statement."
            raise RuntimeError(msg)
        return f"http://{self._address[0]}:{self._address[1]}"

    @property
    def url(self) -> str:
        """Base URL for clients, with the version."""
        return f"{self.host}/api/{VERSION}"

    def start(self) -> Sandbox:
        """Serve in the background; after `stop()` again on the same port."""
        if self._server is None:
            self._server = Server(self._address, self._respond, self._broken.append)
            self._address = (self._address[0], self._server.server_address[1])
            self._server.run_in_background()
        return self

    def stop(self) -> None:
        """Stop serving and close all connections.

        Raises:
            Exception: what `on_request` or the sandbox itself raised while serving, if anything.
        """
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._broken:
            broken, self._broken[:] = self._broken[0], []
            raise broken

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.requests.clear()

    def fail_next(self, faults: Iterable[FaultName | None]) -> None:
        """Let the coming answers fail in this way, one after another."""
        with self._lock:
            self.script.extend(faults)

    # One request

    def _respond(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[SandboxResponse, Cut | None]:
        quirks = self._quirks
        url = urlsplit(target)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        version, endpoint = split(url.path) or ("", url.path)
        now = datetime.now(UTC)
        seen = SeenRequest(method, endpoint, params, 0, now, version=version, headers=dict(headers))
        if self.on_request is not None:
            self.on_request(seen)
        time.sleep(quirks.latency)
        response, fault = self._decide(method, target, headers, quirks)
        cut = None
        if fault in ("reset", "truncate"):
            with self._lock:
                cut = Cut(kind=fault, where=self._rng.random(), early=self._rng.choice((True, False)))
        response = self._with_headers(response, quirks, headers)
        with self._lock:
            self.requests.append(replace(seen, status=response.status, fault=fault))
        return response, cut

    def _decide(
        self, method: str, target: str, headers: Mapping[str, str], quirks: Quirks
    ) -> tuple[SandboxResponse, FaultName | None]:
        if method != "GET":
            return json_response({"message": f"The {method} method is not supported for this route."}, status=405), None
        limits: dict[str, str] = {}
        if quirks.requests_per_minute is not None:
            allowed, left, wait = self._limiter.take(quirks.requests_per_minute, quirks.rate_window)
            if quirks.rate_limit_headers:
                limits = {
                    "x-ratelimit-limit": str(quirks.requests_per_minute),
                    "x-ratelimit-remaining": str(left),
                }
            if not allowed:
                return self._too_many(quirks, wait, limits), None
        fault = self._fault(target, quirks)
        if fault == "slow":
            time.sleep(quirks.faults.slow_seconds)
        response = self._fault_response(fault, quirks) or self._endpoint_response(target, headers, quirks)
        return replace(response, headers=limits | response.headers), fault

    def _endpoint_response(self, target: str, headers: Mapping[str, str], quirks: Quirks) -> SandboxResponse:
        url = urlsplit(target)
        call = Call(
            shop=self.shop,
            path=url.path,
            params=dict(parse_qsl(url.query, keep_blank_values=True)),
            quirks=quirks,
            host=self.host,
            authorized=headers.get("x-authorization") == self.api_key,
            vary=(lambda raw: vary_types(raw, self._rng, quirks.type_variants)) if quirks.type_variants else bytes,
        )
        return route(call)

    def _fault(self, target: str, quirks: Quirks) -> FaultName | None:
        with self._lock:
            if self.script:
                return self.script.popleft()
            fault = quirks.faults.pick(self._rng)
            if fault is None or self._in_a_row.get(target, 0) >= quirks.faults.max_consecutive:
                self._in_a_row.pop(target, None)
                return None
            self._in_a_row[target] = self._in_a_row.get(target, 0) + 1
            return fault

    def _fault_response(self, fault: FaultName | None, quirks: Quirks) -> SandboxResponse | None:
        if fault == "too_many":
            return self._too_many(quirks, quirks.retry_after_seconds, {})
        if fault == "server_error":
            return json_response({"message": "Server Error"}, status=500)
        if fault == "bad_gateway":
            return html_response(*self._rng.choice(_GATEWAY))
        if fault == "html_200":
            return html_response(200, "Down for maintenance")
        return json_response(self._rng.choice(_ERRORS_200)) if fault == "error_200" else None

    def _too_many(self, quirks: Quirks, wait: float, limits: dict[str, str]) -> SandboxResponse:
        headers = dict(limits)
        if quirks.retry_after == "seconds":
            headers["Retry-After"] = str(math.ceil(wait))
        elif quirks.retry_after == "date":
            headers["Retry-After"] = _http_date(self.shop.now + timedelta(seconds=math.ceil(wait)))
        return replace(json_response({"message": "Too Many Attempts."}, status=429), headers=headers)

    def _with_headers(self, response: SandboxResponse, quirks: Quirks, headers: Mapping[str, str]) -> SandboxResponse:
        extra = {"Date": _http_date(self.shop.now + timedelta(seconds=quirks.date_ahead))} if quirks.date_header else {}
        return response.with_headers(extra, compress=quirks.gzip and "gzip" in headers.get("accept-encoding", ""))


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
