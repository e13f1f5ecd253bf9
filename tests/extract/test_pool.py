"""Pages are shaped in other processes exactly as in the run itself, and no trouble with these costs a row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from loop_returns.api.facts import ASN_PATH, RETURNS_PATH
from loop_returns.api.response import RawResponse
from loop_returns.extract import api_reader
from loop_returns.extract.page import PageWriter, ShapedPage, shape_response
from loop_returns.extract.pool import MAX_PROCESSES, MAX_WAITING, ShapingPool
from loop_returns.sandbox import Quirks, Shop
from loop_returns.tables.shape import Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.driving import Driver

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
FOLDER = TemporaryDirectory()  # of the pages
PATIENCE = 300.0  # seconds until something that does not happen is a failure
PIPE = 65_536  # bytes in a full pipe
LINKS = {"nextPageUrl": "/warehouse/return/list?cursor=abc", "previousPageUrl": None}
SECRETS = {
    "SOURCES__LOOP_RETURNS__API_KEY": "hush-1",
    "SOURCES__LOOP_RETURNS__PII": "hush-2",
    "DESTINATION__POSTGRES__CREDENTIALS": "hush-3",
    "MY_PIPELINE__SOURCES__LOOP_RETURNS__SHOP": "hush-4",
    "PGPASSWORD": "hush-5",
    "aws_secret_access": "hush-6",
    "GITHUB_TOKEN": "hush-7",
    "DATABASE_URL": "postgres://me:hush-8@host/db",
    "SOURCES__LOOP_RETURNS__PII_KEY": "hush-9",
    "WAREHOUSE": "hush-10",  # a name that says nothing
}
PROGRAM = """
import itertools, os, pathlib, signal, sys, time
from loop_returns.extract.page import PageWriter
from loop_returns.extract.pool import ShapingPool
from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.response import RawResponse
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.shape import Shaper

print("begins", flush=True)
signal.signal(signal.SIGINT, signal.default_int_handler)
shaper = Shaper("default", Privacy("hash", "hush-" * 8))
writer = PageWriter(shaper, pathlib.Path())
pool = ShapingPool(writer, itertools.count(0, 1000), min_bytes=1, processors=2)
body = pathlib.Path("page.json").read_bytes()
pool.shape(RawResponse(RETURNS_PATH, 200, body))
"""
READY = """
while pool.shape(RawResponse(RETURNS_PATH, 200, body)) is None:
    time.sleep(0.01)
print("ready", flush=True)
"""


@pytest.fixture
def pool() -> Iterator[ShapingPool]:
    """A pool with one process that is ready."""
    one = eager()
    assert one.shape(RawResponse(RETURNS_PATH, 200, page())) is None, (
        "the first page is the caller's while the process is being started"
    )
    until_ready(one)
    yield one
    one.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every run has a process from its first response on; the list of their ids."""
    started: list[int] = []

    class Waiting(ShapingPool):
        def _start(self) -> None:
            super()._start()
            started.append(self._workers[-1].pid)

        def shape(self, response: RawResponse) -> ShapedPage | None:
            page = super().shape(response)
            until(lambda: not self._starting)
            return page

    monkeypatch.setattr(api_reader, "ShapingPool", partial(Waiting, min_bytes=1, processors=2))
    return started


@pytest.fixture
def script(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `PROGRAM` and what is to follow as a file of its own in a session of its own; at the end it is killed."""
    running: list[subprocess.Popen[str]] = []
    (home / "page.json").write_bytes(page())

    def start(rest: str, **environment: str) -> subprocess.Popen[str]:
        (home / "script.py").write_text(PROGRAM + rest)
        command = [sys.executable, "script.py"]
        pipe = subprocess.PIPE
        one = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=os.environ | environment
        )
        running.append(one)
        return one

    yield start
    for one in running:
        one.kill()
        one.communicate()


def eager(*, min_bytes: int = 1, processors: int = 3) -> ShapingPool:
    """A pool for which the first body is reason enough for a process, whatever this machine has."""
    writer = PageWriter(Shaper("default"), Path(mkdtemp(dir=FOLDER.name)))
    return ShapingPool(writer, count(0, 1000), min_bytes=min_bytes, processors=processors)


def page(returns: int = 30, **more: object) -> bytes:
    shop = Shop.generate(seed=5, returns=returns, days=30, now=NOW)
    return msgspec.json.encode({"returns": [body | more for body in shop.returns_snapshot()], **LINKS})


def notices(**more: object) -> bytes:
    shop = Shop.generate(seed=5, returns=30, days=30, now=NOW)
    return msgspec.json.encode([body | more for body in shop.asn_snapshot()])


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not so() and time.monotonic() < end:
        time.sleep(0.01)
    assert so()


def until_ready(pool: ShapingPool) -> None:
    until(lambda: not pool._starting and bool(pool._workers))


def ids(pool: ShapingPool) -> list[int]:
    return [worker.pid for worker in pool._workers]


def alive(pid: int) -> bool:
    """True while there is such a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[int]:
    return [one.pid for one in psutil.Process(pid).children(recursive=True)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RETURNS_PATH, page()),
        (RETURNS_PATH, page(brand_new={"a": 1})),
        (RETURNS_PATH, b'{"returns": []}'),
        (ASN_PATH, notices()),
        (ASN_PATH, notices(brand_new={"a": 1})),
        (ASN_PATH, b"[]"),
    ],
    ids=["returns", "undeclared", "no returns", "notices", "undeclared notices", "no notices"],
)
def test_the_same_tables(pool: ShapingPool, path: str, body: bytes):
    """What comes back equals what the run would have made of the same bytes, cursor and new columns included."""
    there = pool.shape(RawResponse(path, 200, body))
    here = shape_response(RawResponse(path, 200, body), Shaper("default"), first_copy=0)
    assert there is not None
    assert there.cursor == here.cursor
    assert {name: (table.schema, table.to_pylist()) for name, table in there.tables.items()} == {
        name: (table.schema, table.to_pylist()) for name, table in here.tables.items()
    }


@pytest.mark.parametrize("path", [RETURNS_PATH, ASN_PATH])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"returns": [{"id": ""}]}', b'{"error": "no"}', b"[1]"])
def test_what_is_no_page_is_left_to_the_caller(pool: ShapingPool, path: str, body: bytes):
    """Bodies that hold no page come back as None, and the process goes on."""
    assert pool.shape(RawResponse(path, 200, body)) is None
    assert isinstance(pool.shape(RawResponse(RETURNS_PATH, 200, page())), ShapedPage)


def test_copies_have_numbers_of_their_own(pool: ShapingPool):
    """However many threads ask, no two pages have a copy number in common."""
    body = page()
    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: pool.shape(RawResponse(RETURNS_PATH, 200, body)), range(12)))
    made = [one.tables["returns"].column("_copy").to_pylist() for one in pages if one is not None and one.tables]
    numbers = [number for copies in made for number in copies]
    assert len(made) == 12
    assert len(set(numbers)) == len(numbers) == 12 * 30


def test_it_dies(pool: ShapingPool):
    """Once its process is killed, every page is the caller's, at once and for good."""
    os.kill(ids(pool)[0], signal.SIGKILL)
    assert pool.shape(RawResponse(RETURNS_PATH, 200, page())) is None
    assert pool.shape(RawResponse(RETURNS_PATH, 200, page())) is None
    assert not pool._workers, "no other one was started"


def test_it_dies_while_it_works(pool: ShapingPool):
    """When the process is killed while it has a page and others wait, all of them are the caller's."""
    (pid,) = ids(pool)
    body = page(400)
    assert len(body) > 3 * PIPE
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as threads, closing(pool):
        asked = [threads.submit(pool.shape, RawResponse(RETURNS_PATH, 200, body)) for _ in range(MAX_WAITING)]
        until(lambda: pool._waiting == MAX_WAITING - 1)
        os.kill(pid, signal.SIGKILL)
        assert [one.result(PATIENCE) for one in asked] == [None] * MAX_WAITING
        threads.submit(pool.close).result(PATIENCE)


def test_another_one_comes_when_one_falls_behind(pool: ShapingPool):
    """While pages wait for the first process a second one is started, which takes the next ones; there is never a third."""
    (first,) = ids(pool)
    with ThreadPoolExecutor(4 * MAX_PROCESSES * MAX_WAITING) as threads, closing(pool):
        os.kill(first, signal.SIGSTOP)
        asked = [threads.submit(pool.shape, RawResponse(RETURNS_PATH, 200, page(4))) for _ in range(MAX_WAITING + 1)]
        until(lambda: pool._waiting == MAX_WAITING)
        asked.append(threads.submit(pool.shape, RawResponse(RETURNS_PATH, 200, page(4))))
        until(lambda: len(pool._workers) == MAX_PROCESSES)
        until_ready(pool)
        assert isinstance(pool.shape(RawResponse(RETURNS_PATH, 200, page(5))), ShapedPage), "the first one is still stopped"
        second = ids(pool)[1]
        os.kill(second, signal.SIGSTOP)
        asked += [threads.submit(pool.shape, RawResponse(RETURNS_PATH, 200, page(4))) for _ in range(2 * MAX_WAITING)]
        until(lambda: pool._waiting >= MAX_WAITING)
        assert len(pool._workers) == MAX_PROCESSES
        os.kill(first, signal.SIGCONT)
        os.kill(second, signal.SIGCONT)
        assert all(isinstance(one.result(PATIENCE), ShapedPage) for one in asked)
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(first))
        shaped = [pool.shape(RawResponse(RETURNS_PATH, 200, page(6))) for _ in range(3)]
        assert isinstance(shaped[-1], ShapedPage), "the second one goes on"
    assert pool.shape(RawResponse(RETURNS_PATH, 200, page(6))) is None
    assert not alive(second)


def test_nothing_is_started_for_little():
    """Up to the bytes that make it worth it the pages are the caller's, and there is no process."""
    body = page()
    pool = eager(min_bytes=3 * len(body))
    assert [pool.shape(RawResponse(RETURNS_PATH, 200, body)) for _ in range(2)] == [None, None]
    assert not pool._workers
    pool.shape(RawResponse(RETURNS_PATH, 200, body))
    assert len(pool._workers) == 1
    pool.close()


def test_nothing_is_started_on_one_processor():
    """With one processor there is nothing to win."""
    pool = eager(processors=1)
    assert [pool.shape(RawResponse(RETURNS_PATH, 200, page())) for _ in range(2)] == [None, None]
    assert not pool._workers


def test_none_comes_after_the_end():
    """A page that was under way when the run ended starts no process that nobody would end."""
    pool = eager()
    pool.close()
    assert pool.shape(RawResponse(RETURNS_PATH, 200, page())) is None
    assert not pool._workers


def test_the_end_comes_at_any_moment():
    """A process that is being started and one that does not answer end with the pool; whoever waits for them gets None."""
    pool = eager()
    pool.shape(RawResponse(RETURNS_PATH, 200, page()))
    starting = ids(pool)
    pool.close()
    assert len(starting) == 1
    assert not any(alive(pid) for pid in starting)
    pool = eager()
    pool.shape(RawResponse(RETURNS_PATH, 200, page()))
    until_ready(pool)
    (pid,) = ids(pool)
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as threads, closing(pool):
        asked = threads.submit(pool.shape, RawResponse(RETURNS_PATH, 200, page()))
        until(pool._idle.empty)
        threads.submit(pool.close).result(PATIENCE)
        assert asked.result(PATIENCE) is None
    assert not alive(pid)


def test_it_leaves_nothing_behind(pool: ShapingPool):
    """After its end there is no process and no open file of the pool."""
    assert isinstance(pool.shape(RawResponse(ASN_PATH, 200, notices())), ShapedPage)
    pool.close()
    files = open_files()
    again = eager()
    again.shape(RawResponse(RETURNS_PATH, 200, page()))
    until_ready(again)
    (pid,) = ids(again)
    assert isinstance(again.shape(RawResponse(RETURNS_PATH, 200, page())), ShapedPage)
    again.close()
    assert not alive(pid)
    until(lambda: open_files() <= files)


def test_it_cannot_be_started(monkeypatch: pytest.MonkeyPatch):
    """Where no process can be started, every page is the caller's."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pool = eager()
    assert pool.shape(RawResponse(RETURNS_PATH, 200, page())) is None
    assert [pool.shape(RawResponse(RETURNS_PATH, 200, page())) for _ in range(2)] == [None, None]
    assert not pool._workers
    pool.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT])
def test_it_does_not_outlive_its_parent(script: Callable[..., subprocess.Popen[str]], number: signal.Signals):
    """When the run is killed, or its terminal is closed, all it has started ends by itself, silently, and leaves nothing."""
    parent = script(READY + "time.sleep(600)")
    assert parent.stdout is not None
    assert [parent.stdout.readline() for _ in range(2)] == ["begins\n", "ready\n"]
    started = descendants(parent.pid)
    assert started
    if number == signal.SIGKILL:
        parent.kill()
    else:
        os.killpg(parent.pid, number)
    until(lambda: not any(alive(pid) for pid in started))
    assert parent.communicate() == ("", "")


def test_a_script_needs_no_guard(script: Callable[..., subprocess.Popen[str]]):
    """A script that runs a sync without `if __name__ == "__main__"` runs once, and ends although nobody closed the pool."""
    assert script(READY).communicate(timeout=PATIENCE) == ("begins\nready\n", "")


@pytest.mark.parametrize("ready", [True, False])
def test_an_interrupt_is_for_the_run_alone(script: Callable[..., subprocess.Popen[str]], ready: bool):
    """Ctrl-C reaches the processes too, whether they are ready or not: they keep silent, and the run ends as ever."""
    rest = 'try:\n    print("waits", flush=True)\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print("interrupted")\n'
    parent = script((READY if ready else "") + rest)
    assert parent.stdout is not None
    while parent.stdout.readline() != "waits\n":
        assert parent.poll() is None
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.communicate(timeout=PATIENCE) == ("interrupted\n", "")


def test_they_see_no_secret(script: Callable[..., subprocess.Popen[str]]):
    """No process that is started for the pool has a key, a password or a setting of dlt in its environment or arguments."""
    parent = script(READY + "time.sleep(600)", **SECRETS)
    assert parent.stdout is not None
    assert [parent.stdout.readline() for _ in range(2)] == ["begins\n", "ready\n"]
    assert b"hush-" in Path(f"/proc/{parent.pid}/environ").read_bytes()
    files = [Path(f"/proc/{pid}/{name}") for pid in descendants(parent.pid) for name in ("environ", "cmdline")]
    assert len(files) >= 2
    assert [file for file in files if b"hush-" in file.read_bytes()] == []


def test_it_imports_what_shaping_needs():
    """A process takes little memory: it has neither dlt nor a database nor an HTTP client."""
    code = "import sys; import loop_returns.extract.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert "pyarrow" in names
    assert not names & {"dlt", "duckdb", "httpx", "sqlglot", "pandas", "numpy", "asyncio"}


# Whole runs


@pytest.mark.long
def test_a_sync_with_a_pool(drive: Callable[..., Driver], at_once: list[int]):
    """A shop read with other processes equals the warehouse, with every quirk of types; afterwards they are gone."""
    driver = drive(Shop.generate(seed=3, returns=120, days=200, now=NOW), quirks=Quirks(type_variants=0.5))
    for _ in range(2):
        driver.sync()
        driver.assert_equal()
        driver.shop.change(20)
    assert len(at_once) >= 2
    assert not any(alive(pid) for pid in at_once)


def test_a_sync_whose_process_is_killed(drive: Callable[..., Driver], at_once: list[int]):
    """A process that dies in the middle of a run costs nothing."""
    driver = drive(Shop.generate(seed=4, returns=120, days=200, now=NOW))
    asked = count()

    def kill(_: object) -> None:
        if next(asked) > 12 and at_once and alive(at_once[0]):
            os.kill(at_once[0], signal.SIGKILL)

    driver.sandbox.on_request = kill
    driver.sync()
    driver.sandbox.on_request = None
    assert at_once
    driver.assert_equal()


def test_a_sync_without_one(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """Where no process can be started, the run does everything itself."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(api_reader, "ShapingPool", partial(ShapingPool, min_bytes=1, processors=2))
    driver = drive(Shop.generate(seed=4, returns=30, days=30, now=NOW))
    driver.sync()
    driver.assert_equal()
