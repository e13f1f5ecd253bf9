"""Views for analysts on top of the raw tables; the texts are the `.sql` files beside this one.

`refresh(pipeline)` creates or replaces them, `drop(pipeline)` removes them, `all_marts()` lists what they are.
Names are resolved on first use, because dlt's destinations are slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loop_returns.marts.files import Mart, all_marts, column_comments
    from loop_returns.marts.views import drop, refresh

__all__ = ["Mart", "all_marts", "column_comments", "drop", "refresh"]


def __getattr__(name: str) -> Any:
    if name in {"Mart", "all_marts", "column_comments"}:
        from loop_returns.marts import files

        return getattr(files, name)
    if name in {"drop", "refresh"}:
        from loop_returns.marts import views

        return getattr(views, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
