"""What a run says while it works and when it ends fits the place it goes to."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from loop_returns.cli.console import show_run
from loop_returns.cli.options import OutputOptions
from loop_returns.cli.progress import make_progress, write_line
from loop_returns.runs.ledger import Run
from loop_returns.runs.progress import Progress, Silent, duration
from loop_returns.tables.chunk import Tally


def work(progress: Progress) -> None:
    progress.windows(3)
    for number in range(3):
        progress.rows(1000)
        progress.budget(299 - number)
        progress.window_done(f"2024-0{number + 1}")
    progress.note("Almost there.")
    progress.close()
    progress.close()


def test_lines(capsys: pytest.CaptureFixture[str]):
    """Without a terminal there is one line for each window, and standard output stays free for results."""
    progress = make_progress("text")
    assert progress.show is write_line
    work(progress)
    shown = capsys.readouterr()
    assert shown.out == ""
    *windows, note = shown.err.splitlines()
    assert [line.split(" · ")[:2] for line in windows] == [[f"{n} of 3 windows", f"2024-0{n}"] for n in (1, 2, 3)]
    assert "2,000 returns" in windows[1]
    assert "298 requests left this minute" in windows[1]
    assert note == "Almost there."


def test_time_left_is_said_only_when_it_is_known(capsys: pytest.CaptureFixture[str]):
    """One window tells nothing about the rest, and after the last there is no rest."""
    work(make_progress("text"))
    assert ["to go" in line for line in capsys.readouterr().err.splitlines()] == [False, True, False, False]


def test_json_lines(capsys: pytest.CaptureFixture[str]):
    """With --log-format json every line is an object with a time and what happened."""
    work(make_progress("json"))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["windows", *["window_done"] * 3, "note"]
    assert [(event["done"], event["returns"], event["requests_left"]) for event in events[1:4]] == [
        (1, 1000, 299),
        (2, 2000, 298),
        (3, 3000, 297),
    ]
    assert all(datetime.fromisoformat(event["at"]).tzinfo for event in events)


def test_silent(capsys: pytest.CaptureFixture[str]):
    """Asked to be quiet, it says nothing."""
    progress = make_progress("json", quiet=True)
    assert isinstance(progress, Silent)
    work(progress)
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_terminal():
    """On a terminal one line is redrawn in place, and gone at the end; notes stay."""
    program = (
        "from loop_returns.cli.progress import Bar, make_progress\n"
        "progress = make_progress('text'); assert isinstance(progress.show, Bar)\n"
        "progress.windows(3); progress.rows(1000); progress.budget(7); progress.window_done('x')\n"
        "progress.note('a note'); progress.close(); progress.close()\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", program], stderr=theirs, check=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 65536):
            seen += more
    except OSError:  # the other end is closed: all is read
        pass
    os.close(ours)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "1/3" in shown
    assert "1,000 returns" in shown
    assert "7 requests left this minute" in shown
    assert "a note" in shown
    assert seen.decode().index("\x1b[?25l") < seen.decode().rindex("\x1b[?25h")  # the cursor comes back


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59, "59 s"), (90, "2 min"), (3700, "1 h 2 min"), (3 * 86400 + 7200, "3 d 2 h")],
)
def test_duration(seconds: float, said: str):
    """Durations are said as people say them."""
    assert duration(seconds) == said


@pytest.fixture
def done() -> Run:
    run = Run("sync", "default", requests=12, retries=2, too_many_requests=1, edge_checks=3, outcome="check_failed")
    run.tally = Tally(new={"returns": 1200}, changed={"returns": 7, "return_labels": 2}, unchanged=55, older=4)
    run.checks = [{"name": "orphans", "table": "return_labels", "severity": "error", "failed": 1, "message": "1 orphan."}]
    run.new_columns = ["returns.gift_wrap"]
    run.notices = ["The [red]report[/] was late."]
    run.cursor_after = run.finished_at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    return run


def test_report(done: Run, capsys: pytest.CaptureFixture[str]):
    """The report has every number that matters, in columns, without escape sequences where there is no terminal."""
    show_run(done, OutputOptions())
    text = capsys.readouterr().out
    for pattern in (
        r"a check of the data failed",
        r"returns +1,200 +7\b",
        r"return_labels +0 +2\b",
        r"unchanged +55 rows",
        r"left out +4 copies",
        r"requests +12, 2 repeated, 1 answered 429, 3 to look at page edges",
        r"cursor +- → 2026-11-21 10:00:00 UTC",
        r"returns\.gift_wrap",
        r"error: 1 orphan\.",
        r"The \[red\]report\[/\] was late\.",
    ):
        assert re.search(pattern, text), pattern
    assert "\x1b" not in text


def test_report_as_json(done: Run, capsys: pytest.CaptureFixture[str]):
    """As JSON the report is the ledger's record; in JSON logs it takes one line."""
    show_run(done, OutputOptions(as_json=True))
    assert json.loads(capsys.readouterr().out)["rows_new"] == {"returns": 1200}
    show_run(done, OutputOptions(log_format="json"))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["checks"] == done.checks
