"""Example values for the data dictionary; they lie in `examples.toml` beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def examples() -> dict[str, dict[str, str]]:
    """Examples by table and column, as text."""
    return tomllib.loads(files(__package__).joinpath("examples.toml").read_text(encoding="utf-8"))


def example(table: str, column: str) -> str:
    """An example of the column's values; empty where there is none to show."""
    return examples().get(table, {}).get(column, "")
