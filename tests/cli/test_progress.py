"""Whoever waits for a run sees what it does, how far it is and what it waits for: on a terminal, in a log, as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loop_returns.cli.progress import _Counts, make_progress
from loop_returns.runs.progress import Progress, Silent
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Shop
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

WINDOW_ROWS = 1500


def work(progress: Progress, *, empty: int = 0) -> None:
    """A run of three windows with rows, after some without."""
    progress.begin("returns", empty + 3, per_minute=300)
    for number in range(empty):
        progress.answered(rows=0, returns=0, left=299)
        progress.window_done(f"empty {number + 1}")
    for number in range(3):
        progress.answered(rows=1000, returns=1000, left=299 - number)
        progress.window_done(f"2024-0{number + 1}")
    progress.doing("loading 3,000 rows")
    progress.loaded()
    progress.note("Almost there.")
    progress.close()
    progress.close()


@dataclass
class Watched:
    """What the counts of a run say at each event, while a clock is moved by hand."""

    time: float = 0.0
    seen: list[tuple[str, int, int, float | None, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def counts(self) -> _Counts:
        return _Counts(self._note, lambda: self.time)

    def _note(self, event: str, counts: _Counts, _: str) -> None:
        self.times.append(self.time)
        self.seen.append((event, counts.done, counts.landed, counts.seconds_left(), counts.text()))


def read(counts: _Counts, watched: Watched, *, windows: int, pages: int, seconds: float, left: Callable[[], int]) -> None:
    for _ in range(windows):
        for _ in range(pages):
            watched.time += seconds / pages
            rows = WINDOW_ROWS // pages if pages > 1 else 0
            counts.answered(rows=rows, returns=rows, left=left())
        counts.window_done("a window")


def test_lines(capsys: pytest.CaptureFixture[str]):
    """In a log there is a line for each window that had rows and for each phase; standard output stays free for results."""
    work(make_progress("text"), empty=33)
    shown = capsys.readouterr()
    assert shown.out == ""
    *windows, loading, note = shown.err.splitlines()
    assert [line.split(" · ")[:2] for line in windows] == [[f"{33 + n} of 36 windows", f"2024-0{n}"] for n in (1, 2, 3)]
    assert "2,000 returns" in windows[1]
    assert "298 requests left this minute" in windows[1]
    assert (loading, note) == ("Loading 3,000 rows.", "Almost there.")


def test_empty_windows_promise_nothing():
    """Windows before the shop's first row say nothing of the rest, however many they are: no time left is told from them."""
    watched = Watched()
    counts = watched.counts()
    counts.begin("returns", 40, per_minute=300)
    read(counts, watched, windows=36, pages=1, seconds=0.1, left=lambda: 300)
    assert {left for *_, left, _ in watched.seen} == {None}


def test_the_time_left_is_of_the_right_size():
    """After the empty windows the rest is estimated from the windows with rows, and from the loading still to come."""
    watched = Watched()
    counts = watched.counts()
    counts.begin("returns", 40, per_minute=300)
    read(counts, watched, windows=32, pages=1, seconds=0.2, left=lambda: 300)
    for _ in range(4):
        read(counts, watched, windows=2, pages=5, seconds=2, left=lambda: 300)
        counts.doing("loading 3,000 rows")
        watched.time += 2
        counts.loaded()
    told = [
        (watched.time - at, left, text)
        for at, (*_, left, text) in zip(watched.times, watched.seen, strict=False)
        if left is not None
    ]
    assert told
    for true, left, text in told:
        assert true / 3 <= left <= 3 * true
        assert "to go · " in text
    assert watched.seen[-1][3] is None, "nothing is left"


def test_the_limit_of_requests_counts():
    """When more requests are to come than Loop takes this minute, the minutes to wait are part of the time left."""
    watched = Watched()
    counts = watched.counts()
    left = iter(range(300, 0, -1))
    counts.begin("returns", 40, per_minute=300)
    read(counts, watched, windows=3, pages=50, seconds=1, left=lambda: next(left))
    *_, seconds, _ = watched.seen[-1]
    assert seconds is not None
    assert 300 <= seconds <= 420, "37 windows of 50 requests, 300 a minute"


def test_the_bar_is_not_full_before_all_is_loaded():
    """A window counts half when it is read, so nobody sees a full bar while a long load follows; loading is named."""
    watched = Watched()
    work(watched.counts())
    shares = {event: (done + landed) / 6 for event, done, landed, _, _ in watched.seen}
    assert (shares["window_done"], shares["phase"], shares["loaded"]) == (0.5, 0.5, 1)
    assert next(text for event, *_, text in watched.seen if event == "phase").startswith("loading 3,000 rows · ")


def test_a_wait_is_said_once(capsys: pytest.CaptureFixture[str]):
    """Four threads that wait for the same make one line that says until when and why; short waits make none."""
    watched = Watched()
    counts = make_progress("text")
    assert isinstance(counts, _Counts)
    counts.clock = lambda: watched.time
    for seconds in (0.3, 40, 39, 38):
        counts.waiting(seconds, "the limit of requests a minute")
    counts.waiting(8, "no connection")
    watched.time = 60
    counts.waiting(8, "no connection")
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"[0-9:]{8}", "…", line) for line in lines] == [
        "Waiting until … UTC: the limit of requests a minute.",
        "Waiting until … UTC: no connection.",
        "Waiting until … UTC: no connection.",
    ]


def test_nobody_waits_before_a_blank_screen(tmp_path: Path):
    """Where nothing answers, `sync` says so within its first waits, long before it gives up."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    address = {"SOURCES__LOOP_RETURNS__API_KEY": "k" * 20, "DLT_DATA_DIR": str(tmp_path / "data")}
    address["SOURCES__LOOP_RETURNS__BASE_URL"] = f"http://127.0.0.1:{port}/api/2026-10"
    command = [sys.executable, "-m", "loop_returns", "sync"]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | address, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        first = run.stderr.readline()
        is_running = run.poll() is None
        run.kill()
    assert re.fullmatch(r"Waiting until \d\d:\d\d:\d\d UTC: no connection\.\n", first)
    assert is_running


def test_a_run_tells_what_it_does(drive: Callable[..., Driver], capsys: pytest.CaptureFixture[str]):
    """A real first sync into a log: no line of nothing, then what is read, loaded and refreshed, in that order."""
    driver = drive(Shop.generate(seed=1, returns=60, days=90, now=NOW))
    sync(driver.resolved(), driver.options(), progress=make_progress("text"))
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if " · 0 returns" in line]
    kinds = [re.sub(r"\d[\d,]*", "N", line.split(" · ")[0]) for line in lines]
    assert [*dict.fromkeys(kinds)] == ["N of N windows", "Loading N rows.", "Refreshing marts, checking the data."]


def test_json_lines(capsys: pytest.CaptureFixture[str]):
    """With --log-format json every line is an object with a time and what happened."""
    work(make_progress("json"))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["windows", *["window_done"] * 3, "phase", "note"]
    assert [(event["done"], event["returns"], event["requests_left"]) for event in events[1:4]] == [
        (1, 1000, 299),
        (2, 2000, 298),
        (3, 3000, 297),
    ]
    assert all(datetime.fromisoformat(event["at"]).tzinfo is UTC for event in events)


def test_silent(capsys: pytest.CaptureFixture[str]):
    """Asked to be quiet, it says nothing."""
    progress = make_progress("json", quiet=True)
    assert isinstance(progress, Silent)
    work(progress)
    progress.waiting(30, "no connection")
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def on_a_terminal(term: str) -> str:
    """What a short run shows on a terminal of that kind, 80 columns wide."""
    program = (
        "from loop_returns.cli.progress import make_progress\n"
        "progress = make_progress('text')\n"
        "progress.begin('returns', 3, per_minute=300); progress.answered(rows=1000, returns=1000, left=7)\n"
        "progress.window_done('x'); progress.waiting(30, 'HTTP 429'); progress.note('a note')\n"
        "progress.close(); progress.close()\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", program], stderr=theirs, check=True, env={**os.environ, "TERM": term, "COLUMNS": "80"}
    )
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 65536):
            seen += more
    except OSError:  # the other end is closed: all is read
        pass
    os.close(ours)
    return seen.decode()


def test_terminal():
    """On a terminal one line is redrawn in place, and gone at the end; a narrow one shows the time, too; notes stay."""
    seen = on_a_terminal("xterm")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    for part in ("reading returns · 0 s gone · 0 returns", "UTC: HTTP 429 · 0 s gone", "UTC: HTTP 429\r\n", "a note\r\n"):
        assert part in shown
    assert seen.index("\x1b[?25l") < seen.rindex("\x1b[?25h")  # the cursor comes back


def test_a_terminal_that_cannot_redraw():
    """On a terminal that only prints there are lines as in a log, without control characters."""
    seen = on_a_terminal("dumb")
    assert "\x1b" not in seen
    assert "1 of 3 windows · x · " in seen
    assert "a note" in seen
