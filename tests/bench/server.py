"""A Loop API for benchmarks, in a process of its own: it hands out slices of files and computes next to nothing.

It knows the returns list as far as a mirror and its peers ask for it (range by a time, state, pages by cursor) and the
shipping notice report, whose days, the last one included, are those on which returns were created. Cursors are opaque and
exact but look like the documented ones. `--latency` holds every answer back; `--limit` refuses what goes over so many
requests in any minute, as Loop does.

    python -m tests.bench.server FOLDER   prints its port, serves until its standard input is closed
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import sys
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from loop_returns.api.facts import ASN_PATH, DETAILS_PATH, RETURNS_PATH, STATES
from tests.bench.dataset import CREATED_BEFORE, DAY, NOTICES

MINUTE: Final = 60.0
_NO_ENTRIES: Final = b'{"data": [], "total": 0, "current_page": 1, "last_page": 1, "next_page_url": null}'
_MORE: Final = 4_000_000_000  # seconds, after every time


class Part:
    """The returns of one state, or the notices."""

    def __init__(self, folder: Path, name: str) -> None:
        self.offsets = array("q", (folder / f"{name}.offsets").read_bytes())
        self.times = array("q", (folder / f"{name}.times").read_bytes())
        self.file = os.open(folder / f"{name}.json", os.O_RDONLY)

    def slice(self, first: int, end: int) -> tuple[int, int, int]:
        """Where the texts from one to before another stand: the file, and from where to where in it."""
        begin = self.offsets[first]
        return self.file, begin, max(self.offsets[end] - 1, begin)  # without the last comma


@dataclass
class Server:
    """What all connections share."""

    folder: Path
    latency: float
    limit: int
    url: str = ""
    requests: int = 0
    refused: int = 0
    sent: deque[float] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.parts = {name: Part(self.folder, name) for name in (*STATES, NOTICES)}
        now = datetime.fromisoformat(json.loads((self.folder / "meta.json").read_text())["now"])
        self.date = format_datetime(now, usegmt=True)

    def admit(self) -> int:
        """How many requests are left in this minute after this one; below zero when it is one too many."""
        with self.lock:
            self.requests += 1
            if not self.limit:
                return 0
            now = time.monotonic()
            while self.sent and self.sent[0] <= now - MINUTE:
                self.sent.popleft()
            if len(self.sent) >= self.limit:
                self.refused += 1
                return -1
            self.sent.append(now)
            return self.limit - len(self.sent)


def serve(server: Server, connection: socket.socket) -> None:
    """Answers the requests of one connection until it is closed."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in buffer:
                received = connection.recv(65536)
                if not received:
                    return
                buffer += received
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            try:
                _answer(server, connection, head.split(b" ", 2)[1].decode())
            except (BrokenPipeError, ConnectionResetError):
                return


def _answer(server: Server, connection: socket.socket, target: str) -> None:
    left = server.admit()
    if server.latency:
        time.sleep(server.latency)
    if left < 0:
        _send(server, connection, b'{"message":"Too Many Attempts."}', status="429 Too Many Requests", left=0)
        return
    address = urlsplit(target)
    if address.path.endswith("/_stats"):
        body = json.dumps({"requests": server.requests - 1, "refused": server.refused}).encode()
        _send(server, connection, body, left=left)
    elif address.path.endswith(ASN_PATH):
        _report(server, connection, dict(parse_qsl(address.query)), left=left)
    elif address.path.endswith(RETURNS_PATH):
        _list(server, connection, address.path, dict(parse_qsl(address.query)), left=left)
    elif address.path.endswith(DETAILS_PATH):  # by which a run knows the shop again
        _send(server, connection, b'{"id": 1}', left=left)
    else:  # a shop without anything else
        _send(server, connection, _NO_ENTRIES if address.path.endswith("lists") else b"[]", left=left)


def _report(server: Server, connection: socket.socket, query: dict[str, str], *, left: int) -> None:
    part = server.parts[NOTICES]
    first = bisect_left(part.times, _second(query["from"], 0))
    end = max(bisect_left(part.times, _second(query["to"], 0) + DAY), first)
    _send(server, connection, b"[", part.slice(first, end), b"]", left=left)


def _list(server: Server, connection: socket.socket, path: str, query: dict[str, str], *, left: int) -> None:
    part = server.parts[query.get("state", "closed")]
    shift = CREATED_BEFORE if query.get("filter", "created_at") == "created_at" else 0
    first = bisect_left(part.times, _second(query.get("from"), 0) + shift)
    end = bisect_right(part.times, _second(query.get("to"), _MORE) + shift)
    if "cursor" in query:
        first = max(first, json.loads(base64.b64decode(query["cursor"] + "=="))["_position"])
    paginate = query.get("paginate") == "true"
    last = min(end, first + int(query.get("pageSize", "100"))) if paginate else end
    if not paginate:
        _send(server, connection, b"[", part.slice(first, last), b"]", left=left)
        return
    following = None
    if last < end:
        stamp = datetime.fromtimestamp(part.times[last - 1] - shift, UTC)
        column = query.get("filter", "created_at")
        content = {column: f"{stamp:%Y-%m-%d %H:%M:%S}", "_pointsToNextItems": True, "_position": last}
        cursor = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
        following = f"{server.url}{path}?{urlencode(query | {'cursor': cursor})}"
    links = json.dumps({"nextPageUrl": following, "previousPageUrl": None})[1:].encode()
    _send(server, connection, b'{"returns":[', part.slice(first, last), b"]," + links, left=left)


def _send(
    server: Server,
    connection: socket.socket,
    start: bytes,
    middle: tuple[int, int, int] | None = None,
    end: bytes = b"",
    *,
    left: int,
    status: str = "200 OK",
) -> None:
    file, begin, stop = middle or (0, 0, 0)
    length = len(start) + stop - begin + len(end)
    limits = f"x-ratelimit-limit: {server.limit}\r\nx-ratelimit-remaining: {left}\r\n" if server.limit else ""
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ndate: {server.date}\r\n{limits}"
        f"content-length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + start)
    while begin < stop:
        begin += os.sendfile(connection.fileno(), file, begin, stop - begin)
    if end:
        connection.sendall(end)


def _second(text: str | None, missing: int) -> int:
    if text is None:
        return missing
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def main() -> None:
    """Serves until the standard input is closed, so that no server outlives its benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--limit", type=int, default=0, help="requests in any minute; 0: no limit")
    given = parser.parse_args()
    server = Server(given.folder, given.latency, given.limit)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def accept() -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=serve, args=(server, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
