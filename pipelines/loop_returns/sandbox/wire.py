"""The socket side: HTTP/1.1 with keep-alive, and the ways to break a response while it is sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final, Literal

from loop_returns.sandbox.responses import SandboxResponse

_RESET: Final = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST instead of FIN
_POLL: Final = 0.01  # seconds until stop() is noticed


@dataclass(frozen=True)
class Cut:
    """How a response breaks: `where` in the body (0 to 1).

    With `early` a reset comes before the first byte, and the Content-Length of a truncated body fits what is sent.
    """

    kind: Literal["reset", "truncate"]
    where: float
    early: bool


Respond = Callable[[str, str, Mapping[str, str]], tuple[SandboxResponse, Cut | None]]


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "loop-returns-sandbox"
    wbufsize = -1  # head and body leave in one piece
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        self.close_connection = self.command != "GET"  # a body may follow that nobody reads
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            response, cut = self.server.reply(self.command, self.path, headers)
        except Exception as error:  # noqa: BLE001  # what `on_request` raises is raised again by stop()
            self.server.report(error)
            response, cut = SandboxResponse(500, b'{"message":"The sandbox broke; stop() tells how."}'), None
        self._send(response, cut)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815  # http.server's names

    def _send(self, response: SandboxResponse, cut: Cut | None) -> None:
        body = response.body
        if cut is not None:
            body = body[: int(len(body) * cut.where)]
            self.close_connection = True
        length = len(body) if cut is not None and cut.kind == "truncate" and cut.early else len(response.body)
        if cut is not None and cut.kind == "reset" and cut.early:
            self._reset()  # before a single byte
            return
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if cut is not None and cut.kind == "reset":
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Print nothing: the sandbox keeps its own log."""


class Server(ThreadingHTTPServer):
    """Threads on loopback; `reply` makes the responses, `report` gets what it raises."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], reply: Respond, report: Callable[[Exception], None]) -> None:
        self.reply = reply
        self.report = report
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse name lookup of http.server, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def run_in_background(self) -> None:
        """Serve until `stop()`."""
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close the port and all connections."""
        self.shutdown()
        self.server_close()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # its thread may just have closed it
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection; one that has to be reset is not shut down in an orderly way before."""
        with self._guard:
            self._open.discard(request)
        lingers = struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)))
        if lingers[0]:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore it: the client hung up."""
