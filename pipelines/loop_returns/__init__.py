"""loop-returns: mirrors a Loop Returns shop into a data warehouse, completely, and proves it.

The public face; names are resolved on first use, because dlt is slow to import:

    loop_returns_source   the dlt source, for anyone's pipeline
    sync, backfill        the commands of the same names, as functions: see `runs/sync.py` and `runs/backfill.py`
    Options, Settings     their arguments; without them all is as on the command line
    Busy                  raised when another run is at work on the warehouse: try again later
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loop_returns._version import __version__

if TYPE_CHECKING:
    from loop_returns.errors import LockedError as Busy
    from loop_returns.runs.backfill import backfill
    from loop_returns.runs.session import Options
    from loop_returns.runs.sync import sync
    from loop_returns.settings import Settings
    from loop_returns.source import loop_returns_source


__all__ = ["Busy", "Options", "Settings", "__version__", "backfill", "loop_returns_source", "sync"]
_PLACES = {
    "Busy": ("errors", "LockedError"),
    "Options": ("runs.session", "Options"),
    "Settings": ("settings", "Settings"),
    "backfill": ("runs.backfill", "backfill"),
    "loop_returns_source": ("source", "loop_returns_source"),
    "sync": ("runs.sync", "sync"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
