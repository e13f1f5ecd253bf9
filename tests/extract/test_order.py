"""The notices of a stretch of time are asked for before its returns: no chain of requests is left over at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loop_returns.api.windows import DAY, DayWindow, days, split
from loop_returns.extract.planning import NoticesPlan, ReturnsPlan
from loop_returns.extract.scheduler import run_tasks
from loop_returns.extract.tasks import ListTask, NoticesTask, Task

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(windows=st.integers(1, 9), chains=st.integers(1, 4), pages=st.integers(1, 6))
def test_notices_go_first(windows: int, chains: int, pages: int):
    """However many requests windows of returns lead to, each chain of notices is done before the returns that it goes with.

    And it is not begun before the returns of earlier windows: long answers are not piled up.
    """
    returns = ReturnsPlan(tuple(split(START, START + timedelta(days=windows), width=timedelta(days=1))), "updated_at")
    notices = NoticesPlan(tuple(days(date(2026, 1, 1), date(2026, 1, 12), width=-(-12 // chains))), width=2, most=2)
    done: list[Task] = []

    def step(task: Task) -> tuple[None, list[Task]]:
        done.append(task)
        if isinstance(task, ListTask):
            number = len(task.visited)
            return None, [replace(task, visited=task.visited | {str(number)})] if number < pages else []
        assert isinstance(task, NoticesTask)
        if task.asked.last == task.window.last:
            return None, []
        return None, [replace(task, window=DayWindow(task.asked.last + DAY, task.window.last))]

    tasks = [*returns.tasks(), *notices.tasks(len(returns.windows))]
    list(run_tasks(tasks, step, workers=1, room=1, stop=lambda: None))
    roots = [task.root for task in done]
    for n in range(len(notices.windows)):
        chain = [place for place, root in enumerate(roots) if root == len(returns.windows) + n]
        goes_with = n * len(returns.windows) // len(notices.windows)
        before = [place for place, root in enumerate(roots) if root < goes_with]
        after = [place for place, root in enumerate(roots) if goes_with <= root < len(returns.windows)]
        assert max(before, default=-1) < min(chain) <= max(chain) < min(after)
