"""Following tasks from page to page finds every return of a window, however the server pages, and asks nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Literal, cast

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_returns.api.facts import STATES
from loop_returns.api.windows import DayWindow, Window, split
from loop_returns.errors import InvalidResponseError, RangeRejectedError
from loop_returns.extract.page import ShapedPage
from loop_returns.extract.tasks import (
    NOTICES_AT_ONCE,
    ListTask,
    NoticesTask,
    Task,
    following,
    halves,
    is_divisible,
    is_recheck,
    list_tasks,
    params_of,
)
from loop_returns.sandbox import cursors
from loop_returns.tables.shipping import ASN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loop_returns.extract.tasks import Column

COLUMNS: tuple[Column, Column] = ("created_at", "updated_at")
ZERO = datetime(2024, 3, 1, tzinfo=UTC)
DAY = Window(ZERO, ZERO + timedelta(days=1))
REFUSED = RangeRejectedError("The date range is too wide.")


def at(second: int) -> datetime:
    return ZERO + timedelta(seconds=second)


def seconds(first: int, last: int) -> Window:
    return Window(at(first), at(last))


def cursor_at(column: str, second: int, *, number: int | None = None, opaque: bool = False) -> str:
    return cursors.encode(column, cursors.CursorPosition(int(at(second).timestamp()), number), opaque=opaque)


@dataclass(frozen=True)
class Row:
    """A return, its times as seconds after ZERO; `garbled` are columns that come in a form that nobody can read."""

    created_at: int
    updated_at: int
    state: str = "open"
    garbled: frozenset[str] = frozenset()
    number: int = 0

    def second(self, column: str) -> int:
        return cast("int", getattr(self, column))


@dataclass(frozen=True)
class Answer:
    """A page as the tasks see it."""

    rows: Sequence[Row]
    cursor: str | None

    def times(self, column: str) -> list[datetime | None]:
        return [None if column in row.garbled else at(row.second(column)) for row in self.rows]


@dataclass(frozen=True)
class Server:
    """The returns list with the quirks of the sandbox's: without a tiebreaker, it skips what shares a page edge's second."""

    rows: Sequence[Row]
    cursor: Literal["timestamp", "tiebreaker", "opaque"] = "timestamp"
    order: Literal["asc", "desc"] = "desc"
    paged_by: Literal["filter", "created_at"] = "created_at"
    from_inclusive: bool = True
    to_inclusive: bool = True
    stuck: bool = False  # from the second page on, the next link repeats the cursor it was asked with
    widest: int = 100_000  # seconds of a range that is served

    def answer(self, params: Mapping[str, str | int]) -> Answer:
        low, high = ((datetime.fromisoformat(str(params[name])) - ZERO) // timedelta(seconds=1) for name in ("from", "to"))
        if high - low > self.widest:
            raise REFUSED
        low, high = low + (not self.from_inclusive), high - (not self.to_inclusive)
        column = str(params["filter"])
        rows = [row for row in self.rows if row.state == params["state"] and low <= row.second(column) <= high]
        if "paginate" not in params:
            return Answer(rows, None)
        by = column if self.paged_by == "filter" else "created_at"
        rows.sort(key=lambda row: (row.second(by), row.number), reverse=self.order == "desc")
        asked = params.get("cursor")
        rows = [row for row in rows if asked is None or self._is_beyond(row, by, str(asked))]
        page = rows[: int(params["pageSize"])]
        if len(page) == len(rows):
            return Answer(page, None)
        return Answer(page, str(asked) if self.stuck and asked else self._cursor(page[-1], by))

    def _cursor(self, last: Row, by: str) -> str:
        number = last.number if self.cursor == "tiebreaker" else None
        return cursor_at(by, last.second(by), number=number, opaque=self.cursor == "opaque")

    def _is_beyond(self, row: Row, by: str, cursor: str) -> bool:
        edge = cursors.decode(cursor)
        assert edge is not None
        here, there = (row.second(by), row.number), (edge.second - int(ZERO.timestamp()), edge.number)
        if edge.number is None or here[0] != there[0]:
            return here[0] < there[0] if self.order == "desc" else here[0] > there[0]
        return here[1] < edge.number if self.order == "desc" else here[1] > edge.number


def follow(
    server: Server, tasks: Sequence[Task], *, page_size: int = 2, workers: int = 1, chance: Random | None = None
) -> tuple[list[Row], list[Task]]:
    """All rows that came, and all tasks that were done, in any order that threads may do them in."""
    chance = chance or Random(1)
    rows: list[Row] = []
    done: list[Task] = []
    todo = list(tasks)
    while todo:
        assert len(done) < 1000, "this does not end"
        done.append(task := todo.pop(chance.randrange(len(todo))))
        try:
            page = server.answer(params_of(task, page_size=page_size))
        except RangeRejectedError as refused:
            todo += halves(task, refused)
            continue
        rows += page.rows
        todo += following(task, page, workers=workers)
    return rows, done


def shops(garbled: st.SearchStrategy[frozenset[str]]) -> st.SearchStrategy[list[Row]]:
    """Returns that share seconds, most of them in one state, some of them stamped by one job."""
    row = st.builds(
        Row,
        created_at=st.integers(0, 12),
        updated_at=st.integers(0, 12) | st.integers(9, 10),
        state=st.sampled_from(["open", "open", "open", "cancelled"]),
        garbled=garbled,
    )
    return st.lists(row, min_size=6, max_size=25).map(
        lambda rows: [replace(row, number=number) for number, row in enumerate(rows)]
    )


CLEAN = st.just(frozenset[str]())
SERVERS = st.builds(
    Server,
    rows=shops(CLEAN) | shops(CLEAN) | shops(CLEAN | st.frozensets(st.sampled_from(COLUMNS))),
    cursor=st.sampled_from(["timestamp", "tiebreaker", "opaque"]),
    order=st.sampled_from(["asc", "desc"]),
    paged_by=st.sampled_from(["filter", "created_at"]),
    from_inclusive=st.booleans(),
    to_inclusive=st.booleans(),
    stuck=st.booleans(),
    widest=st.just(100_000) | st.integers(4, 15),
)


@settings(deadline=None, max_examples=500)
@given(
    server=SERVERS,
    column=st.sampled_from(COLUMNS),
    bounds=st.just([0, 12]) | st.tuples(st.integers(-1, 13), st.integers(-1, 13)).map(sorted),
    width=st.just(12) | st.integers(1, 14),
    page_size=st.sampled_from([2, 3, 1, 4, 5]),
    workers=st.integers(1, 4),
    chance=st.randoms(use_true_random=False),
)
def test_every_return_is_found(
    server: Server, column: Column, bounds: list[int], width: int, page_size: int, workers: int, chance: Random
) -> None:
    """Whatever cursor, order, borders, ties and caps the server has: nothing in the windows is missed, and it ends."""
    windows = split(at(bounds[0]), at(bounds[1]), width=timedelta(seconds=width))
    found, done = follow(server, list_tasks(windows, column=column), page_size=page_size, workers=workers, chance=chance)
    wanted = {row.number for row in server.rows if bounds[0] <= row.second(column) <= bounds[1]}
    assert wanted <= {row.number for row in found}
    assert {task.root for task in done} == set(range(len(windows)))
    if server.cursor == "tiebreaker" and not server.stuck:
        assert not any(map(is_recheck, done))


def test_a_tiebreaker_costs_nothing() -> None:
    """Where the cursor names a unique column, pages are read by it alone, and no row comes twice."""
    rows = [Row(second // 4, 30, number=second) for second in range(40)]
    for column in COLUMNS:
        found, done = follow(Server(rows, cursor="tiebreaker"), [ListTask(DAY, "open", column, 0)], page_size=4)
        assert sorted(row.number for row in found) == list(range(40))
        assert len(done) == 10


def test_a_second_is_read_again_once() -> None:
    """Pages that end in the same second of another column lead to one more request, not to one each."""
    rows = [Row(60 - second, 5, number=second) for second in range(20)]
    server = Server(rows, cursor="opaque", paged_by="created_at")
    found, done = follow(server, [ListTask(DAY, "open", "updated_at", 0)], page_size=2)
    assert {row.number for row in found} == set(range(20))
    again = [task for task in done if is_recheck(task)]
    assert len(again) == len(set(again)) == 9 + 1  # by created_at at nine edges, by updated_at once


def test_an_edge_is_read_again_beside_the_next_page() -> None:
    """The next page waits for no second that is read again; that is asked by the cursor's column, without pages."""
    task = ListTask(DAY, "open", "updated_at", 3)
    cursor = cursor_at("created_at", 7)
    onward, again = following(task, Answer([Row(9, 1), Row(7, 1)], cursor), workers=4)
    assert params_of(onward, page_size=2) == {**params_of(task, page_size=2), "cursor": cursor}
    assert again == ListTask(seconds(7, 7), "open", "created_at", 3, paginated=False)
    assert (is_recheck(onward), is_recheck(again)) == (False, True)
    assert params_of(again, page_size=2) == {
        "filter": "created_at",
        "from": "2024-03-01T00:00:06.000Z",
        "to": "2024-03-01T00:00:08.000Z",
        "state": "open",
    }
    (next_onward,) = following(onward, Answer([Row(7, 1)], cursor_at("created_at", 7) + "="), workers=4)
    assert isinstance(next_onward, ListTask)
    assert next_onward.checked == {("created_at", at(7))}


@pytest.mark.parametrize("column", COLUMNS)
def test_an_opaque_cursor_is_checked_by_both_columns(column: Column) -> None:
    """When the cursor does not name its column, the last row's second is read again in each."""
    page = Answer([Row(9, 20), Row(7, 30)], cursor_at("created_at", 7, opaque=True))
    _, *again = following(ListTask(DAY, "review", column, 0), page, workers=4)
    assert again == [
        ListTask(seconds(7, 7), "review", "created_at", 0, paginated=False),
        ListTask(seconds(30, 30), "review", "updated_at", 0, paginated=False),
    ]


@pytest.mark.parametrize("garbled", [("created_at",), ("updated_at",), COLUMNS])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_page_that_does_not_say_where_it_ends(column: Column, garbled: tuple[str, ...]) -> None:
    """With a cursor and a time that nobody can read, the window is read without pages: nothing is skipped."""
    task = ListTask(DAY, "open", column, 0, cursor="before", visited=frozenset({"before"}))
    page = Answer([Row(1, 1), Row(2, 2, garbled=frozenset(garbled))], "opaque")
    (whole,) = following(task, page, workers=4)
    assert whole == ListTask(DAY, "open", column, 0, paginated=False)
    assert is_recheck(whole)
    assert "paginate" not in params_of(whole, page_size=3)
    assert following(whole, page, workers=4) == []


@pytest.mark.parametrize(("first", "last", "rest"), [(50, 20, seconds(0, 20)), (10, 20, seconds(20, 100))])
def test_reading_goes_on_from_the_edge(first: int, last: int, rest: Window) -> None:
    """A sorted page by the window's own column says what is left: from the edge's second on, with a chain of its own."""
    task = ListTask(seconds(0, 100), "open", "updated_at", 2, "before", visited=frozenset({"before"}))
    page = Answer([Row(0, first), Row(0, last)], cursor_at("updated_at", last))
    assert following(task, page, workers=8) == [ListTask(rest, "open", "updated_at", 2)]


@pytest.mark.parametrize(
    "times",
    [
        (50, 50),  # which way the server goes can't be seen
        (20, 50, 40),  # not sorted
        (102, 103),  # beyond the window
        (-1, 0),  # before it, in the second that a range has more: all of the window is left
        (101, 100),
        (20, None, 50),  # one that nobody can read
    ],
)
def test_what_is_left_cannot_be_told(times: tuple[int | None, ...]) -> None:
    """A page that does not show how the server goes on is followed by cursor, and its edge is read again."""
    task = ListTask(seconds(0, 100), "open", "updated_at", 0)
    rows = [Row(0, second) if second is not None else Row(0, 0, garbled=frozenset(COLUMNS)) for second in times]
    onward, again = following(task, Answer(rows, cursor_at("updated_at", rows[-1].updated_at)), workers=8)
    assert (onward.window, is_recheck(onward)) == (task.window, False)
    assert (again.window, is_recheck(again)) == (seconds(rows[-1].updated_at, rows[-1].updated_at), True)


def test_a_page_in_the_order_of_another_column() -> None:
    """Times that are sorted by chance say nothing of what is left when the cursor names another column."""
    page = Answer([Row(9, 20), Row(7, 30)], cursor_at("created_at", 7))
    onward, again = following(ListTask(seconds(0, 100), "open", "updated_at", 0), page, workers=8)
    assert (onward.window, is_recheck(onward)) == (seconds(0, 100), False)
    assert again == ListTask(seconds(7, 7), "open", "created_at", 0, paginated=False)


def test_a_dense_window_is_read_side_by_side() -> None:
    """After a window's first page what is left is cut for the workers, where that is worth it, and only then."""
    first = ListTask(seconds(0, 100), "open", "created_at", 1)
    page = Answer([Row(0, 0), Row(20, 0)], cursor_at("created_at", 20))
    windows = [task.window for task in following(first, page, workers=3)]
    assert windows == [seconds(20, 46), seconds(46, 73), seconds(73, 100)]
    assert {task.root for task in following(first, page, workers=3)} == {1}
    assert [task.window for task in following(first, page, workers=1)] == [seconds(20, 100)]
    later = replace(first, cursor="before", visited=frozenset({"before"}))
    assert [task.window for task in following(later, page, workers=3)] == [seconds(20, 100)]
    half = Answer([Row(0, 0), Row(50, 0)], cursor_at("created_at", 50))
    assert [task.window for task in following(first, half, workers=3)] == [seconds(50, 100)]


def test_a_server_that_goes_in_circles() -> None:
    """A cursor that came before ends the chain, however long the circle: smaller windows are read, or one without pages."""
    wide = ListTask(seconds(0, 100), "open", "created_at", 1)
    rows = [Row(5, 5)]
    for window, instead in (
        (wide.window, [replace(wide, window=half) for half in (seconds(0, 50), seconds(50, 100))]),
        (seconds(0, 2), [replace(wide, window=seconds(0, 2), paginated=False)]),
    ):
        task: Task = replace(wide, window=window)
        for cursor in ("a", "b", "c"):
            task = following(task, Answer(rows, cursor), workers=4)[0]
        for cursor in ("a", "b", "c"):
            assert following(task, Answer(rows, cursor), workers=4) == instead
        assert following(task, Answer(rows, None), workers=4) == []


def test_a_refused_range() -> None:
    """It is read in halves, each from its first page, without pages where it was asked so, until it is two seconds wide."""
    task = ListTask(seconds(0, 10), "open", "created_at", 1)
    instead = [replace(task, window=half) for half in (seconds(0, 5), seconds(5, 10))]
    visited = replace(task, cursor="a", visited=frozenset({"a"}), checked=frozenset({("created_at", at(5))}))
    assert halves(task, REFUSED) == halves(visited, REFUSED) == instead
    assert halves(replace(task, paginated=False), REFUSED) == [replace(half, paginated=False) for half in instead]
    for width in (0, 1, 2):
        with pytest.raises(InvalidResponseError, match="even a range of two seconds"):
            halves(replace(task, window=seconds(0, width)), REFUSED)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 400), st.integers(1, 90), st.data())
def test_notices_are_asked_for_day_by_day(first: date, length: int, width: int, data: st.DataObject) -> None:
    """Whatever answers hold, and however often a range is refused, the requests of a window hold every day once, in order.

    None is wider than allowed; after many rows the next one is narrower, after few it is wider. The refusal of a single day
    is raised.
    """
    days, most = [first + timedelta(days=n) for n in range(length)], 90
    task, asked = NoticesTask(DayWindow(days[0], days[-1]), 7, width, most), []
    while True:
        while is_divisible(task) and data.draw(st.booleans()):
            (task,) = halves(task, REFUSED)
        span = (task.asked.last - task.asked.first).days + 1
        assert 1 <= span <= most
        asked += [task.asked.first + timedelta(days=n) for n in range(span)]
        rows = data.draw(st.sampled_from([0, 10, NOTICES_AT_ONCE, 5 * NOTICES_AT_ONCE]))
        page = ShapedPage({ASN.name: pa.table({"id": pa.nulls(rows)})}, "a cursor")
        if not (more := following(task, page, workers=4)):
            break
        (task,) = more
        assert task.root == 7
        assert task.width <= max(1, span // 5) if rows > NOTICES_AT_ONCE else task.width >= min(span, most)
    assert asked == days
    with pytest.raises(RangeRejectedError) as raised:
        halves(replace(task, window=DayWindow(first, first)), REFUSED)
    assert raised.value is REFUSED


def test_where_reading_begins() -> None:
    """Every window is asked for in every state; the notices have neither states nor pages."""
    windows = split(at(0), at(100), width=timedelta(seconds=50))
    tasks = list_tasks(windows, column="updated_at")
    assert [(task.root, task.window, task.state) for task in tasks] == [
        (root, window, state) for root, window in enumerate(windows) for state in STATES
    ]
    assert params_of(tasks[5], page_size=750) == {
        "filter": "updated_at",
        "from": "2024-03-01T00:00:49.000Z",
        "to": "2024-03-01T00:01:41.000Z",
        "state": STATES[0],
        "paginate": "true",
        "pageSize": 750,
    }
    notices = NoticesTask(DayWindow(date(2024, 2, 28), date(2024, 2, 29)), 0, 2, 90)
    assert params_of(notices, page_size=750) == {"from": "2024-02-28", "to": "2024-03-01"}
    assert following(notices, ShapedPage({}, "a cursor"), workers=4) == []
    assert not is_recheck(notices)
