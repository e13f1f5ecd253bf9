"""A server on a real socket that answers what a test scripted, also by cutting the connection."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from loop_returns.api.client import LoopClient
from loop_returns.api.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "test-key-0123456789abcdef"


class FakeTime:
    """A clock that only moves when somebody sleeps, and the sleeps it was asked for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        """The seconds now."""
        with self._lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        """Moves the clock; threads that sleep at the same time move it together."""
        until = self.clock() + seconds
        with self._lock:
            self.now = max(self.now, until)
            self.slept.append(seconds)


def client_of(server: Loopback | RawServer, time: FakeTime | None = None, **settings: Any) -> LoopClient:
    """A client of that server which never really waits."""
    time = time or FakeTime()
    rate_limiter = settings.pop("rate_limiter", None) or RateLimiter(clock=time.clock, sleep=time.sleep)
    return LoopClient(**{"api_key": KEY, "base_url": server.url, "rate_limiter": rate_limiter} | settings)


@dataclass(frozen=True)
class Scripted:
    """One answer: `body` is sent as it is if bytes, else as JSON."""

    body: Any = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    compress: bool = False
    cut: int = 0  # so many bytes of the promised length are not sent
    reset: bool = False  # the connection is reset instead of an answer

    @property
    def payload(self) -> bytes:
        """The bytes of the whole body."""
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return gzip.compress(raw) if self.compress else raw


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names in lower case."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


class Loopback:
    """Answers request by request from a script; the last answer is repeated."""

    def __init__(self, *script: Scripted) -> None:
        self.script = list(script) or [Scripted()]
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer on a kept connection takes 40 ms

            def do_GET(self) -> None:
                loopback.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                loopback.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is http.server's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/2026-10"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Sends the next answer of the script."""
        parts = urlsplit(handler.path)
        with self._lock:
            self.seen.append(
                Seen(
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {name.lower(): value for name, value in handler.headers.items()},
                )
            )
            scripted = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if scripted.reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            handler.connection.close()  # with linger 0: a reset, not an orderly end
            return
        _send(handler, scripted)


def _send(handler: BaseHTTPRequestHandler, scripted: Scripted) -> None:
    payload = scripted.payload
    handler.send_response_only(scripted.status, "As Scripted")
    headers = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    if scripted.compress:
        headers["Content-Encoding"] = "gzip"
    for name, value in (headers | scripted.headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(payload[: len(payload) - scripted.cut])
    if scripted.cut:
        handler.close_connection = True


class RawServer:
    """A server that hands each connection to a function, which sends what it likes; connections end with the block."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = f"http://{self.address}/api/2026-10"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        for one in (self._listening, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the block has ended
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client has hung up
            self._talk(connection)
            connection.close()
