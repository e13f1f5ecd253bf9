"""Turns arguments of the command line into values, before anything is opened."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from loop_returns.api.facts import FIRST_DAY
from loop_returns.dates import parse_when
from loop_returns.errors import ConfigurationError
from loop_returns.runs.session import RESOURCES
from loop_returns.tables.catalog import CHILDREN, HISTORY
from loop_returns.tables.resources import BY_NAME

CAME_WITH_RETURNS: Final = tuple(table.name for table in (*CHILDREN, *HISTORY))  # in the same answers of the API
_TABLES_OF: Final = {table.name: one.name for one in BY_NAME.values() for table in one.tables}
_DATE_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY: Final = timedelta(days=1)


def resources_of(text: str | None) -> frozenset[str] | None:
    """The resources that `--only` names; None (all of them) when it is not given.

    Raises ConfigurationError, listing what there is, for a name that is none of them.
    """
    if text is None:
        return None
    given = [name.strip().lower() for name in text.split(",") if name.strip()]
    names = [_TABLES_OF.get(name, name) for name in given]
    unknown = [name for name in names if name not in {*RESOURCES, *CAME_WITH_RETURNS}]
    if unknown or not names:
        unknown_names = ", ".join(f"`{name}`" for name in unknown) or "nothing"
        raise ConfigurationError(
            f"--only names {unknown_names}, which cannot be synced. There are {', '.join(RESOURCES)}; "
            f"{', '.join(CAME_WITH_RETURNS)} come with returns and may be named instead of it. Separate names by commas."
        )
    return frozenset("returns" if name in CAME_WITH_RETURNS else name for name in names)


def range_of(start: str, end: str, *, now: datetime | None = None) -> tuple[datetime, datetime]:
    """The moments that `--from` and `--to` name, UTC; an end without a time is the last second of that day.

    Raises ConfigurationError for what is no date, a range that is reversed, one before Loop existed, one not yet begun.
    """
    first, last = moment_of("--from", start), moment_of("--to", end)
    if _DATE_ONLY.fullmatch(end.strip()):
        last += _DAY - timedelta(seconds=1)
    if first > last:
        raise ConfigurationError(
            f"--from {start} lies after --to {end}. Exchange the two: --from is the older one, and both belong to the range."
        )
    if first > (now or datetime.now(UTC)) + _DAY:
        raise ConfigurationError(
            f"--from {start} lies in the future, where there are no returns yet. Name a day up to today, such as "
            f"{datetime.now(UTC):%Y-%m-%d}."
        )
    if first.date() < FIRST_DAY:
        raise ConfigurationError(
            f"--from {start} lies before {FIRST_DAY}, and nothing at Loop is that old. "
            f"To read everything: --from {FIRST_DAY}."
        )
    return first, last


def moment_of(option: str, text: str) -> datetime:
    """The moment that an option names, UTC. Raises ConfigurationError for what is none."""
    try:
        return parse_when(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from None
