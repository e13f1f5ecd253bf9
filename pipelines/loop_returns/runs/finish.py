"""What follows a load: the marts are brought up to date, comments written, the data checked."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from loop_returns import __version__, marts
from loop_returns.runs.checks import run_checks
from loop_returns.warehouse.comments import write_comments

if TYPE_CHECKING:
    from loop_returns.runs.session import Session


def finish(opened: Session, *, thorough: bool = False) -> None:
    """Refreshes marts and comments and checks the data, where that has not been done since the last load.

    Where everything was sound before, only what this run loaded is checked, unless `thorough`. A failed check makes the
    run's outcome `check_failed` and its exit code 3; warnings only stand in the report.
    """
    run, warehouse = opened.run, opened.warehouse
    if opened.options.dry_run or (opened.state.verified == __version__ and not thorough):
        return
    opened.progress.note("Refreshing marts, checking the data.")
    was_sound = opened.verified_before == __version__
    with warehouse.explained():
        if opened.settings.marts != "off":
            marts.refresh(warehouse.pipeline, as_tables=opened.settings.marts == "tables")
        write_comments(warehouse.pipeline, marts.column_comments())
        loads = warehouse.loads if was_sound and not thorough else None
        checks = run_checks(warehouse.pipeline, shop=opened.shop, loads=loads)
    run.checks = [asdict(check) for check in checks if check.failed]
    sound = not any(check.failed and check.severity == "error" for check in checks)
    if not sound:
        run.outcome, run.exit_code = "check_failed", 3
    opened.state = replace(
        opened.state, verified=__version__ if sound else None
    )  # else the next run checks everything again
