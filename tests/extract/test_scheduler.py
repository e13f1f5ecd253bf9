"""Tasks run side by side while the consumer works; the stream is bounded, in order, and ends cleanly however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_returns.errors import CancelledError
from loop_returns.extract.scheduler import Answered, Idle, WindowDone, run_tasks
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence


@dataclass(frozen=True)
class Node:
    """A task that leads to others, and whether it has a page."""

    root: int
    name: str
    more: tuple[Node, ...] = ()
    page: bool = True

    @property
    def order(self) -> int:
        return self.root


def chain(root: int, length: int, name: str = "") -> Node:
    """A task that is followed by one that is followed by one."""
    return Node(root, f"{name}{root}.{length}", (chain(root, length - 1, name),) if length > 1 else ())


def step(node: Node) -> tuple[str | None, Sequence[Node]]:
    return node.name if node.page else None, node.more


def everything(node: Node) -> list[Node]:
    """The task and all that follow from it."""
    return [node, *(below for one in node.more for below in everything(one))]


@pytest.fixture
def started() -> Callable[[], list[threading.Thread]]:
    """The threads that the test has started and that have not ended."""
    before = threading.enumerate()
    return lambda: [thread for thread in threading.enumerate() if thread not in before]


class Stop:
    """What ends requests that are under way; knows whether it was called."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self) -> None:
        self.event.set()

    def wait(self) -> None:
        """A request that only ends when it is told to."""
        assert self.event.wait(PATIENCE)
        raise CancelledError("the run is ending")


def never() -> None:
    raise AssertionError("stopped, though all went well")


def pages(events: Iterator[Any]) -> list[Any]:
    return [event.page for event in events if isinstance(event, Answered)]


def join(threads: Sequence[threading.Thread]) -> bool:
    """Whether all of them end."""
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


TREES = st.recursive(
    st.builds(lambda page: ((), page), st.booleans()),
    lambda inner: st.tuples(st.lists(inner, max_size=4).map(tuple), st.booleans()),
    max_leaves=12,
)


def planted(tree: Any, root: int, name: str) -> Node:
    more, page = tree
    return Node(root, name, tuple(planted(one, root, f"{name}.{n}") for n, one in enumerate(more)), page)


@given(
    st.lists(st.tuples(st.integers(0, 4), TREES), max_size=8),
    st.integers(1, 6),
    st.integers(1, 5),
)
def test_each_task_is_done_once(trees: list[tuple[int, Any]], workers: int, room: int) -> None:
    """Whatever follows from what: each task is done once, each window announced once, after all its pages."""
    tasks = [planted(tree, root, f"{n}") for n, (root, tree) in enumerate(trees)]
    done: list[str] = []

    def noting(node: Node) -> tuple[str | None, Sequence[Node]]:
        done.append(node.name)
        return step(node)

    events = [event for event in run_tasks(tasks, noting, workers=workers, room=room, stop=never) if event != Idle()]
    nodes = [node for task in tasks for node in everything(task)]
    assert Counter(done) == Counter(node.name for node in nodes)
    answered = [event for event in events if isinstance(event, Answered)]
    assert Counter(event.page for event in answered) == Counter(node.name for node in nodes if node.page)
    assert all(event.page == event.task.name for event in answered)
    assert Counter(event.root for event in events if isinstance(event, WindowDone)) == Counter({task.root for task in tasks})
    for place, event in enumerate(events):
        if isinstance(event, WindowDone):
            assert all(later.task.root != event.root for later in events[place:] if isinstance(later, Answered))


def test_reading_goes_on_while_the_consumer_is_busy() -> None:
    """A consumer that takes one page and works on it finds the rest of a chain of pages read when it comes back."""
    last = threading.Event()

    def noting(node: Node) -> tuple[str | None, Sequence[Node]]:
        if not node.more:
            last.set()
        return step(node)

    events = run_tasks([chain(0, 20)], noting, workers=2, room=20, stop=never)
    first = next(event for event in events if isinstance(event, Answered))
    assert last.wait(PATIENCE)  # the consumer is at work here
    assert [first.page, *pages(events)] == [f"0.{n}" for n in range(20, 0, -1)]


def test_reading_starts_before_the_first_event_is_asked_for(started: Callable[[], list[threading.Thread]]) -> None:
    """Pages come in while the consumer prepares; one that never asks for them can still end it."""
    begun = threading.Event()
    stop = Stop()

    def noting(node: Node) -> tuple[str | None, Sequence[Node]]:
        begun.set()
        return step(node)

    events = run_tasks([chain(0, 5)], noting, workers=2, room=1, stop=stop)
    assert begun.wait(PATIENCE)
    threads = started()
    events.close()
    assert join(threads)
    assert stop.event.is_set()


def test_as_many_side_by_side_as_there_are_workers() -> None:
    """All workers are under way at once: each waits here for the others."""
    together = threading.Barrier(4)

    def meet(node: Node) -> tuple[str | None, Sequence[Node]]:
        together.wait(PATIENCE)
        return step(node)

    tasks = [Node(n // 4, str(n)) for n in range(8)]
    assert len(pages(run_tasks(tasks, meet, workers=4, room=8, stop=never))) == 8


@pytest.mark.parametrize("room", [1, 3])
def test_no_more_is_read_than_there_is_room_for(room: int) -> None:
    """While nobody takes pages, only as many requests are made as there is room for; each page taken makes room for one."""
    begun = threading.Semaphore(0)
    names: list[str] = []

    def noting(node: Node) -> tuple[str | None, Sequence[Node]]:
        names.append(node.name)
        begun.release()
        return step(node)

    events = run_tasks([Node(0, str(n)) for n in range(12)], noting, workers=8, room=room, stop=never)
    for _ in range(room):
        assert begun.acquire(timeout=PATIENCE)
    for taken in range(12 - room):
        assert len(names) == room + taken
        assert isinstance(next(event for event in events if event != Idle()), Answered)
        assert begun.acquire(timeout=PATIENCE)
    assert len(pages(events)) == room


def test_windows_are_finished_in_order() -> None:
    """What follows in a window that is begun goes before the windows after it; its tasks take turns."""
    order: list[str] = []

    def noting(node: Node) -> tuple[str | None, Sequence[Node]]:
        order.append(node.name)
        return step(node)

    tasks = [chain(2, 2), chain(0, 3, "a"), chain(0, 3, "b"), chain(1, 2)]
    events = [event for event in run_tasks(tasks, noting, workers=1, room=1, stop=never) if event != Idle()]
    assert order == ["a0.3", "b0.3", "a0.2", "b0.2", "a0.1", "b0.1", "1.2", "1.1", "2.2", "2.1"]
    assert [event.page if isinstance(event, Answered) else event for event in events] == [
        *order[:6], WindowDone(0), *order[6:8], WindowDone(1), *order[8:], WindowDone(2),
    ]  # fmt: skip # a list


class Followers(list[Node]):
    """Tasks that are not queued before the page of the one they follow has reached the consumer."""

    def __init__(self, tasks: Sequence[Node], arrived: threading.Event) -> None:
        super().__init__(tasks)
        self._arrived = arrived

    def __iter__(self) -> Iterator[Node]:
        assert self._arrived.wait(PATIENCE), "queued first: their pages could overtake"
        return super().__iter__()


def test_a_window_is_done_after_its_last_page() -> None:
    """However quick follow-ups are, their pages can't overtake the page they follow: it is on its way before they begin."""
    arrived = threading.Event()

    def guarded(node: Node) -> tuple[str | None, Sequence[Node]]:
        return node.name, Followers(node.more, arrived) if node.more else ()

    events = []
    for event in run_tasks([chain(0, 2)], guarded, workers=4, room=4, stop=never):
        if isinstance(event, Answered):
            arrived.set()
        events.append(event.page if isinstance(event, Answered) else event)
    assert [event for event in events if event != Idle()] == ["0.2", "0.1", WindowDone(0)]


def test_idle_while_a_request_is_under_way() -> None:
    """When nothing is waiting the consumer hears of it before it has to wait, and never when something is."""
    told, begun = threading.Event(), threading.Event()

    def slow(node: Node) -> tuple[str | None, Sequence[Node]]:
        if node.name == "0.3":
            assert told.wait(PATIENCE)
        if node.name == "0.1":  # begun by the only worker, so the page before it is waiting
            begun.set()
        return step(node)

    events = run_tasks([chain(0, 3)], slow, workers=1, room=3, stop=never)
    assert next(events) == Idle()
    told.set()
    assert begun.wait(PATIENCE)
    assert [next(events), next(events)] == [Answered(chain(0, 3), "0.3"), Answered(chain(0, 2), "0.2")]
    assert [event for event in events if event != Idle()] == [Answered(chain(0, 1), "0.1"), WindowDone(0)]


def test_no_tasks(started: Callable[[], list[threading.Thread]]) -> None:
    """Nothing to do ends at once, without threads."""
    events = run_tasks([], step, workers=4, room=4, stop=never)
    assert started() == []
    assert list(events) == []


def test_the_threads_end_when_all_is_done(started: Callable[[], list[threading.Thread]]) -> None:
    """After the last window nothing is left running, and requests of others with the same key are not stopped."""
    events = run_tasks([chain(0, 3), chain(1, 3)], step, workers=4, room=2, stop=never)
    threads = started()
    assert len(threads) == 4
    assert all(thread.daemon for thread in threads)
    assert len(pages(events)) == 6
    assert join(threads)


def test_the_first_failure_is_raised(started: Callable[[], list[threading.Thread]]) -> None:
    """It comes after what was answered before; requests under way are stopped, none is begun, and all threads end."""
    under_way = threading.Semaphore(0)
    stop = Stop()

    def failing(node: Node) -> tuple[str | None, Sequence[Node]]:
        if node.name == "good":
            return step(node)
        if node.name == "bad":
            for _ in range(3):
                assert under_way.acquire(timeout=PATIENCE)
            raise ZeroDivisionError("the first")
        assert node.name == "slow", "begun after the failure"
        under_way.release()
        stop.wait()
        raise AssertionError

    tasks = [Node(0, "good"), Node(0, "bad"), *[Node(0, "slow")] * 3, *[Node(1, "late")] * 9]
    events = run_tasks(tasks, failing, workers=4, room=5, stop=stop)
    threads = started()
    assert stop.event.wait(PATIENCE)  # at once, not only when the consumer comes to hear of it
    assert next(event for event in events if event != Idle()) == Answered(tasks[0], "good")
    with pytest.raises(ZeroDivisionError, match="the first"):
        list(events)
    assert join(threads)


def test_stopped_by_somebody_else() -> None:
    """When requests are given up though nothing failed here, the consumer hears of it instead of waiting for ever."""

    def given_up(node: Node) -> tuple[str | None, Sequence[Node]]:
        raise CancelledError("the run is ending")

    with pytest.raises(CancelledError):
        list(run_tasks([Node(0, "a")], given_up, workers=2, room=1, stop=lambda: None))


@pytest.mark.parametrize("way", ["break", "closing", "raise"])
def test_leaving_early(started: Callable[[], list[threading.Thread]], way: str) -> None:
    """A consumer that leaves ends all threads: those in a request, those without room, and those without a task."""
    stop = Stop()
    waiting = threading.Event()

    def stuck(node: Node) -> tuple[str | None, Sequence[Node]]:
        if node.name == "stuck":
            waiting.set()
            stop.wait()
        return step(node)

    tasks = [Node(0, "quick"), Node(0, "stuck"), *[Node(1, "no room")] * 9]
    events = run_tasks(tasks, stuck, workers=5, room=2, stop=stop)
    threads = started()
    assert waiting.wait(PATIENCE)
    leave(events, way)
    del events
    assert stop.event.is_set()
    assert join(threads)


def leave(events: Generator[Any, None, None], way: str) -> None:
    """Takes one event and no more."""
    with suppress(ZeroDivisionError), closing(events) if way != "break" else nullcontext():
        for _ in events:
            if way == "raise":
                raise ZeroDivisionError
            break


CTRL_C = """
import signal, threading
from dataclasses import dataclass
from loop_returns.extract.scheduler import run_tasks

@dataclass(frozen=True)
class Task:
    root: int = 0
    order: int = 0

signal.signal(signal.SIGINT, signal.default_int_handler)
begun = threading.Event()

def unanswered(task):
    begun.set()
    threading.Event().wait()

for _ in run_tasks([Task()], unanswered, workers=2, room=2, stop=lambda: print("stopped", flush=True)):
    begun.wait()
    print("waiting", flush=True)
"""


def test_ctrl_c_during_a_request_that_is_not_answered() -> None:
    """The process ends at once, though a thread is in a request that nothing can end."""
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert out == "stopped\n"
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


_INTERRUPTED = """
import random, signal, threading
from contextlib import suppress
from dataclasses import dataclass
from loop_returns.extract.scheduler import run_tasks

@dataclass(frozen=True)
class Endless:
    root: int
    order: int = 0

def interrupt(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
for _ in range(400):
    stopped = threading.Event()
    events = run_tasks([Endless(0)], lambda task: ("page", [task]), workers=2, room=8, stop=stopped.set)
    with suppress(KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.004))
        for _ in events:
            pass
    events.close()
    assert stopped.wait(60)
print("all ended")
"""


def test_an_interrupt_at_any_moment_ends_the_stream():
    """Wherever Ctrl-C hits the consumer, the stream ends: no lock stays taken that the end needs."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == "all ended\n", done.stderr
