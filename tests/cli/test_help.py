"""The help teaches, is complete, and is quick because it loads nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from loop_returns import __version__
from loop_returns.cli import app

COMMANDS = ("sync", "backfill", "reconcile", "check", "status", "report", "demo", "sandbox")
RUNNER = CliRunner()
HEAVY = (
    "dlt",
    "duckdb",
    "pyarrow",
    "httpx",
    "pendulum",
    "rich",
    "msgspec",
    "loop_returns.runs.session",
    "loop_returns.sandbox",
)


def test_overview():
    """The overview names every command, with a whole sentence for each, how to begin, and the exit codes."""
    text = RUNNER.invoke(app, ["--help"], prog_name="loop-returns").output
    assert sorted(typer.main.get_command(app).commands) == sorted(COMMANDS)  # type: ignore[attr-defined] # a group
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*[^.]\.$", text, re.MULTILINE)
    for part in ("loop-returns demo", "SOURCES__LOOP_RETURNS__API_KEY", "Exit codes", "75", ".dlt/config.toml"):
        assert part in text


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name: str):
    """Every command shows examples of itself and takes the options that all have, with their defaults."""
    found = RUNNER.invoke(app, [name, "--help"], prog_name="loop-returns", terminal_width=200)
    assert found.exit_code == 0
    assert f"\n    loop-returns {name}" in found.output
    for option in ("--destination", "--dataset", "--log-format", "--debug", "--help"):
        assert option in found.output
    assert "[default: duckdb]" in found.output


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sync", "--only --dry-run --abort-pending --publish --json"),
        ("backfill", "--from --to --newest-first --restart --resume --only --dry-run --abort-pending --publish --json"),
        ("reconcile", "--days --dry-run --json"),
        ("status", "--json"),
        ("report", "--output --days --open"),
    ],
)
def test_own_options(name: str, options: str):
    """The options that scripts rely on are there."""
    text = RUNNER.invoke(app, [name, "--help"]).output
    for option in options.split():
        assert re.search(rf"^ +(--\w+ / )?{option} ", text, re.MULTILINE)


def test_version():
    """--version says the version."""
    assert RUNNER.invoke(app, ["--version"]).output == f"loop-returns {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["sync", "--bad"]])
def test_nothing_heavy_is_loaded(arguments: list[str]):
    """Help, and refusing an option, load none of the libraries that take long to import."""
    program = (
        "import sys; from loop_returns.cli import run; run(sys.argv[2:]);"
        "print('LOADED', [name for name in sys.argv[1].split(',') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, ",".join(HEAVY), *arguments], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "LOADED []"
