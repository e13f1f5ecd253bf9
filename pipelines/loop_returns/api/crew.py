"""Reads units of work side by side in threads and hands their results over in one stream.

The stream is bounded: readers wait when the consumer is busy, so memory stays flat. The first failure stops everybody and
is raised to the consumer; so does leaving the stream early.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from loop_returns.api.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from loop_returns.api.walk import Unit

T = TypeVar("T")
_TICK = 0.2  # seconds between two looks at the stop flag while waiting


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something a reader has read."""

    item: T


@dataclass(frozen=True)
class Pause:
    """Nothing is waiting: the consumer has time for other work before it asks for more."""


@dataclass(frozen=True)
class WindowDone:
    """Every unit of this window is read, and everything found in it stands before this in the stream."""

    root: int


class Crew(Generic[T]):
    """A crew of `workers` threads; `room` is how many results may wait for the consumer."""

    def __init__(self, *, workers: int, room: int) -> None:
        self._workers = workers
        self._events: queue.Queue[Found[T] | WindowDone | BaseException | None] = queue.Queue(maxsize=room)
        self._todo: deque[Unit] = deque()
        self._open: Counter[int] = Counter()
        self._changed = threading.Condition()
        self._stop = threading.Event()

    def put(self, item: T) -> None:
        """Hands something over to the consumer; called by readers. Waits for room; raises Stopped at the end."""
        self._put(Found(item))

    def run(self, units: Iterable[Unit], read: Callable[[Unit], list[Unit]]) -> Iterator[Found[T] | WindowDone | Pause]:
        """Reads all units and those that `read` returns in their place; yields what was found as it comes.

        Raises what `read` raised first.
        """
        self._todo.extend(units)
        self._open.update(unit.root for unit in self._todo)
        threads = [
            threading.Thread(target=self._work, args=(read,), name=f"loop-reader-{n}", daemon=True)
            for n in range(self._workers)
        ]
        if not self._todo:
            return
        for thread in threads:
            thread.start()
        ended = 0
        try:
            while ended < len(threads):
                try:
                    event = self._events.get_nowait()
                except queue.Empty:
                    yield Pause()
                    event = self._events.get()
                if event is None:
                    ended += 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    yield event
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()

    def _work(self, read: Callable[[Unit], list[Unit]]) -> None:
        try:
            while (unit := self._next()) is not None:
                more = read(unit)
                self._finished(unit, more)
            self._put(None)
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            self._stop_with(error)

    def _next(self) -> Unit | None:
        with self._changed:
            while not self._todo:
                if self._stop.is_set():
                    raise Stopped
                if not self._open:
                    return None
                self._changed.wait(_TICK)
            if self._stop.is_set():
                raise Stopped
            return self._todo.popleft()

    def _finished(self, unit: Unit, more: list[Unit]) -> None:
        with self._changed:
            self._todo.extendleft(reversed(more))  # first what is begun, so that windows end in order
            self._open[unit.root] += len(more) - 1
            done = self._open[unit.root] == 0
            if done:
                del self._open[unit.root]
            self._changed.notify_all()
        if done:
            self._put(WindowDone(unit.root))

    def _put(self, event: Found[T] | WindowDone | None) -> None:
        while not self._stop.is_set():
            try:
                self._events.put(event, timeout=_TICK)
            except queue.Full:
                continue
            return
        raise Stopped

    def _stop_with(self, error: BaseException) -> None:
        self._stop.set()
        while True:  # the consumer must hear of it: make room where the stream is full
            try:
                self._events.put_nowait(error)
            except queue.Full:
                try:
                    self._events.get_nowait()
                except queue.Empty:
                    continue
            else:
                return
