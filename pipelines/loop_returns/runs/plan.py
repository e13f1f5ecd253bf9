"""What a run would ask of Loop, without asking: for `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from loop_returns.api.walk import list_params
from loop_returns.api.windows import cover, days
from loop_returns.extract.api_reader import notice_params
from loop_returns.extract.days import DAY, unpack
from loop_returns.settings import ASN_PATH, RETURNS_PATH, STATES
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.looking import memory_of, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from loop_returns.api.walk import Column
    from loop_returns.api.windows import Window
    from loop_returns.config import Settings
    from loop_returns.runs.session import Options


@dataclass(frozen=True)
class PlannedRequest:
    """One request that a run would send at least; a page that is full leads to more."""

    method: str
    path: str
    params: dict[str, str | int]
    note: str = ""


def remembered(settings: Settings, options: Options) -> dict[str, Any]:
    """The shop's memory as the warehouse has it now, without writing anything; empty when there is no warehouse yet."""
    target = find_target(destination=options.destination, dataset=options.dataset, file=options.file)
    if target.file is not None and not target.file.exists():
        return {}
    with reading(target) as client:
        return memory_of(client, settings.shop)


def planned_returns(settings: Settings, windows: Sequence[Window], *, column: Column) -> list[PlannedRequest]:
    """The first page of every window in every state."""
    return [
        PlannedRequest("GET", RETURNS_PATH, list_params(window, column=column, state=state, page_size=settings.page_size))
        for window in windows
        for state in STATES
    ]


def planned_notices(settings: Settings, *, first: date, last: date, extra: Iterable[date] = ()) -> list[PlannedRequest]:
    """The windows of days of the shipping notice report, if the shop is not so large that they have to be narrower."""
    windows = days(first, last, width=settings.window_days)
    near = {day + DAY * n for day in extra for n in (-1, 0, 1)}
    windows += cover((day for day in near if not first < day < last), width=settings.window_days)
    return [PlannedRequest("GET", ASN_PATH, dict(notice_params(window))) for window in windows]


def horizon(settings: Settings, memory: dict[str, Any], *, now: datetime) -> tuple[date, date]:
    """First and last day of shipping notices that a sync reads: the rolling horizon, stretched back to the last time."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=settings.asn_horizon_days)
    if (last_read := memory.get("asn_read")) is not None:
        first = min(first, datetime.fromisoformat(last_read).date() - DAY)
    return first, today + DAY


def changed_days(memory: dict[str, Any]) -> set[date]:
    """Days of returns that changed and whose shipping notices have not been read since."""
    return unpack(memory.get("asn_days", ()))
