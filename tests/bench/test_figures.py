"""The benchmarks run as README says, and their figures are of runs that read everything."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench.measure import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _bench(folder: Path, *arguments: str) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """What each process said of its work, by its figure's name, and the ratios."""
    command = [sys.executable, "-m", "tests.bench", *arguments, "--repeats", "1", "--json", str(folder / "b.json")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found = json.loads((folder / "b.json").read_text())
    assert all(one["wall"] > 0 for one in found["figures"])
    return {one["name"]: one["said"] for one in found["figures"]}, found["ratios"]


def _is_whole(said: dict[str, Any], returns: int) -> bool:
    new = said["rows_new"]
    read_all = new["returns"] == returns and new["advanced_shipping_notices"] == new["return_line_items"] > 2 * returns
    return read_all and said["outcome"] == "done"


@pytest.mark.engines
def test_parts(tmp_path: Path):
    """The parts of one checkout run on small shops and write their JSON, and each run has read all that it should."""
    parts = ("start", "shaping", "job", "paced")
    said, ratios = _bench(tmp_path, *parts, "--sizes", "400", "--stock", "300")
    assert said["returns alone, 400"]["rows_new"]["returns"] == 400
    assert "advanced_shipping_notices" not in said["returns alone, 400"]["rows_new"]
    assert _is_whole(said["paced, 400: whole job, DuckDB"], 400)
    assert _is_whole(said["paced, 400: whole job, PostgreSQL"], 400)
    assert said["1 % changed, of 400"]["rows_changed"]["returns"] == 4
    assert ratios["nothing new, of 400: requests"] <= 15
    for name in ("", ", a field undeclared", ", PostgreSQL"):
        assert _is_whole(said[f"whole job, 400{name}"], 400)


@pytest.mark.engines
def test_other_ways(tmp_path: Path):
    """So do the parts that read the same shop in other ways."""
    said, _ = _bench(tmp_path, "unpaced", "sequential", "--sizes", "400", "--stock", "300")
    assert said["DuckDB read_json, 400"]["rows"]["returns"] == 400


@pytest.mark.long
def test_two_checkouts(tmp_path: Path):
    """Both are measured, and each later sync finds the warehouse of its own checkout."""
    said, ratios = _bench(tmp_path, "increments", "--increments", "400", "--against", str(ROOT))
    for label in ("this", "other"):
        assert _is_whole(said[f"whole job, 400, {label}"], 400)
        changes = said[f"1 % changed, of 400, {label}"]
        assert changes["rows_changed"]["returns"] == 4
        assert changes["rows_changed"]["advanced_shipping_notices"] == changes["rows_changed"]["return_line_items"] > 4
        assert {name for name, rows in changes["rows_new"].items() if rows} <= {"return_label_changes"}
    assert ratios["whole job, 400: cpu, this / other"] > 0
