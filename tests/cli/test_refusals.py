"""What an operator typed wrongly is refused with exit code 2 and a sentence, before anything is opened."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.cli import run
from loop_returns.cli.arguments import range_of, resources_of
from loop_returns.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.delenv("SOURCES__LOOP_RETURNS__API_KEY", raising=False)
    return tmp_path


WRONG = {
    "no such command": (["snyc"], "snyc"),
    "no such option": (["sync", "--onyl", "returns"], "--onyl"),
    "no date": (["backfill", "--from", "yesterday", "--to", "2024-01-31"], "2024-01-31T10:00:00Z"),
    "no such day": (["backfill", "--from", "2024-01-01", "--to", "2024-02-30"], "--to"),
    "only one date": (["backfill", "--from", "2024-01-01"], "--to"),
    "reversed": (["backfill", "--from", "2024-02-01", "--to", "2024-01-01"], "after"),
    "future": (["backfill", "--from", "2999-01-01", "--to", "2999-02-01"], "future"),
    "before Loop": (["backfill", "--from", "2016-12-31", "--to", "2024-01-01"], "2017-01-01"),
    "no such resource": (["sync", "--only", "returns,refunds"], "advanced_shipping_notices"),
    "no resource": (["backfill", "--from", "2024-01-01", "--to", "2024-01-02", "--only", ","], "--only"),
    "no such format": (["status", "--log-format", "xml"], "xml"),
    "no days": (["reconcile", "--days", "0"], "--days"),
    "no key": (["sync"], "Developer Tools"),
    "no such destination": (["status", "--destination", "excel"], "excel"),
    "demo elsewhere": (["demo", "--destination", "postgres"], "sandbox"),
}


@pytest.mark.parametrize(("arguments", "part"), WRONG.values(), ids=WRONG)
def test_refused(arguments: list[str], part: str, capfd: pytest.CaptureFixture[str], empty_folder: Path):
    """The exit code is 2; standard error has one paragraph that says what is wrong, and no file appears."""
    assert run(arguments) == 2
    out, err = capfd.readouterr()
    assert part in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert out == ""
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("name", ["no such option", "reversed", "no key"])
def test_refused_in_json(name: str, capfd: pytest.CaptureFixture[str]):
    """With --log-format json the refusal is one JSON object on one line."""
    arguments, part = WRONG[name]
    assert run([*arguments, "--log-format", "json"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["exit_code"]) == ("error", 2)
    assert part in said["message"]


def test_result_is_json_also_when_refused(capfd: pytest.CaptureFixture[str]):
    """With --json standard output holds an object that says so."""
    assert run(["sync", "--json"]) == 2
    said = json.loads(capfd.readouterr().out)
    assert (said["outcome"], said["exit_code"], said["error_class"]) == ("failed", 2, "ConfigurationError")


def test_no_command(capfd: pytest.CaptureFixture[str]):
    """Without a command the help is shown, and scripts can tell that nothing was done."""
    assert run([]) == 2
    shown = capfd.readouterr()
    assert "loop-returns demo" in shown.out + shown.err


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2024-01-01", "2024-01-31", "2024-01-01T00:00:00", "2024-01-31T23:59:59"),
        ("2024-02-29", "2024-02-29", "2024-02-29T00:00:00", "2024-02-29T23:59:59"),
        ("2024-01-01T10:00:00Z", "2024-01-01 12:00", "2024-01-01T10:00:00", "2024-01-01T12:00:00"),
        ("2024-01-01T01:00:00+02:00", "2024-01-02", "2023-12-31T23:00:00", "2024-01-02T23:59:59"),
        ("2026-11-22", "2026-11-22", "2026-11-22T00:00:00", "2026-11-22T23:59:59"),
    ],
)
def test_dates(start: str, end: str, first: str, last: str):
    """Dates are UTC, an end without a time is the end of that day, and tomorrow counts as today further east."""
    assert [moment.isoformat() for moment in range_of(start, end, now=NOW)] == [f"{first}+00:00", f"{last}+00:00"]


def test_two_days_ahead():
    """From the day after tomorrow on it is the future."""
    with pytest.raises(ConfigurationError, match="future"):
        range_of(f"{NOW + timedelta(days=2):%Y-%m-%d}", "2999-01-01", now=NOW)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("returns", {"returns"}),
        ("return_line_items, return_labels", {"returns"}),
        (" Returns,ADVANCED_SHIPPING_NOTICES,", {"returns", "advanced_shipping_notices"}),
    ],
)
def test_resources(text: str, names: set[str]):
    """Tables that come with returns stand for it; case and blanks do not matter."""
    assert resources_of(text) == names
    assert resources_of(None) is None
