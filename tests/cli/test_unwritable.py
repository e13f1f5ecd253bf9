"""A place that cannot be written is for the operator to change: exit code 2, with the place and what to do."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loop_returns.cli import run
from tests.support.killing import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.script import Script


COMMANDS = {
    "lock": ["sync", "--database", "closed/loop.duckdb"],
    "report": ["report", "--output", "closed/page.html"],
    "publish": ["sync", "--publish", "closed/read.duckdb"],
    "journal": ["sync"],  # the last one, as it changes the folder of data
}


def as_somebody(work: Callable[[], object]) -> int:
    """Does the work as a user without rights, as root may write everywhere; returns the exit code of the child."""

    def without_rights() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        work()

    return in_child(without_rights)


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that other users get at, which pytest's own are not; dlt's data is in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        monkeypatch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        yield folder


@pytest.mark.long
def test_exit_code(script: Script, open_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """A folder without the right to write ends the command with 2, whichever file should be there."""
    monkeypatch.chdir(open_folder)
    script.folder = open_folder
    script("sync", "--publish", "read.duckdb")  # also so that everything is imported: another user may not read it
    script("report")
    closed = script.folder / "closed"
    closed.mkdir(mode=0o555)
    codes = script.folder / "code"
    for place, command in COMMANDS.items():
        codes.write_text("none")
        for one in [script.folder, *script.folder.rglob("*")]:
            one.chmod(0o777 if one.is_dir() and one != closed else 0o555 if one == closed else 0o666)
        if place == "journal":
            monkeypatch.setenv("DLT_DATA_DIR", str(closed))
        capfd.readouterr()
        assert as_somebody(lambda command=command: codes.write_text(str(run(command)))) == 0  # type: ignore[misc]
        err = capfd.readouterr().err
        assert codes.read_text() == "2", (place, err)
        assert "closed" in err.splitlines()[-1]
        assert "Permission denied" in err
