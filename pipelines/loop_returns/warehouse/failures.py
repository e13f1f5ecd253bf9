"""Says in one paragraph what went wrong at the destination and what to do next."""

from __future__ import annotations

import re
from textwrap import shorten
from typing import TYPE_CHECKING, Final

from loop_returns.errors import DatabaseInUseError, LoopReturnsError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.warehouse.destination import Target

_NEXT: Final = "Nothing is lost: the next run goes on from here."
_IN_USE: Final = re.compile(
    r"Could not set lock on file.*?Conflicting lock is held in (?P<holder>.*?)(?: \(PID (?P<pid>\d+)\))", re.DOTALL
)
_CAUSES: Final = (  # what the messages contain, what that means, and the next step
    (
        "No space left on device|disk (is )?full|could not extend file",
        "No space is left for {where}.",
        "Make room on that disk and run again.",
    ),
    (
        "Permission denied|read-only|not authorized",
        "The warehouse {where} refuses to be written: {last}",
        "Give this user the right to write there, or choose another place, and run again.",
    ),
    (
        "Connection refused|could not connect|connection to server|server closed the connection|timeout expired"
        "|terminating connection",
        "The warehouse {where} cannot be reached: {last}",
        "See that it is up, and run again.",
    ),
    ("", "Loading into {where} failed: {last}", "Run again; if it fails again, run with --debug and report what it prints."),
)


def explain(error: BaseException, target: Target) -> LoopReturnsError:
    """The error of this project that stands for `error`, an exception of dlt or of the database."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, LoopReturnsError):
            return one
    text = "\n".join(str(one) for one in chain)
    if user := _IN_USE.search(text):
        return DatabaseInUseError(
            f"The DuckDB file {target.file} is open in another program ({user['holder'].strip()}, process {user['pid']}). "
            "DuckDB lets nobody write meanwhile. Close it there (a BI tool, a notebook, a shell) and run again, or let "
            f"readers use a read copy (see `--publish`). {_NEXT}"
        )
    what, advice = next((what, advice) for words, what, advice in _CAUSES if re.search(words, text, re.IGNORECASE))
    return WarehouseError(f"{what.format(where=target.location, last=one_line(chain[-1]))} {advice} {_NEXT}")


def one_line(error: BaseException) -> str:
    """What the error says, as one line that fits a paragraph and ends with a full stop."""
    return shorten(str(error), 300, placeholder="…").rstrip(".") + "."


def was_interrupted(error: BaseException) -> bool:
    """True when the error only wraps a signal: dlt does that while it loads, and DuckDB while it works on a query."""
    return any(isinstance(one, KeyboardInterrupt) or "Query interrupted" in str(one) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exception", None)
        error = error.__cause__ or error.__context__ or (inner if isinstance(inner, BaseException) else None)
