"""Before the first sync there is nothing to report on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns.cli import run
from tests.support.warehouses import duckdb_pipeline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("there", ["no file", "another dataset"])
def test_exit_code(home: Path, there: str, capfd: pytest.CaptureFixture[str]):
    """Without a warehouse no page is written: exit code 2, and the message says to run a sync first."""
    if there == "another dataset":
        duckdb_pipeline(home).run([{"n": 1}], table_name="other")
    capfd.readouterr()
    assert run(["report", "--database", "test.duckdb"]) == 2
    err = capfd.readouterr().err
    assert "Run `loop-returns sync` first" in err
    assert "test.duckdb" in err
    assert not list(home.glob("*.html"))
