"""Generates the table of settings in `pipelines/docs/settings.md`: `python -m loop_returns.docgen.settings`."""

from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import Any, get_type_hints

from msgspec import Meta

from loop_returns.docgen import write_page
from loop_returns.settings import Settings, accepted


def settings_table() -> str:
    """The settings as a Markdown table, from the annotations of `Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    lines = ["| setting | may be | default | meaning |", "|---|---|---|---|"]
    for one in fields(Settings):
        hint = hints[one.name]
        meta = next(rule for rule in hint.__metadata__ if isinstance(rule, Meta))
        lines.append(f"| `{one.name}` | {accepted(hint)} | {_as_written(one.default)} | {meta.description} |")
    return "\n".join(lines) + "\n"


def _as_written(default: Any) -> str:
    """The default as a file of settings would have it."""
    if default in (MISSING, None, ""):
        return "none"
    if isinstance(default, datetime):
        default = f"{default:%Y-%m-%d}"
    if isinstance(default, timedelta):
        default = f"{default.days}d"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


if __name__ == "__main__":
    write_page("settings.md", settings_table())
