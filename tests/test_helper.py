"""A helper process shapes pages exactly as the run itself does, and no trouble with it costs a row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import msgspec
import pytest

from loop_returns import helper as helping
from loop_returns.extract.page import ShapedPage, shape_bytes
from loop_returns.helper import Helper
from loop_returns.helpers import BEHIND, MOST, Helpers
from loop_returns.sandbox import Quirks, Shop
from loop_returns.tables.shape import Shaper

from .driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .driving import Driver

PATIENCE = 60.0
LINKS = {"nextPageUrl": "/warehouse/return/list?cursor=abc", "previousPageUrl": None}


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Helper]:
    """A helper that is ready."""
    monkeypatch.setattr(helping, "WORTH_IT", 1)
    one = Helper(Shaper("default"), count(0, 1000))
    assert one.shape(page()) is None, "the first page is the caller's while the helper is being started"
    assert one._ready.wait(PATIENCE)
    yield one
    one.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every run has a helper from its first answer on; the list of their process ids."""
    started: list[int] = []

    def listen(self: Helper, process: subprocess.Popen[bytes], plain: Callable[..., None] = Helper._listen) -> None:
        started.append(process.pid)
        plain(self, process)

    def begin(self: Helper, received: int, plain: Callable[..., None] = Helper._begin) -> None:
        plain(self, received)
        if not self._ended:
            self._ready.wait(PATIENCE)

    monkeypatch.setattr(helping, "WORTH_IT", 1)
    monkeypatch.setattr(Helper, "_begin", begin)
    monkeypatch.setattr(Helper, "_listen", listen)
    return started


def page(returns: int = 30, **more: object) -> bytes:
    shop = Shop.generate(seed=5, returns=returns, days=30, now=NOW)
    return msgspec.json.encode({"returns": [body | more for body in shop.returns_snapshot()], **LINKS})


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not so() and time.monotonic() < end:
        time.sleep(0.01)
    assert so()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("more", [{}, {"brand_new": {"a": 1}}], ids=["declared", "undeclared"])
def test_the_same_tables(helper: Helper, more: dict[str, object]):
    """What comes back equals what the run would have made of the same bytes, cursor and new columns included."""
    body = page(**more)
    there = helper.shape(body)
    here = shape_bytes(body, Shaper("default"), first_copy=0)
    assert there is not None
    assert there.shaped is not None
    assert here.shaped is not None
    assert (there.cursor, there.shaped.undeclared) == (here.cursor, here.shaped.undeclared)
    assert {n: t.schema for n, t in there.shaped.tables.items()} == {n: t.schema for n, t in here.shaped.tables.items()}
    assert {n: t.to_pylist() for n, t in there.shaped.tables.items()} == {
        n: t.to_pylist() for n, t in here.shaped.tables.items()
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"returns": [{"id": ""}]}', b'{"error": "no"}', b"[1]"])
def test_what_is_no_page_is_left_to_the_caller(helper: Helper, body: bytes):
    """Bodies that hold no page come back as None, and the helper goes on."""
    assert helper.shape(body) is None
    assert isinstance(helper.shape(page()), ShapedPage)


def test_nobody_gets_the_page_of_another(helper: Helper, monkeypatch: pytest.MonkeyPatch):
    """When a question is lost on its way, the next answer goes to nobody, and the helper is not asked again."""
    plain = helping._send
    monkeypatch.setattr(helping, "_send", lambda *_: None)
    lost = helper._ask(page(2))
    monkeypatch.setattr(helping, "_send", plain)
    assert helper.shape(page(3)) is None
    with pytest.raises(EOFError):
        lost.result(PATIENCE)
    assert helper.shape(page(3)) is None


def test_it_dies(helper: Helper):
    """Once it is killed, every page is the caller's, at once and for good."""
    assert helper._process is not None
    helper._process.kill()
    assert helper.shape(page()) is None
    assert helper.shape(page()) is None


def test_another_one_comes_when_one_falls_behind(monkeypatch: pytest.MonkeyPatch):
    """While pages wait for the first helper another is started and takes the next ones; without either, the caller does."""
    monkeypatch.setattr(helping, "WORTH_IT", 1)
    helpers = Helpers(Shaper("default"), count(0, 1000))
    helpers.shape(page())
    (first,) = helpers._all
    assert first._ready.wait(PATIENCE)
    assert first._process is not None
    with ThreadPoolExecutor() as pool:
        os.kill(first._process.pid, signal.SIGSTOP)
        asked = [pool.submit(helpers.shape, page(4)) for _ in range(BEHIND + 1)]
        until(lambda: len(helpers._all) == MOST)
        second = helpers._all[1]
        assert second._ready.wait(PATIENCE)
        assert isinstance(helpers.shape(page(5)), ShapedPage), "the first one is still stopped"
        os.kill(first._process.pid, signal.SIGCONT)
        assert all(isinstance(one.result(PATIENCE), ShapedPage) for one in asked)
    first._process.kill()
    until(lambda: not first.is_ready)
    assert isinstance(helpers.shape(page(6)), ShapedPage), "the second one goes on"
    helpers.close()
    assert helpers.shape(page(6)) is None


def test_none_comes_after_the_end():
    """A page that was under way when the run ended starts no helper that nobody would end."""
    helpers = Helpers(Shaper("default"), count(0, 1000))
    helpers.close()
    helpers._start_another()
    assert [helper._process for helper in helpers._all] == [None]


def test_another_one_is_the_last(monkeypatch: pytest.MonkeyPatch):
    """However far they fall behind, there are no more than so many."""
    monkeypatch.setattr(Helper, "start", lambda _: None)
    helpers = Helpers(Shaper("default"), count(0, 1000))
    for _ in range(5):
        helpers._start_another()
    assert len(helpers._all) == MOST


def test_a_sync_with_a_helper(drive: Callable[..., Driver], at_once: list[int]):
    """A shop read with a helper equals the warehouse, with every quirk of types; afterwards the helper is gone."""
    driver = drive(Shop.generate(seed=3, returns=120, days=200, now=NOW), quirks=Quirks(wobble=0.5))
    for _ in range(2):
        driver.sync()
        driver.assert_equal()
        driver.shop.change(20)
    assert len(at_once) >= 2
    assert not any(alive(pid) for pid in at_once)


def test_a_sync_whose_helper_is_killed(drive: Callable[..., Driver], at_once: list[int]):
    """A helper that dies in the middle of a run costs nothing."""
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
    monkeypatch.setattr(helping, "WORTH_IT", 1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    driver = drive(Shop.generate(seed=4, returns=30, days=30, now=NOW))
    driver.sync()
    driver.assert_equal()


def test_it_does_not_outlive_its_parent(tmp_path: Path):
    """When the run is killed, its helper ends by itself."""
    body = tmp_path / "page.json"
    body.write_bytes(page())
    program = f"""
import itertools, pathlib, time
from loop_returns import helper
from loop_returns.tables.shape import Shaper
helper.WORTH_IT = 1
one = helper.Helper(Shaper("default"), itertools.count())
one.shape(pathlib.Path({str(body)!r}).read_bytes())
one._ready.wait()
print(one._process.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + PATIENCE
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(pid)
