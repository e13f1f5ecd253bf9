"""Says in one paragraph what went wrong at the destination and what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loop_returns.api.errors import LoopReturnsError, WarehouseHeld, WarehouseTrouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.warehouse.destination import Target

_HELD: Final = re.compile(
    r"Could not set lock on file.*?Conflicting lock is held in (?P<holder>.*?)(?: \(PID (?P<pid>\d+)\))", re.DOTALL
)
_FULL: Final = re.compile(r"No space left on device|disk (is )?full|could not extend file", re.IGNORECASE)
_DENIED: Final = re.compile(r"Permission denied|read-only|not authorized|permission denied for", re.IGNORECASE)
_AWAY: Final = re.compile(
    r"Connection refused|could not connect|connection to server|server closed the connection|timeout expired"
    r"|terminating connection",
    re.IGNORECASE,
)
_NEXT: Final = "Nothing is lost: the next run goes on from here."


def explain(error: BaseException, target: Target) -> LoopReturnsError:
    """The error of this project that stands for `error`, an exception of dlt or of the database."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, LoopReturnsError):
            return one
    text = "\n".join(str(one) for one in chain)
    if held := _HELD.search(text):
        return WarehouseHeld(
            f"The DuckDB file {target.file} is open in another program ({held['holder'].strip()}, process {held['pid']}). "
            "DuckDB lets nobody write meanwhile. Close it there (a BI tool, a notebook, a shell) and run again, or let "
            f"readers use a read copy (see `--publish`). {_NEXT}"
        )
    what, next_step = _cause(text)
    return WarehouseTrouble(f"{what.format(where=target.location, last=_last(chain))} {next_step}")


def was_interrupted(error: BaseException) -> bool:
    """True when the error only wraps a signal: dlt does that while it loads, and DuckDB while it works on a query."""
    return any(isinstance(one, KeyboardInterrupt) or "Query interrupted" in str(one) for one in _chain(error))


def _cause(text: str) -> tuple[str, str]:
    """What happened, with `{where}` and `{last}` for the place and the innermost message, and the next step."""
    if _FULL.search(text):
        return "No space is left for {where}.", f"Make room on that disk and run again. {_NEXT}"
    if _DENIED.search(text):
        return (
            "The warehouse {where} refuses to be written: {last}",
            f"Give this user the right to write there, or choose another place, and run again. {_NEXT}",
        )
    if _AWAY.search(text):
        return "The warehouse {where} cannot be reached: {last}", f"See that it is up, and run again. {_NEXT}"
    return (
        "Loading into {where} failed: {last}",
        f"Run again; if it fails again, run with --debug and report what it prints. {_NEXT}",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exception", None)
        error = error.__cause__ or error.__context__ or (inner if isinstance(inner, BaseException) else None)


def _last(chain: list[BaseException]) -> str:
    """The innermost message, in one line."""
    line = " ".join(str(chain[-1]).split())
    return (line[:300] + "…" if len(line) > 300 else line).rstrip(".") + "."  # noqa: PLR2004 - what fits a paragraph
