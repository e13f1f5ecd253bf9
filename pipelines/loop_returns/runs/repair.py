"""What a run sets right before it reads: what was dropped from the warehouse, and what a wrong clock left in the state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loop_returns.api.facts import FIRST_DAY
from loop_returns.api.windows import DAY, utc_midnight
from loop_returns.dates import in_utc
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.returns import RETURNS

if TYPE_CHECKING:
    from datetime import datetime

    from loop_returns.extract.clocks import Clocks
    from loop_returns.extract.state import ShopState
    from loop_returns.settings import Settings
    from loop_returns.warehouse.load import Warehouse


def set_right(warehouse: Warehouse, state: ShopState, settings: Settings, clock: Clocks) -> tuple[ShopState, list[str]]:
    """Makes again what is missing in the warehouse, and takes back times of the state that are ahead of every clock.

    Returns the shop's state, and what the operator should know.
    """
    lost, notices = warehouse.prepare(), []
    if lost:
        state = replace(state, backfills={}, verified=None)
        names = ", ".join(_named(name, columns) for name, columns in sorted(lost.items()))
        first = _first_day(warehouse, settings)
        notices.append(
            f"Missing in the warehouse, and made again without what they held: {names}. Run `loop-returns backfill --from "
            f"{first:%Y-%m-%d} --to {clock.latest:%Y-%m-%d}`, for each shop of the dataset: it reads again what Loop still "
            "has."
        )
    since = min(state.since or settings.start_date, settings.start_date)
    if state.cursor is not None and state.cursor > clock.latest:
        near = state.cursor <= clock.latest + DAY  # so it was written less than a day ago
        if not near:
            notices.append(
                f"The sync cursor was at {state.cursor:%Y-%m-%d %H:%M}, ahead of every clock, and tells nothing. It was set "
                f"back to {since:%Y-%m-%d}, where reading began: a sync reads again everything that changed since."
            )
        state = replace(state, cursor=clock.latest - DAY if near else since)
    if state.notices_read is not None and state.notices_read > clock.latest.date() + DAY:
        state = replace(state, notices_read=since.date())
    return state, notices


def _first_day(warehouse: Warehouse, settings: Settings) -> datetime:
    """When the oldest return was submitted: a sync loads those from before `start_date` too that changed since."""
    with warehouse.reader() as reader:
        rows = reader.rows(f"SELECT min({reader.time('created_at')}) FROM {reader.name(RETURNS.name)}")
    first = in_utc(rows[0][0]) if rows and rows[0][0] else utc_midnight(FIRST_DAY)
    return max(min(settings.start_date, first), utc_midnight(FIRST_DAY))


def _named(table: str, columns: set[str]) -> str:
    """The table, or the columns of it that are missing."""
    whole = table not in TABLES or set(TABLES[table].names) <= columns
    return table if whole else ", ".join(f"{table}.{column}" for column in sorted(columns))
