"""A run loads in chunks of bounded size, and reads on meanwhile."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from loop_returns.api.windows import DayWindow
from loop_returns.extract.page import ShapedPage
from loop_returns.extract.planning import changed_plan
from loop_returns.extract.reading import DaysRead, Limits, Reading
from loop_returns.extract.scheduler import Answered, Idle, WindowDone
from loop_returns.extract.state import ShopState
from loop_returns.runs.session import Session
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import ARROW
from loop_returns.tables.chunk import COPY, Chunk, Tally, columns_of
from loop_returns.tables.schema import PREVIOUS
from loop_returns.tables.shape import Shaper
from tests.support import PATIENCE
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loop_returns.extract.tasks import Task
    from loop_returns.sandbox import SeenRequest
    from loop_returns.tables.chunk import Tables
    from tests.support.driving import Driver


def chunks(driver: Driver) -> list[int]:
    """How many returns each load brought."""
    return [int(rows) for (rows,) in driver.query("SELECT count(*) FROM returns GROUP BY _dlt_load_id")]


@pytest.mark.long
def test_no_chunk_is_larger_than_its_limit_and_a_page(drive: Callable[..., Driver]):
    """A chunk ends as soon as it has enough rows; together they hold every return once."""
    shop = Shop.generate(seed=6, returns=150, days=100, now=NOW)
    driver = drive(shop, settings={"page_size": 10, "window_days": 20}, limits=Limits(rows=30))
    driver.sync()
    driver.assert_equal()
    assert len(chunks(driver)) > 3
    assert max(chunks(driver)) < 30 + 10
    assert sum(chunks(driver)) == 150


@pytest.mark.long
def test_rows_are_handed_on_in_parts():
    """However many pages a chunk has, and however long their rows are, only a part of them is in memory at once."""
    pages = [Shaper("default").returns(Script(20)._bodies, first_copy=1000 * n) for n in range(120)]
    numbers = pa.concat_arrays([page["returns"][COPY].combine_chunks() for page in pages])
    previous = {one.name: pa.nulls(len(numbers), ARROW[one.type]) for one in PREVIOUS}
    chunk = Chunk(Tally(), pages=pages, copies=pa.table({"number": numbers, **previous}))
    parts = [part.num_rows for part in chunk.parts("returns")]
    assert sum(parts) == 100 * len(pages)
    assert len(parts) > 1
    assert max(parts) <= 5_100


class Script:
    """Hands out events in a fixed order, as an API that keeps the reading waiting now and then would."""

    refused = None

    def __init__(self, *sizes: int | Idle | WindowDone) -> None:
        shop = Shop.generate(seed=6, returns=100, days=20, now=NOW)
        self._bodies = shop.returns_snapshot()
        self._sizes = sizes

    def read(self, tasks: list[Task]) -> Iterator[Any]:
        for one in self._sizes:
            if isinstance(one, int):
                rows, self._bodies = self._bodies[:one], self._bodies[one:]
                yield Answered(tasks[0], ShapedPage(Shaper("default").returns(rows), None))
            else:
                yield one


def everything(table: str, pages: Sequence[Tables]) -> Chunk:
    """A chunk of all rows."""
    return Chunk(Tally(), rows={table: columns_of(pages, table, ["id"]).num_rows}, pages=pages)


def sizes_of(script: Script, limits: Limits) -> list[int]:
    """Rows of each chunk that a reading makes of the script."""
    from loop_returns.settings import Settings

    settings = Settings(api_key="k")
    plan = changed_plan(settings, NOW.replace(month=9), NOW, since=NOW)
    reading = Reading(script, ShopState(), everything, plan, limits=limits, begun=NOW)  # type: ignore[arg-type]
    found = []
    while reading.advance():
        found += [chunk.rows["returns"] for chunk in reading.chunks]
    return found


def test_an_idle_run_loads_what_it_has():
    """While the API keeps it waiting, a run loads what is worth a load, and nothing smaller."""
    limits = Limits(rows=50, idle_rows=10)
    assert sizes_of(Script(4, Idle(), 8, Idle(), 3, Idle(), WindowDone(0)), limits) == [12, 3]
    assert sizes_of(Script(20, 20, 20, Idle(), WindowDone(0)), limits) == [60]
    assert sizes_of(Script(20, 40, 2, WindowDone(0)), limits) == [60, 2]


def test_a_cursor_while_nobody_knows_the_time():
    """Read up to a time that may lie ahead, the cursor stays before what can have changed while pages were read."""
    from loop_returns.settings import Settings

    plan = changed_plan(Settings(api_key="k"), NOW.replace(month=9), NOW, since=NOW)
    reading = Reading(Script(100, WindowDone(0), Idle()), ShopState(), everything, plan, begun=NOW.replace(month=9))  # type: ignore[arg-type]
    reading._began -= 3600
    while reading.advance():
        pass
    newest = max(datetime.fromisoformat(body["updated_at"]) for body in Script(100)._bodies)
    assert reading.state.cursor is not None
    assert NOW.replace(month=9) < reading.state.cursor <= newest - timedelta(hours=1)


def test_the_cursor_of_a_chunk():
    """The state that goes with a chunk holds the newest time of whole windows only, and none from outside of them."""
    from loop_returns.settings import Settings

    script = Script(100, WindowDone(0), Idle())
    odd = [{**body, "updated_at": "2036-01-01T00:00:00Z"} for body in script._bodies[:1]]
    script._bodies = [*odd, *script._bodies[1:]]
    plan = changed_plan(Settings(api_key="k"), NOW.replace(month=9), NOW, since=NOW)
    half = Reading(Script(10), ShopState(), everything, plan, begun=NOW)  # type: ignore[arg-type]
    assert half.advance()
    assert half.state.cursor is None, "the window is not whole"
    reading = Reading(script, ShopState(), everything, plan, limits=Limits(rows=1000), begun=NOW)  # type: ignore[arg-type]
    assert reading.advance()
    (chunk,) = reading.chunks
    times = pa.compute.unique(columns_of(chunk.pages, "returns", ["updated_at"])["updated_at"]).to_pylist()
    assert reading.state.cursor == max(time for time in times if time <= NOW)


@pytest.mark.long
def test_it_reads_on_while_it_loads(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """While a chunk is being loaded, the pages that follow are asked for."""
    shop = Shop.generate(seed=6, returns=50, days=99, now=NOW)
    settings = {"page_size": 2, "window_days": 20, "max_concurrency": 2, "start_date": NOW - timedelta(days=99)}
    driver = drive(shop, settings=settings, limits=Limits(rows=4))
    loading, later, seen = threading.Event(), threading.Semaphore(0), []

    def hold_back(request: SeenRequest) -> None:
        """Lets through what the first chunk needs; what follows waits until that is being loaded."""
        seen.append(request)
        if len(seen) > 15:
            loading.wait(PATIENCE)
            later.release()

    def load(self: Session, reading: Reading, plain: Callable[..., None] = Session._load) -> None:
        if not loading.is_set():
            loading.set()
            assert all(later.acquire(timeout=PATIENCE) for _ in range(5)), "nothing is asked for during a load"
        plain(self, reading)

    driver.sandbox.on_request = hold_back
    # a load says nothing while it is under way; its two ends are here
    monkeypatch.setattr(Session, "_load", load)
    driver.sync(only="returns")
    assert loading.is_set()


def test_a_failed_load_lets_go_of_the_file(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """When a load fails, the file is free at once, in the same process too."""
    driver = drive(Shop.generate(seed=6, returns=10, days=10, now=NOW))

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:  # no real load fails in a way that the run does not know
        broken.setattr(Session, "_load", fail)
        with pytest.raises(RuntimeError):
            driver.sync()
    with duckdb.connect(str(driver.file), read_only=True) as connection:
        assert connection.sql("SELECT 1").fetchall() == [(1,)]
    driver.sync()
    driver.assert_equal()


def test_no_page_is_left_on_disk(drive: Callable[..., Driver]):
    """A run keeps its pages in one folder; what a killed run has left there goes, and at the end the folder too."""
    driver = drive(Shop.generate(seed=6, returns=30, days=10, now=NOW))
    folder = driver.options().target().folder / "pages"
    (folder / "7").mkdir(parents=True)
    seen: list[set[str]] = []
    driver.sandbox.on_request = lambda _: seen.append(
        {one.name for one in folder.glob("*")} if folder.exists() else {"none"}
    )
    driver.sync()
    assert all("7" not in names for names in seen)
    assert any(names - {"none", "sets"} for names in seen)
    assert not folder.exists()


def test_when_a_day_of_notices_counts_as_read():
    """An old change needs any request of this reading; one of the run's own time needs one that began after it was read.

    The days around it have to be asked for too.
    """
    day, begun = date(2026, 10, 5), NOW
    week = DayWindow(day - timedelta(days=3), day + timedelta(days=3))
    for latest, settled in ((NOW - timedelta(hours=2), True), (NOW - timedelta(minutes=30), False), (None, False)):
        read = DaysRead({})
        read.note(week, began=10.0)
        read.returns_read = 20.0
        read.note_due({day: latest}, begun=begun)
        assert (day in read.settled()) == settled
        read.note(DayWindow(day, week.last), began=30.0)
        assert (day in read.settled()) == settled, "the day before was asked for too early"
        read.note(week, began=20.0)
        assert day in read.settled()
    read = DaysRead({day: 0.0})
    read.note(DayWindow(day, day), began=10.0)
    assert not read.settled(), "its neighbours are missing"
