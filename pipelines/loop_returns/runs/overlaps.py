"""Runs that overlapped, where no lock holds between machines: seen in the ledger afterwards.

A run's row is there when the run has ended. One that was not there when this run began, and is there once this run has
written its own, is that of a run which was at work meanwhile; of two that end at once at least one sees the other. No clocks
are compared. A run that is still at work has no row, and sees this one when it ends; one that was killed nobody sees.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from loop_returns.dates import in_utc
from loop_returns.runs.checks import Check
from loop_returns.runs.ledger import Run
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.load import Warehouse

ONE_AT_A_TIME: Final = "one_run_at_a_time"  # the name of the check
_CLOCKS: Final = timedelta(days=3)  # how far those of two machines may be apart; no older row can have come meanwhile
_SEEN: Final = "run_id, command, shop, host, started_at"
Row = tuple[str, str, str, str, datetime]


def ended_by_now(warehouse: Warehouse, run: Run) -> set[Row]:
    """The runs of all shops that have ended, but for those long before this one; none where a lock holds."""
    if warehouse.is_empty or warehouse.target.excludes_other_machines:
        return set()
    with warehouse.reader() as reader:
        sql = f"SELECT {_SEEN} FROM {reader.name(RUNS.name)} WHERE finished_at > %s AND outcome <> 'killed'"
        return {(*texts, in_utc(started)) for *texts, started in reader.rows(sql, run.started_at - _CLOCKS)}


def note_overlaps(run: Run, before: set[Row], after: set[Row], *, mine: Collection[str]) -> bool:
    """Notes runs that ended between `before` and `after` as a failed check, but for those that this one wrote down."""
    others = [row for row in after - before if row[0] not in mine]
    if not (mine and others):
        return False
    _, command, shop, host, started = max(others, key=lambda row: row[-1])
    message = (
        f"Another run worked on this dataset at the same time (`{command}` of the shop {shop} on {host}, since "
        f"{started:%Y-%m-%d %H:%M:%S} UTC), and this destination has no lock that would have kept it out: rows may be "
        "missing or twice. Run `loop-returns reconcile` over the days that both have read, and let the scheduler start one "
        "run at a time."
    )
    run.checks.append(asdict(Check(ONE_AT_A_TIME, RUNS.name, "error", len(others), message)))
    run.outcome, run.exit_code = "check_failed", 3
    return True
