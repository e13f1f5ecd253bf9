"""Runs tasks side by side in threads and hands their pages over in one stream.

The threads themselves queue what follows a task, so that reading goes on while the consumer is busy. How far they get ahead
is bounded, so memory stays flat. The first failure ends everything and is raised to the consumer; so does leaving early.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from queue import PriorityQueue, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeAlias

from loop_returns.extract.page import ShapedPage
from loop_returns.extract.tasks import Task

Step = Callable[[Task], tuple[ShapedPage | None, Sequence[Task]]]


@dataclass(frozen=True)
class Answered:
    """The response to one request was read, which `began` then, in seconds of a monotonic clock."""

    task: Task
    page: ShapedPage
    began: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class WindowDone:
    """Every task of the window at position `root` is done, and all its pages stand before this in the stream."""

    root: int


@dataclass(frozen=True)
class Idle:
    """No page is waiting: the consumer has time for other work before it asks for more."""


Event: TypeAlias = Answered | WindowDone | Idle
_Result: TypeAlias = tuple[Answered | None, int, int] | BaseException  # of a task: the answer, its root, how many follow


def run_tasks(
    tasks: Sequence[Task], step: Step, *, workers: int, room: int, stop: Callable[[], None]
) -> Generator[Event, None, None]:
    """Does all tasks and those that follow them; their pages come as they are read.

    Threads start right away, not when the first event is asked for. Tasks with a lower `order` go first, so that windows are
    finished in order. A consumer that may fail or leave early closes the generator (`contextlib.closing`).

    Args:
        tasks: what is known from the start.
        step: does a task in a thread; returns its page, None when there is nothing to hand over, and the tasks that follow.
        workers: how many threads, at least one.
        room: how many pages may be under way or wait for the consumer, at least one.
        stop: makes steps that are under way end early; called, from any thread and maybe twice, on a failure and when the
            consumer leaves early.

    Raises:
        BaseException: what `step` raised first, after all pages that were read before.
    """
    events = _events(tasks, step, workers=workers, room=room, stop=stop)
    next(events, None)  # runs it up to where its threads are started and closing it ends them
    return events


def _events(
    tasks: Sequence[Task], step: Step, *, workers: int, room: int, stop: Callable[[], None]
) -> Generator[Event, None, None]:
    left = Counter(task.root for task in tasks)  # by window: tasks whose result the consumer has not got yet
    if not left:
        return
    queue = _TaskQueue(tasks, workers=workers, room=room)
    results: SimpleQueue[_Result] = SimpleQueue()
    try:
        # Daemon threads instead of a ThreadPoolExecutor: Python waits for an executor's threads at exit, so Ctrl-C during a
        # request that the server does not answer would hang for the whole read timeout.
        for n in range(workers):
            Thread(target=_work, args=(queue, step, results, stop), name=f"loop-reader-{n}", daemon=True).start()
        yield Idle()  # taken by `run_tasks`
        while left:
            if results.empty():
                yield Idle()
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            queue.make_room()
            answered, root, more = result
            if answered is not None:
                yield answered
            left[root] += more - 1
            if not left[root]:
                del left[root]
                yield WindowDone(root)
    except BaseException:  # GeneratorExit, too: the consumer leaves early
        queue.end()
        stop()
        raise
    queue.end()


def _work(queue: "_TaskQueue", step: Step, results: SimpleQueue[_Result], stop: Callable[[], None]) -> None:
    while (task := queue.take()) is not None:
        try:
            began = monotonic()
            page, following = step(task)
            answered = None if page is None else Answered(task, page, began)
            results.put((answered, task.root, len(following)))
            for one in following:  # after the result: a follow-up's could overtake it, and the window would seem to be done
                queue.add(one)
        except BaseException as error:  # noqa: BLE001 # the consumer raises it, unless it has left
            results.put(error)  # before `stop`, which makes other steps fail that would have succeeded
            queue.end()
            stop()


class _TaskQueue:
    """The tasks that no thread has begun, the lowest `order` first, then in the order they came in."""

    def __init__(self, tasks: Iterable[Task], *, workers: int, room: int) -> None:
        self._tasks: PriorityQueue[tuple[float, int, Task | None]] = PriorityQueue()
        self._numbers = count()
        self._room: SimpleQueue[None] = SimpleQueue()  # not a semaphore, whose lock Ctrl-C in `release` would leave taken
        self._workers = workers
        for _ in range(room):
            self.make_room()
        for task in tasks:
            self.add(task)

    def add(self, task: Task) -> None:
        """Queues a task."""
        self._tasks.put((task.order, next(self._numbers), task))

    def take(self) -> Task | None:
        """The next task, as soon as there is one and room for its page; None when it is over."""
        self._room.get()
        return self._tasks.get()[-1]

    def make_room(self) -> None:
        """Makes room for one more page: the consumer has taken one."""
        self._room.put(None)

    def end(self) -> None:
        """No task is begun any more; those that wait for one are let go."""
        for _ in range(self._workers):
            self._tasks.put((-1, next(self._numbers), None))  # before every task
            self._room.put(None)
