"""What the command `report` does."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loop_returns.commands import quieten_dlt
from loop_returns.config import load
from loop_returns.report.page import DAYS, build
from loop_returns.runs.report import show_json, show_text
from loop_returns.warehouse.destination import find_target

if TYPE_CHECKING:
    from loop_returns.runs.session import Options
    from loop_returns.shell import Voice

OUTPUT: Final = "loop_returns_report.html"


def write_report(options: Options, *, output: str | Path = OUTPUT, days: int = DAYS, shop: str | None = None) -> Path:
    """Writes the report on the warehouse of `options` and returns its path; needs no API key and asks nothing of Loop.

    `shop` is the one that is chosen when the page opens; None: the one that the settings name, if it has data.
    Raises what `build` raises, and ChangeSettings when there is no such destination.
    """
    target = find_target(destination=options.destination, dataset=options.dataset, file=options.file)
    return build(target, path=Path(output), shop=shop or load(need_key=False).shop, days=days)


def report(options: Options, voice: Voice, *, output: Path, days: int, show: bool) -> int:
    """Writes the report, says where it is, and opens it where that is asked for."""
    quieten_dlt(voice)
    path = write_report(options, output=output, days=days)
    if voice.one_line:
        show_json({"report": str(path)}, one_line=True)
    else:
        show_text(f"The report is in {path}")
    if show:
        webbrowser.open(path.as_uri())
    return 0
