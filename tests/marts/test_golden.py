"""Every mart says what the hand-worked tables in `golden/` say, row by row, whatever the zone of the session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns import marts
from tests.support.golden_answers import BY_RULE, OTHERS
from tests.support.golden_shop import SHOP, golden, line, ret, written
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from pathlib import Path

    import dlt

NAMES = sorted({mart.name for mart in marts.all_marts()} - OTHERS)  # the rest: `test_answers.py`


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlt.Pipeline, Path]:
    folder = tmp_path_factory.mktemp("golden")
    pipeline = duckdb_pipeline(folder)
    load(pipeline, SHOP)
    marts.refresh(pipeline)
    return pipeline, folder / "test.duckdb"


@pytest.mark.parametrize("mart", NAMES)
def test_rows(warehouse: tuple[dlt.Pipeline, Path], mart: str):
    """A mart has the rows that were worked out by hand, no more and no fewer."""
    columns, expected = golden(mart)
    rows = select(warehouse[0], f"SELECT {', '.join(columns)} FROM {mart}")
    assert sorted([written(value) for value in row] for row in rows) == expected


@pytest.mark.parametrize("mart", NAMES)
def test_key(warehouse: tuple[dlt.Pipeline, Path], mart: str):
    """The key that a mart's header names tells its rows apart."""
    key = {one.name: one.key for one in marts.all_marts()}[mart]
    rows = select(warehouse[0], f"SELECT {', '.join(key)} FROM {mart}")
    assert rows
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_zone_of_the_session(warehouse: tuple[dlt.Pipeline, Path], zone: str):
    """Days and months are UTC days and months, also for an analyst whose session has another zone."""
    with duckdb.connect(str(warehouse[1]), read_only=True) as connection:
        connection.execute(f"SET TimeZone = '{zone}'; SET schema = 'loop_returns'")
        for mart in NAMES:
            columns, expected = golden(mart)
            rows = connection.execute(f"SELECT {', '.join(columns)} FROM {mart}").fetchall()
            assert sorted([written(value) for value in row] for row in rows) == expected, mart


def test_all_columns_are_worked_out():
    """No column of a mart is left unproven, but for the one that tells how many hours have passed until now."""
    for mart in marts.all_marts():
        if mart.name in BY_RULE:
            continue
        columns, _ = golden(mart.name)
        assert set(mart.columns) - set(columns) <= {"hours_behind"}, mart.name


def test_what_depends_on_today(tmp_path: Path):
    """Open returns are aged by UTC days, what is expected later than today is not overdue, freshness is told in hours."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ages = {"7": 7, "8": 8, "14": 14, "30": 30, "31": 31, "60": 60, "61": 61}
    returns = [
        ret(one, "open", "refund", "01-01 00:00") | {"created_at": today - timedelta(days=n)} for one, n in ages.items()
    ]
    done = ret("D", "closed", "refund", "01-01 00:00", label_status="delivered")
    done |= {"created_at": today - timedelta(days=40), "label_updated_at": today - timedelta(days=10)}
    lines = [line(f"L{one}", one, "A", "A1", "10") for one in ages]
    run = {"shop": "north", "run_id": "1", "command": "sync", "exit_code": 0, "cursor_after": today - timedelta(hours=3)}
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, {"returns": [*returns, done], "return_line_items": lines, "_loop_sync_runs": [run]})
    marts.refresh(pipeline)
    aged = select(pipeline, "SELECT age_bucket, returns FROM rpt_return_aging ORDER BY 1")
    coming = dict(select(pipeline, "SELECT expected_date, is_overdue FROM rpt_inbound_forecast"))
    (hours,) = select(pipeline, "SELECT hours_behind FROM rpt_sync_freshness")[0]
    since = (datetime.now(UTC) - today) / timedelta(hours=1) + 3
    if datetime.now(UTC).date() != today.date():
        pytest.skip("midnight passed while the test ran")
    assert aged == [("00-07 days", 1), ("08-14 days", 2), ("15-30 days", 1), ("31-60 days", 2), ("61+ days", 1)]
    # 30 days from submitting to delivery in this shop
    assert coming == {(today + timedelta(days=30 - n)).date(): n > 30 for n in ages.values()}
    assert abs(float(hours) - since) < 0.1
