"""A whole life in a DuckLake with a real PostgreSQL as its catalogue; needs DuckDB's extensions, which come as packages."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg2
import pytest

from loop_returns.errors import LockedError
from loop_returns.runs.session import Options
from loop_returns.sandbox import Shop
from loop_returns.warehouse.lock import hold
from tests.support.driving import NOW, Driver
from tests.support.life import Life

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engines


@pytest.fixture
def life(home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    extensions = pytest.importorskip("duckdb_extensions")
    for name in ("ducklake", "postgres_scanner"):
        extensions.import_extension(name)
    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE lake_{os.getpid()}_{home.name}".replace("-", "_")[:60])
    connection.close()
    address = postgres.replace("/postgres?", f"/{f'lake_{os.getpid()}_{home.name}'.replace('-', '_')[:60]}?")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG", address)
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__DUCKLAKE_NAME", "lake")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL", str(home / "files"))
    made = Driver(Shop.generate(seed=6, returns=30, days=40, now=NOW), home, settings={"marts": "views"})
    yield Life(made.start(), Options(destination="ducklake"))
    made.stop()


def test_life(life: Life) -> None:
    """Syncs, vanished lines, a backfill, deleted and silently changed returns: the lake equals the shop, in files.

    The marts are in a schema of their own.
    """
    life.options = replace(life.options, marts_dataset="loop_marts")
    life.lead()
    assert life.options.target().untried is None
    assert list((life.driver.folder / "files").rglob("*.parquet")), "rows are in files"


def test_killed(life: Life) -> None:
    """A run that is killed in the middle of its load leaves nothing that the next one does not put right."""
    life.be_killed()


def test_one_writer(life: Life, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is in the catalogue: a run on another machine, with whatever dataset of this lake, is refused."""
    with hold(life.options.target(), command="sync"):
        monkeypatch.setenv("DLT_DATA_DIR", str(home / "hers"))
        elsewhere = Options(destination="ducklake", dataset="others").target()
        with pytest.raises(LockedError), hold(elsewhere, command="sync"):
            pass
