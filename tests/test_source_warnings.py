"""In somebody's own pipeline, as a script, the source writes next to nothing to the terminal, and never the key."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Sandbox, Shop
from loop_returns.tables.catalog import CHILDREN
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import Type
from loop_returns.tables.shipping import ASN
from tests.support.driving import NOW

if TYPE_CHECKING:
    from pathlib import Path

READ = (RETURNS, *CHILDREN, ASN, *(table for one in RESOURCES if one.by_default for table in one.tables))
SCRIPT = """
import dlt
from loop_returns import loop_returns_source

pipeline = dlt.pipeline("theirs", destination={destination!r}, dataset_name="theirs_{name}")
pipeline.run(loop_returns_source(start_date="2026-01-01"))
"""


@pytest.mark.parametrize("destination", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def test_a_few_lines_at_most(destination: str, home: Path, request: pytest.FixtureRequest):
    """However many pages a run reads, dlt warns once for each table whose JSON it gets as text, and of nothing else."""
    (home / "script.py").write_text(SCRIPT.format(destination=destination, name=os.urandom(4).hex()))
    with Sandbox(Shop.generate(seed=5, returns=60, days=200, now=NOW)) as sandbox:
        environment = {name: value for name, value in os.environ.items() if name != "RUNTIME__LOG_LEVEL"}
        environment |= {"SOURCES__LOOP_RETURNS__API_KEY": sandbox.api_key, "SOURCES__LOOP_RETURNS__BASE_URL": sandbox.url}
        if destination == "postgres":
            environment["DESTINATION__POSTGRES__CREDENTIALS"] = request.getfixturevalue("postgres")
        done = subprocess.run([sys.executable, "script.py"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) <= sum(any(one.type is Type.JSON for one in table.columns) for table in READ), done.stderr
    assert all("when merging arrow schema with dlt schema" in line for line in lines), done.stderr
    assert sandbox.api_key not in done.stdout + done.stderr
