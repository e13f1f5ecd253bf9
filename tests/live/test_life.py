"""A mirror lives in the destination that the command line names: `pytest -m live --destination snowflake`.

Its credentials are dlt's, in the environment. Each test makes a dataset of its own there, and drops it.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loop_returns.runs.session import Options
from loop_returns.sandbox import Shop
from loop_returns.warehouse.reader import looking
from tests.support.driving import Driver
from tests.support.life import Life

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live
CREDENTIALS = {name: value for name, value in os.environ.items() if name.startswith("DESTINATION__")}  # tests take them away


@pytest.fixture
def life(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    destination = request.config.getoption("--destination")
    if destination is None:
        pytest.skip("--destination NAME says where")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    options = Options(destination=destination, dataset=f"loop_live_{uuid.uuid4().hex[:8]}")
    driver = Driver(Shop.generate(seed=6, returns=30, days=40), home, settings={"marts": "views"})
    yield Life(driver.start(), options)
    driver.stop()
    if options.target().file is None:
        for dataset in (options.dataset, f"{options.dataset}_staging", f"{options.dataset}_marts"):
            with suppress(Exception), looking(replace(options, dataset=dataset).target()) as reader:
                reader.sql.drop_dataset()


def test_life(life: Life) -> None:
    """Sync, vanished lines, a wiped folder, reconcile, backfill, comments and report are as they should be.

    So are the marts, in a dataset of their own.
    """
    life.options = replace(life.options, marts_dataset=f"{life.options.dataset}_marts")
    life.lead()


def test_killed(life: Life) -> None:
    """A run that is killed in the middle of its load leaves nothing that the next one does not put right."""
    life.be_killed()
