"""The console script in a folder of its own, as people and schedulers call it, against a shop on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from loop_returns.cli import run
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from loop_returns.sandbox import Sandbox, SeenRequest

KEY = "a-key-of-the-sandbox"


class Script:
    """The console script: called here, or started as a process."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def start(self, *arguments: str, before: str = "") -> subprocess.Popen[str]:
        """Starts it as a process, which first does what the program `before` says."""
        command = [sys.executable, "-c", f"{before}\nfrom loop_returns.__main__ import main; main()", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self, *arguments: str, before: str = "") -> tuple[int, str, str]:
        """Runs it as a process to its end; returns the exit code, standard output and standard error."""
        process = self.start(*arguments, before=before)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def __call__(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Runs it to its end; returns what it wrote to standard output and standard error."""
        self._capfd.readouterr()
        ended = run(list(arguments))
        out, err = self._capfd.readouterr()
        assert ended == code, err
        assert KEY not in out + err
        return out, err

    def status(self) -> dict[str, Any]:
        """What `status --json` prints."""
        return dict(json.loads(self("status", "--json")[0]))


@contextmanager
def held_at_request(number: int, sandbox: Sandbox) -> Iterator[threading.Event]:
    """No request from this one on is answered until the block ends; the event says that it has come."""
    numbers, reached, released = count(1), threading.Event(), threading.Event()

    def hold_back(_: SeenRequest) -> None:
        if next(numbers) >= number:
            reached.set()
            released.wait(PATIENCE)

    sandbox.on_request = hold_back
    try:
        yield reached
    finally:
        sandbox.on_request = None
        released.set()
