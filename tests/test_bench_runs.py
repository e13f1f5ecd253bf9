"""The benchmarks run as README says, and their figures are of runs that read everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .bench.measure import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_every_part_that_needs_no_minutes(tmp_path: Path):
    """Start-up, shaping, unpaced and increments run on small shops, write their JSON, and each run has read every return."""
    command = [sys.executable, "-m", "tests.bench", "start", "shaping", "unpaced", "increments", "--repeats", "1"]
    command += [
        "--sizes",
        "1500",
        "3000",
        "--increments",
        "1000",
        "2000",
        "--stock",
        "800",
        "--json",
        str(tmp_path / "b.json"),
    ]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    found = json.loads((tmp_path / "b.json").read_text())
    rows = {one["name"]: one["said"] for one in found["figures"]}
    assert json.loads(json.dumps(rows["unpaced, 3,000: mirror"]["rows_new"]))["returns"] == 3000
    assert rows["unpaced, 3,000: DuckDB read_json"]["rows"]["returns"] == 3000
    assert rows["1 % changed, of 2,000"]["rows_changed"]["returns"] == 20
    assert found["ratios"]["nothing new, of 2000: requests"] <= 15
