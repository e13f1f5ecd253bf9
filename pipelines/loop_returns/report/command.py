"""What the command `report` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from loop_returns.config import load
from loop_returns.report.page import DAYS, build
from loop_returns.runs.destination import find_target

if TYPE_CHECKING:
    from loop_returns.runs.session import Options

OUTPUT: Final = "loop_returns_report.html"


def write_report(options: Options, *, output: str | Path = OUTPUT, days: int = DAYS) -> Path:
    """Writes the report on the warehouse of `options` and returns its path; needs no API key and asks nothing of Loop.

    Raises what `build` raises, and ChangeSettings when there is no such destination.
    """
    target = find_target(destination=options.destination, dataset=options.dataset, file=options.file)
    return build(target, path=Path(output), shop=load(need_key=False).shop, days=days)
