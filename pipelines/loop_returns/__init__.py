"""loop-returns: mirrors a Loop Returns shop into a data warehouse, completely, and proves it.

The public face; names are resolved on first use, because dlt is slow to import:

    loop_returns_source   the dlt source, for anyone's pipeline
    sync, backfill        the commands of the same names, as functions: see `runs/sync.py` and `runs/backfill.py`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loop_returns._version import __version__

if TYPE_CHECKING:
    from loop_returns.runs.backfill import backfill
    from loop_returns.runs.sync import sync
    from loop_returns.source import loop_returns_source


__all__ = ["__version__", "backfill", "loop_returns_source", "sync"]


def __getattr__(name: str) -> Any:
    if name == "loop_returns_source":
        from loop_returns.source import loop_returns_source

        return loop_returns_source
    if name == "sync":
        from loop_returns.runs.sync import sync

        return sync
    if name == "backfill":
        from loop_returns.runs.backfill import backfill

        return backfill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
