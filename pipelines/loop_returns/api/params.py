"""The parameters of every request to the two lists that are mirrored: the returns and their shipping notices.

Sources: docs.loopreturns.com/api-reference/{pagination, latest/return-data/detailed-returns-list} and
…/latest/return-data/advanced-shipping-notice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from loop_returns.settings import TIME_FORMAT

if TYPE_CHECKING:
    from loop_returns.api.windows import DayWindow, Window

_SECOND: Final = timedelta(seconds=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def range_params(window: Window, column: str) -> dict[str, str | int]:
    """The range of a window: a second more on both sides, as it is not documented whether borders are inclusive."""
    return {"filter": column, "from": stamp(window.start - _SECOND), "to": stamp(window.end + _SECOND)}


def list_params(window: Window, *, column: str, state: str, page_size: int) -> dict[str, str | int]:
    """The parameters of a window's first page in one state."""
    return {**range_params(window, column), "state": state, "paginate": "true", "pageSize": page_size}


def smallest_params(now: datetime) -> dict[str, str | int]:
    """The parameters of the cheapest request that the returns list answers: one return of the last hour."""
    hour = {"from": stamp(now - _HOUR), "to": stamp(now)}
    return {"filter": "updated_at", **hour, "paginate": "true", "pageSize": 1}


def notice_params(window: DayWindow) -> dict[str, str]:
    """The two parameters of the report, as dates: anything else may silently mean 1970-01-01 (client w6w).

    `to` is the day after the window: whether that day itself is included is not documented.
    """
    return {"from": window.first.isoformat(), "to": (window.last + _DAY).isoformat()}


def stamp(moment: datetime) -> str:
    """The moment as the API's documentation writes it: `2022-01-01T00:00:00.000Z`."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)
