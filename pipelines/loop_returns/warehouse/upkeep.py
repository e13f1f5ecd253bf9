"""Keeps PostgreSQL quick: an index on what rows are found by, and statistics of what was loaded.

Its statistics hold the share of each shop. For a shop that they have not seen it expects one row, and joins thousands of
them row by row; and nothing says when it will look again by itself. A look takes half as long as the load before it.
"""

from contextlib import suppress
from typing import Final

from dlt.common.pipeline import LoadInfo
from dlt.destinations.exceptions import DatabaseException

from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse.dlt_internals import LOADS_TABLE
from loop_returns.warehouse.failures import one_line
from loop_returns.warehouse.reader import Reader

_GROWN: Final = (
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = %s AND n_mod_since_analyze > n_live_tup / 4"  # as it counts
)
_PATIENCE: Final = "SET LOCAL lock_timeout = '10s'"  # somebody may be at work on the table


def make_indexes(reader: Reader) -> list[str]:
    """Makes the indexes that are not there yet; returns a note for the operator where the database refuses."""
    there = {name for (name,) in reader.rows("SELECT indexname FROM pg_indexes WHERE schemaname = %s", reader.dataset)}
    todo = [
        f"CREATE INDEX IF NOT EXISTS {name} ON {reader.name(table.name)} ({', '.join(table.key[:2])})"
        for table in TABLES.values()
        if (name := f"{table.name}_by_shop") not in there
    ]
    try:
        if todo:
            reader.run(_PATIENCE, *todo)
    except DatabaseException as error:
        return [
            f"The indexes on shop and id could not be made, so loads and checks take longer: {one_line(error)} Let the "
            "owner of the tables run a sync once."
        ]
    return []


def analyze(reader: Reader, info: LoadInfo, known: set[str]) -> None:
    """Has the database look at tables that a load has changed, unless it does so itself or this user may not ask for it.

    At those that are not `known` in this run, to which they are added; at the others once a quarter of their rows is new.
    """
    written = {job.job_file_info.table_name for package in info.load_packages for job in package.jobs["completed_jobs"]}
    with suppress(DatabaseException):  # slower, but no less right
        grown = {name for (name,) in reader.rows(_GROWN, reader.dataset)}
        due = (written & TABLES.keys()) - (known - grown)
        known |= written
        for table in (*sorted(due), LOADS_TABLE):  # the last one is joined to find rows of loads that were never completed
            reader.execute(f"ANALYZE (SKIP_LOCKED) {reader.name(table)}")
