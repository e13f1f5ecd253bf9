"""What a run says while it works and when it ends fits the place it goes to."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from loop_returns.cli.console import show_run
from loop_returns.cli.options import OutputOptions
from loop_returns.runs.ledger import Run
from loop_returns.runs.progress import duration
from loop_returns.tables.chunk import Tally


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
