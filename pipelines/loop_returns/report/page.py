"""Puts facts, texts and scripts together to one file."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loop_returns.api.errors import ChangeSettings
from loop_returns.config import load
from loop_returns.report.facts import read_facts

if TYPE_CHECKING:
    from loop_returns.warehouse.destination import Target

OUTPUT: Final = "loop_returns_report.html"
DAYS: Final = 731  # two years: this one and the one to compare it with
_PLACE: Final = re.compile(r"\{\{([\w.]+)\}\}")
_DATA: Final = "data"


def write_report(target: Target, *, output: str | Path = OUTPUT, days: int = DAYS, shop: str | None = None) -> Path:
    """Writes the report on a warehouse and returns its path; needs no API key and asks nothing of Loop.

    `shop` is the one that is chosen when the page opens; None: the one that the settings name, if it has data.
    Raises what `build` raises, and ChangeSettings for settings that are wrong.
    """
    return build(target, path=Path(output), shop=shop or load(need_key=False).shop, days=days)


def build(target: Target, *, path: Path, shop: str | None = None, days: int = DAYS) -> Path:
    """Writes the report on all shops of the warehouse to `path`, replacing what is there, and returns its absolute path.

    Args:
        target: the warehouse, as `find_target` finds it.
        path: the HTML file.
        shop: which shop is chosen when the page opens; a name without data, or None, chooses all.
        days: how far back the page goes, by the day on which a return was submitted.

    Raises:
        ChangeSettings: `path` can't be written, or the warehouse has data but no marts.
        WarehouseTrouble: the warehouse can't be read.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ChangeSettings(f"The report cannot be written to {path}: name a file in a folder that exists.")
    text = render(read_facts(target, days=days, shop=shop).record())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ChangeSettings(
            f"The report cannot be written to {path}: {error.strerror}. Choose another place with --output."
        ) from error
    return path.absolute()


def render(record: dict[str, Any]) -> str:
    """The page as text; `record` is embedded as JSON that no browser can take for markup."""

    def fill(match: re.Match[str]) -> str:
        return embedded(record) if match[1] == _DATA else _text(match[1])

    return _PLACE.sub(fill, _text("page.html"))


def embedded(record: dict[str, Any]) -> str:
    """JSON for inside a `<script>` element: without a `<` no title can close it or open a comment."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _text(name: str) -> str:
    return (files(__package__) / "web" / name).read_text(encoding="utf-8")
