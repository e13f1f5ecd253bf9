"""Runs tasks side by side in threads and hands their pages over in one stream.

The threads themselves queue what follows a task, so that reading goes on while the consumer is busy. How far they get ahead
is bounded, so memory stays flat. The first failure ends everything and is raised to the consumer; so does leaving early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Generic, Protocol, TypeVar


class Rooted(Protocol):
    """A task; it belongs to the window at position `root`, as do all tasks that follow it."""

    @property
    def root(self) -> int:
        """Position of its window."""


T = TypeVar("T", bound=Rooted)
P = TypeVar("P")


@dataclass(frozen=True)
class Answered(Generic[T, P]):
    """One request was answered."""

    task: T
    page: P


@dataclass(frozen=True)
class WindowDone:
    """Every task of this window is done, and all its pages stand before this in the stream."""

    root: int


@dataclass(frozen=True)
class Idle:
    """Nothing is waiting: the consumer has time for other work before it asks for more."""


Step = Callable[[T], tuple[P | None, Sequence[T]]]
Event = Answered[T, P] | WindowDone | Idle
_Result = tuple[T, P | None, int] | BaseException  # the task, its page and how many tasks follow it


def run_tasks(
    tasks: Sequence[T], step: Step[T, P], *, workers: int, room: int, stop: Callable[[], None]
) -> Generator[Event[T, P], None, None]:
    """Does all tasks and those that follow them; their pages come as they are answered.

    Threads start right away, not when the first event is asked for. Tasks of windows with a lower `root` go first, so that
    windows are finished in order. A consumer that may fail or leave early closes the generator (`contextlib.closing`).

    Args:
        tasks: what is known from the start.
        step: does a task in a thread; returns its page, None when there is nothing to hand over, and the tasks that follow.
        workers: how many threads, at least one.
        room: how many pages may be under way or wait for the consumer, at least one.
        stop: makes steps that are under way end early; called, from any thread and maybe twice, on a failure and when the
            consumer leaves early.

    Raises:
        BaseException: what `step` raised first, after all pages that were answered before.
    """
    events = _events(tasks, step, workers=workers, room=room, stop=stop)
    next(events, None)  # runs it up to where its threads are started and closing it ends them
    return events


def _events(
    tasks: Sequence[T], step: Step[T, P], *, workers: int, room: int, stop: Callable[[], None]
) -> Generator[Event[T, P], None, None]:
    left = Counter(task.root for task in tasks)  # by window: tasks whose result the consumer has not got yet
    if not left:
        return
    todo = _Todo(tasks, room=room)
    results: SimpleQueue[_Result[T, P]] = SimpleQueue()
    try:
        # Daemon threads instead of a ThreadPoolExecutor: Python waits for an executor's threads at exit, so Ctrl-C during a
        # request that the server does not answer would hang for the whole read timeout.
        for n in range(workers):
            Thread(target=_work, args=(todo, step, results, stop), name=f"loop-reader-{n}", daemon=True).start()
        yield Idle()  # taken by `run_tasks`
        while left:
            if results.empty():
                yield Idle()
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            todo.make_room()
            task, page, more = result
            if page is not None:
                yield Answered(task, page)
            left[task.root] += more - 1
            if not left[task.root]:
                del left[task.root]
                yield WindowDone(task.root)
    except BaseException:  # GeneratorExit, too: the consumer leaves early
        todo.end()
        stop()
        raise
    todo.end()


def _work(todo: _Todo[T], step: Step[T, P], results: SimpleQueue[_Result[T, P]], stop: Callable[[], None]) -> None:
    while (task := todo.take()) is not None:
        try:
            page, more = step(task)
            results.put((task, page, len(more)))
            for one in more:  # after the result: a follow-up's could overtake it, and the window would seem to be done
                todo.add(one)
        except BaseException as error:  # noqa: BLE001 # the consumer raises it, or has left and wants to hear of nothing
            results.put(error)  # before `stop`, which makes other steps fail that would have succeeded
            todo.end()
            stop()


class _Todo(Generic[T]):
    """The tasks that no thread has begun, the lowest root first, then in the order they came in."""

    def __init__(self, tasks: Iterable[T], *, room: int) -> None:
        self._changed = Condition()
        self._numbers = count()
        self._heap: list[tuple[int, int, T]] = []
        self._room = room
        self._ended = False
        for task in tasks:
            self.add(task)

    def add(self, task: T) -> None:
        """Queues a task."""
        with self._changed:
            heappush(self._heap, (task.root, next(self._numbers), task))
            self._changed.notify()

    def take(self) -> T | None:
        """The next task, as soon as there is one and room for its page; None when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._heap and self._room))
            if self._ended:
                return None
            self._room -= 1
            return heappop(self._heap)[-1]

    def make_room(self) -> None:
        """Makes room for one more page: the consumer has taken one."""
        with self._changed:
            self._room += 1
            self._changed.notify()

    def end(self) -> None:
        """No task is begun any more; those that wait for one are let go."""
        self._ended = True
        with self._changed:
            self._changed.notify_all()
