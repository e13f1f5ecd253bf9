"""Data flows one way: every room imports only from those below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import loop_returns

PACKAGE = Path(loop_returns.__file__).parent
BASE = {"__init__", "dates", "settings", "config"}
BELOW = {  # room -> what it may import besides itself and the base
    "api": set(),
    "tables": {"api"},
    "extract": {"tables", "api"},
    "warehouse": {"tables", "api"},
    "marts": {"warehouse", "tables"},
    "source": {"warehouse", "extract", "tables", "api"},
    "runs": {"source", "marts", "warehouse", "extract", "tables", "api"},
    "report": {"marts", "warehouse", "tables", "api"},
}
GENERATORS = {"dictionary.py", "dbt_sources.py"}  # they write documents about the marts too, and no run imports them


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, for types only too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "loop_returns":
            names = [f"loop_returns.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("loop_returns.")}
    return {name for name in found if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()}


@pytest.mark.parametrize("room", BELOW)
def test_arrows_point_down(room: str):
    """A room knows those below it and none above."""
    files = (PACKAGE / room).rglob("*.py") if (PACKAGE / room).is_dir() else [PACKAGE / f"{room}.py"]
    wrong = {path.name: imports(path) - BELOW[room] - BASE - {room} for path in files if path.name not in GENERATORS}
    assert {name: found for name, found in wrong.items() if found} == {}
