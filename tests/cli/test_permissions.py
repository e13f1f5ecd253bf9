"""What the commands write is for its owner only; what an operator has opened stays open; open secrets are named."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Sandbox, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.script import Script

KEY = "a-key-of-the-sandbox"
DAYS = 40
WATCH = """
import os, sys, stat
seen = set()
def audit(event, args):  # every file while it lives, also those that are gone in the end
    is_seen = event == "os.remove" and args[1] != -1  # by the removal of its folder
    if event in ("os.rename", "os.remove", "shutil.rmtree") and not is_seen:
        for folder, folders, files in os.walk("."):
            for path in (os.path.join(folder, name) for name in folders + files if not folder.startswith("./.dlt")):
                try:
                    seen.add((path, os.lstat(path).st_mode)) if path != "./.dlt" else None
                except OSError:
                    pass
sys.addaudithook(audit)
from loop_returns.cli import main
try:
    main()
finally:
    open_ones = [path for path, mode in seen if mode & 0o077 and not stat.S_ISLNK(mode)]
    print(len(seen), open_ones, file=sys.stderr)
"""


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs the command line as a process of its own, under the umask that systems have."""
    with Sandbox(Shop.generate(returns=20, days=DAYS), api_key=KEY) as served:
        begin = datetime.now(UTC) - timedelta(days=DAYS + 1)
        given = {"BASE_URL": served.url, "START_DATE": f"{begin:%Y-%m-%d}"}
        environment = os.environ | {f"SOURCES__LOOP_RETURNS__{name}": value for name, value in given.items()}
        environment |= {"TMPDIR": str(home)}
        (home / ".dlt").mkdir()
        (home / ".dlt/secrets.toml").write_text(f'[sources.loop_returns]\napi_key = "{KEY}"\n')
        (home / ".dlt/secrets.toml").chmod(0o600)

        def run(
            *arguments: str, program: str = "from loop_returns.cli import main; main()", umask: int = 0o022, code: int = 0
        ):  # as annotated above
            command = [sys.executable, "-c", program, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, umask=umask, check=False)
            assert done.returncode == code, done.stderr
            return done

        yield run


def modes(folder: Path) -> dict[str, str]:
    """The modes of files that others can do something with."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".dlt" not in path.parts]
    assert len(files) > 3
    return {path.name: stat.filemode(path.stat().st_mode) for path in files if path.stat().st_mode & 0o077}


@pytest.mark.long
def test_for_the_owner_only(start: Callable[..., subprocess.CompletedProcess[str]], home: Path):
    """The warehouse, its copy, lock and journal, working folder, temporary files, the report: nobody else may read them.

    Files that exist keep their mode, also where they are replaced, and a umask that is stricter is respected.
    """
    names = ("loop.duckdb", "copy.duckdb", "loop_returns_report.html")
    told = start("sync", "--publish", "copy.duckdb", program=WATCH).stderr.splitlines()[-1]
    number, open_ones = told.split(" ", 1)
    assert int(number) > 50
    assert open_ones == "[]"
    start("report")
    assert {*names} <= {path.name for path in home.iterdir()}
    assert modes(home) == {}
    for name in names:
        (home / name).chmod(0o640)
    before = {name: (home / name).stat().st_ino for name in names}
    start("sync", "--publish", "copy.duckdb")
    start("report")
    assert {name: (home / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(names, 0o640)
    assert {name for name in names if (home / name).stat().st_ino != before[name]} == {
        "copy.duckdb",
        "loop_returns_report.html",
    }
    (home / "loop_returns_report.html").unlink()
    start("report", umask=0o277)
    assert (home / "loop_returns_report.html").stat().st_mode & 0o777 == 0o400


@pytest.mark.long
def test_published_files(script: Script, home: Path):
    """Only the owner may read what is published; whoever may read the manifest may read the files of later runs too."""
    assert script.ended("sync", "--publish", "out/")[0] == 0
    root = home / "out"
    assert not any(one.stat().st_mode & 0o077 for one in (root, *root.rglob("*")))
    (root / "manifest.json").chmod(0o640)
    script("sync", "--publish", "out")
    told = json.loads((root / "manifest.json").read_text())
    files = [root / "manifest.json", *(root / one["path"] for one in told["tables"].values())]
    assert {one.stat().st_mode & 0o777 for one in files} == {0o640}
    assert {one.stat().st_mode & 0o777 for one in (root / told["folder"]).rglob("*") if one.is_dir()} == {0o750}


@pytest.mark.parametrize("command", ["status", *(pytest.param(one, marks=pytest.mark.long) for one in ("sync", "check"))])
def test_open_secrets_are_named(start: Callable[..., subprocess.CompletedProcess[str]], home: Path, command: str):
    """A file of secrets that others can read is named with the command that closes it; a closed one is not."""
    secrets = home / ".dlt/secrets.toml"
    assert "chmod" not in start(command).stderr
    secrets.chmod(0o644)
    warning = f"Close it: chmod go= {secrets}"
    assert warning in start(command).stderr
    events = [json.loads(line) for line in start(command, "--log-format", "json").stderr.splitlines()]
    assert [one for one in events if one["event"] == "note" and warning in one["text"]]


@pytest.mark.long
def test_an_open_warehouse_is_named(start: Callable[..., subprocess.CompletedProcess[str]], home: Path):
    """A warehouse that everybody can read, as earlier versions made it, is named; one that a group reads is not."""
    start("sync")
    file = home / "loop.duckdb"
    file.chmod(0o644)
    assert f"chmod o= {file}" in start("sync").stderr
    file.chmod(0o640)
    assert "chmod" not in start("sync").stderr
