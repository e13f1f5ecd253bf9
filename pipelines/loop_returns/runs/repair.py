"""What a run sets right before it reads: what was dropped from the warehouse, and what a wrong clock left in the state."""

from dataclasses import replace

from loop_returns.api.windows import DAY
from loop_returns.extract.clocks import Clocks
from loop_returns.extract.state import ShopState
from loop_returns.settings import Settings
from loop_returns.tables.catalog import HISTORY, TABLES
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.load import Warehouse


def set_right(warehouse: Warehouse, state: ShopState, settings: Settings, clock: Clocks) -> tuple[ShopState, list[str]]:
    """Makes again what is missing in the warehouse, and takes back times of the state that are ahead of every clock.

    Returns the shop's state, and what the operator should know.
    """
    lost, notices = warehouse.prepare(), []
    if lost:
        stored = ShopState.read(warehouse.state(settings.shop))
        state = replace(
            state,
            cursor=stored.cursor,
            notices_read=stored.notices_read,
            resources=stored.resources,
            backfills={},
            verified=None,
        )
        names = ", ".join(_named(name, columns) for name, columns in sorted(lost.items()))
        history = lost.keys() & {one.name for one in (*HISTORY, RUNS)}
        fate = " Syncs of each shop in the dataset read again what Loop still has of it." if lost.keys() - history else ""
        fate += " What was seen of states, labels and runs in the past cannot be read again." if history else ""
        notices.append(f"Missing in the warehouse, and made again: {names}.{fate}")
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


def _named(table: str, columns: set[str]) -> str:
    """The table, or the columns of it that are missing."""
    whole = table not in TABLES or set(TABLES[table].names) <= columns
    return table if whole else ", ".join(f"{table}.{column}" for column in sorted(columns))
