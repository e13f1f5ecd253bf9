"""A wheel built from the project works by itself: marts, sandbox, report and schema files are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_a_wheel_has_everything_that_the_package_reads(tmp_path: Path) -> None:
    """Every file of the package that is not Python's own cache is in the wheel, and its console script answers."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "pipelines"
    tracked = subprocess.run(["git", "ls-files", "loop_returns"], cwd=package, capture_output=True, text=True, check=True)
    files = set(tracked.stdout.split())
    assert any(name.endswith(".sql") for name in files)
    assert files <= inside
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    found = subprocess.run(
        [sys.executable, "-c", "import loop_returns.cli as c; print(c.__file__); c.main()", "--version"],
        env=os.environ | {"PYTHONPATH": str(unpacked)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(unpacked) in found.stdout
