"""Whoever reads only the beginning of the output, as `| head` does, ends no command and sees no complaint."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.script import Script

COMMAND = f"'{sys.executable}' -m loop_returns"


def piped(script: Script, line: str) -> subprocess.CompletedProcess[str]:
    """Runs a line in bash; standard output is the exit code of its first command."""
    return subprocess.run(
        ["bash", "-c", f"{line}; echo ${{PIPESTATUS[0]}}"], cwd=script.folder, capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_the_reader_is_gone(script: Script):
    """The command does all its work, says nothing about the pipe, and has the exit code that it would have had."""
    script("sync")
    for command in ("status", "status --json", "status --log-format json", "sync --dry-run", "sync"):
        found = piped(script, f"{COMMAND} {command} | true")
        assert found.stdout == "0\n", (command, found.stderr)
        assert "Traceback" not in found.stderr
        assert "Broken" not in found.stderr
    assert script.status()["last_run"]["outcome"] == "done"


def test_nobody_reads_the_errors_either(script: Script):
    """Without anybody who reads standard error a run ends too, quietly."""
    found = piped(script, f"({COMMAND} sync 2>&1; echo $? > code) | true")
    assert found.stderr == ""
    assert (script.folder / "code").read_text() in {"0\n", "1\n"}
