"""Shapes pages in other processes: Python runs one thread at a time, and a long run is to read, shape and load at once.

Whatever goes wrong with the processes, the caller shapes its page itself. They see no secret, and end with their parent,
however that ends. (A pool of a library was tried: its processes inherit the environment, and one that is killed while it
answers leaves the parent waiting forever.)
"""

import logging
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from loop_returns.api.response import RawResponse
from loop_returns.extract.page import PageWriter, ShapedPage
from loop_returns.extract.worker import GONE, receive, send

log = logging.getLogger(__name__)

MIN_BYTES: Final = 4_000_000  # that are shaped before a process is started: a few full pages
MAX_PROCESSES: Final = 2  # two shape faster than one can load; each has 90 MB
MAX_WAITING: Final = 2  # pages that wait for a process before another is started; at the API's rate limit hardly one does
_NEEDED: Final = re.compile(  # of the environment, by name; secrets may have any other
    r"(PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|VIRTUAL_ENV|(DY)?LD_\w+|PYTHON\w+)", re.IGNORECASE
)


class ShapingPool:
    """The processes of one run; thread-safe.

    Args:
        writer: what shapes a page and puts it on disk.
        numbers: the first copy numbers of pages.
        min_bytes: how much the caller shapes itself before a process is started.
        processors: how many there are: one is for the caller.
    """

    def __init__(
        self, writer: PageWriter, numbers: Iterator[int], *, min_bytes: int = MIN_BYTES, processors: int | None = None
    ) -> None:
        self._writer = writer
        self._numbers = numbers
        self._bytes_left = min_bytes
        self._waiting = 0  # pages that have no process yet
        self._workers: list[subprocess.Popen[bytes]] = []
        self._starting = 0
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()  # None: no process is left
        self._changing = threading.Lock()
        self._most = min(MAX_PROCESSES, (processors or _processors()) - 1)  # one processor is for the run itself
        self._ended = not self._most or not sys.executable

    def shape(self, response: RawResponse) -> ShapedPage | None:
        """The page in a response with HTTP 200, or None: then the caller shapes or refuses it.

        Waits for a process, but never for one that is being started. Raises nothing.
        """
        with self._changing:
            self._bytes_left -= response.length
            if self._ended or self._bytes_left > 0:
                return None
            ready = len(self._workers) - self._starting
            if not self._starting and len(self._workers) < self._most and (ready == 0 or self._waiting >= MAX_WAITING):
                self._start()
            if ready == 0:
                return None
            self._waiting += 1
            number = next(self._numbers)  # before waiting: of equally new copies the one that was read last is to win
        worker = self._idle.get()
        with self._changing:
            self._waiting -= 1
        if worker is None:
            self._idle.put(None)  # for the next thread that waits
            return None
        try:
            send(worker.stdin, (response.path, response.content, number))  # type: ignore[arg-type] # both ends are pipes
            page: ShapedPage | None = receive(worker.stdout)  # type: ignore[arg-type] # as above
        except GONE as error:
            self._lost(worker, error)
            return None
        self._idle.put(worker)
        return page

    def close(self) -> None:
        """Ends the processes, whatever they are doing; none is started afterwards."""
        with self._changing:
            self._ended = True
            workers = list(self._workers)
        for worker in workers:
            _end(worker)
        self._idle.put(None)

    def _start(self) -> None:
        """Starts a process; a thread waits until it is ready."""
        command = [sys.executable, "-P", "-m", "loop_returns.extract.worker"]
        try:
            worker = subprocess.Popen(  # noqa: S603 - this very program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError as error:
            self._ended = not self._workers
            log.info("no process to shape pages: %s", error)
            return
        self._workers.append(worker)
        self._starting += 1
        threading.Thread(target=self._await_ready, args=(worker,), name="loop-worker", daemon=True).start()

    def _await_ready(self, worker: subprocess.Popen[bytes]) -> None:
        try:
            send(worker.stdin, self._writer)  # type: ignore[arg-type] # both ends are pipes
            receive(worker.stdout)  # type: ignore[arg-type] # as above
        except GONE as error:
            self._lost(worker, error, started=False)
            return
        with self._changing:
            self._starting -= 1
        self._idle.put(worker)

    def _lost(self, worker: subprocess.Popen[bytes], error: BaseException, *, started: bool = True) -> None:
        """Takes note that a process has ended: it is not replaced, and after the last one the caller shapes every page."""
        log.info("a process that shaped pages ended: %r", error)
        _end(worker)
        with self._changing:
            self._starting -= not started
            self._workers = [one for one in self._workers if one is not worker]
            self._ended = self._ended or not self._workers
            if self._ended:
                self._idle.put(None)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        with suppress(OSError):  # what was not sent is lost with it
            pipe.close()  # type: ignore[union-attr] # both are pipes


def _environment() -> dict[str, str]:
    """The environment without anything that may be a key or a password."""
    return {name: value for name, value in os.environ.items() if _NEEDED.fullmatch(name)}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
