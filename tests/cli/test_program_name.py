"""Messages and help call the program as it was called, and point to the command that was meant."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def called(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m loop_returns` in a folder."""
    command = [sys.executable, "-m", "loop_returns", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment or None)


def test_as_a_module(tmp_path: Path):
    """`python -m loop_returns` works from any folder, and its usage lines say so."""
    assert "Usage: python -m loop_returns [OPTIONS]" in called(tmp_path, "--help").stdout
    assert "Usage: python -m loop_returns sync [OPTIONS]" in called(tmp_path, "sync", "--help").stdout
    assert "Try 'python -m loop_returns sync --help'." in called(tmp_path, "sync", "--bad").stderr


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        (["snyc"], "loop-returns --help"),
        (["sync", "--onyl", "x"], "loop-returns sync --help"),
        (["backfill", "--from", "2024-01-01"], "loop-returns backfill --help"),
        (["reconcile", "--days", "many"], "loop-returns reconcile --help"),
        (["sync", "extra"], "loop-returns sync --help"),
        (["sync", "--database"], "loop-returns sync --help"),
    ],
)
def test_usage_errors(arguments: list[str], pointer: str, capfd: pytest.CaptureFixture[str]):
    """What was typed wrongly leads to the help of that command."""
    from loop_returns.cli import run

    assert run(arguments) == 2
    said = capfd.readouterr().err
    assert f". Try '{pointer}'." in said or f"? Try '{pointer}'." in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(tmp_path: Path, shell: str):
    """The program prints a script for the shell, and completes commands and options."""
    program = "import sys; from loop_returns.__main__ import main; main()"

    def completed(**environment: str) -> str:
        found = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return found.stdout

    assert "loop-returns" in completed(_LOOP_RETURNS_COMPLETE=f"source_{shell}")
    if shell == "bash":
        asked = {"COMP_WORDS": "loop-returns re", "COMP_CWORD": "1", "_LOOP_RETURNS_COMPLETE": "complete_bash"}
        assert completed(**asked).split() == ["reconcile", "report"]
