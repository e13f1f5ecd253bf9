"""A second process that shapes pages, so that a long run reads and loads at the same time: Python lets one thread work.

It is started when a run has read enough to be worth it, and gets the bytes of whole answers; it never sees the key. Whatever
goes wrong with it, the caller shapes its page itself. It ends with its parent, however that ends: its input closes.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from loop_returns.extract.page import ShapedPage, shape_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.tables.shape import Shaper

log = logging.getLogger(__name__)

WORTH_IT: Final = 4_000_000  # bytes a run reads before it starts a helper: a few full pages
_PROTOCOL: Final = 5
_GONE: Final = (OSError, EOFError, ValueError, pickle.UnpicklingError)  # what a dead or closed helper looks like


class Helper:
    """One helper process; thread-safe. `numbers` are the first copy numbers of pages."""

    def __init__(self, shaper: Shaper, numbers: Iterator[int]) -> None:
        self._shaper = shaper
        self._numbers = numbers
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._ended = _processors() == 1  # nothing to win
        self._asking = threading.Lock()
        self._asked: deque[tuple[int, Future[ShapedPage | None]]] = deque()  # a page's number, and who waits for it

    @property
    def is_ready(self) -> bool:
        """True while it can be asked."""
        return self._ready.is_set() and not self._ended

    @property
    def waiting(self) -> int:
        """How many pages it has been asked for and has not answered yet."""
        return len(self._asked)

    def shape(self, body: bytes) -> ShapedPage | None:
        """The page in a body that came with HTTP 200; None where the caller has to shape or to refuse it."""
        if not self._ready.is_set():
            self._begin(len(body))
            return None
        try:
            return self._ask(body).result()
        except _GONE:
            return None

    def close(self) -> None:
        """Ends the helper, whatever it is doing."""
        with self._asking:
            self._ended = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _begin(self, received: int) -> None:
        self._seen += received
        if self._seen >= WORTH_IT:
            self.start()

    def start(self) -> None:
        """Starts the process, unless there was one or there can be none; `is_ready` says when it can be asked."""
        with self._asking:
            if self._ended or self._process is not None or not sys.executable:
                return
            command = [sys.executable, "-P", "-m", "loop_returns.helper"]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this very program
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            except OSError as error:
                self._ended = True
                log.info("no helper: %s", error)
                return
        threading.Thread(target=self._listen, args=(self._process,), name="loop-helper", daemon=True).start()

    def _ask(self, body: bytes) -> Future[ShapedPage | None]:
        answer: Future[ShapedPage | None] = Future()
        with self._asking:
            if self._ended or self._process is None or self._process.stdin is None:
                raise EOFError
            number = next(self._numbers)
            self._asked.append((number, answer))
            _send(self._process.stdin, (body, number))
        return answer

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Hands the answers, which come in the order of the questions, to those who asked."""
        inward, outward = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            _send(inward, self._shaper)
            _receive(outward)
            self._ready.set()
            while True:
                number, page = _receive(outward)
                asked, answer = self._asked.popleft()
                if number != asked:  # a question was lost on its way: nobody may go on from another's page
                    answer.set_exception(EOFError())
                    break
                answer.set_result(page)
        except _GONE as error:
            log.info("the helper ended: %r", error)
        finally:
            process.kill()  # whoever is sending to it stops
            with self._asking:
                self._ended = True
                while self._asked:
                    self._asked.popleft()[1].set_exception(EOFError())


def _send(pipe: IO[bytes], what: object) -> None:
    pickle.dump(what, pipe, protocol=_PROTOCOL)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    return pickle.load(pipe)  # noqa: S301 - what this program wrote itself


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """The helper itself: answers bodies with pages, or with None where a body holds none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    pa.set_memory_pool(pa.system_memory_pool())  # its own pool keeps what it has had
    inward, outward = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nobody's print gets between the answers
    shaper: Shaper = _receive(inward)
    _send(outward, "ready")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # a page is many objects and no cycles
    while True:
        try:
            body, first_copy = _receive(inward)
        except EOFError:  # the parent is gone
            return
        try:
            page = shape_bytes(body, shaper, first_copy=first_copy)
        except Exception:  # noqa: BLE001 - the parent tries the same, and says what is wrong
            page = None
        _send(outward, (first_copy, page))


if __name__ == "__main__":
    main()
