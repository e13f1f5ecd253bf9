"""The package's shape: its rooms, what each may import, no circles; modules, functions and names of a size to be read.

Imports count wherever they stand: at the top, in a function, for types only.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import loop_returns

PACKAGE = Path(loop_returns.__file__).parent
MODULES_AT_ROOT = {"__init__", "__main__", "_version", "errors", "settings", "dates", "dagster"}
ROOMS = {"api", "tables", "extract", "warehouse", "marts", "source", "runs", "report", "cli", "docgen", "sandbox"}
LAYERS = (  # each imports only from those below it
    {"cli", "dagster"},
    {"report", "runs", "docgen"},
    {"source"},
    {"marts", "warehouse", "extract"},
    {"tables"},
    {"api"},
    {"errors", "settings", "dates"},
    {"api.facts"},  # what is known of the API, as constants; a room of its own here, as settings take their bounds from it
)
WITHIN_A_LAYER = {"marts": {"warehouse"}, "settings": {"dates", "errors"}, "dates": {"errors"}}
NARROWER = {  # what these may import, wherever they stand
    "__init__": {"source", "runs", "settings", "errors"},  # the public face, resolved on first use
    "__main__": {"cli"},
    "_version": set(),
    "docgen": {"marts", "warehouse", "tables", "settings", "api", "api.facts"},
    "sandbox": set(),  # it knows the API from its documentation, not from the client it is there to test
}
LONGEST_MODULE, LONGEST_FUNCTION = 250, 40  # lines


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(("loop_returns", *parts)).removesuffix(".__init__")] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imported_names(module: str) -> set[str]:
    """The dotted names that a module imports, those `from … import` lists included."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively, which this test does not follow"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    found = set()
    for name in imported_names(module):
        if name == "loop_returns.__version__":  # the package only passes it on
            found.add("loop_returns._version")
        elif name.split(".")[0] == "loop_returns":
            found.add(name if name in modules() else name.rpartition(".")[0])
    assert found <= set(modules()), f"{module} imports what is no module: {found - set(modules())}"
    return found - {module}


def room(module: str) -> str:
    """The room of a module: a folder, or a module at the root."""
    if module == "loop_returns.api.facts":
        return "api.facts"
    return "__init__" if module == "loop_returns" else module.split(".")[1]


def may_import(name: str) -> set[str]:
    """The rooms that a room may import from, besides itself."""
    if name in NARROWER:
        return NARROWER[name] | {"_version"}
    if name == "cli":
        return ROOMS | MODULES_AT_ROOT | {"api.facts"}
    layer = next(number for number, rooms in enumerate(LAYERS) if name in rooms)
    below: set[str] = set().union(*LAYERS[layer + 1 :])
    return below | WITHIN_A_LAYER.get(name, set()) | {"_version"}


def test_the_root_holds_the_rooms_and_little_else():
    """Whoever looks for something finds the room it is in; only what all rooms share lies at the root."""
    here = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert here == ROOMS | {f"{name}.py" for name in MODULES_AT_ROOT} | {"py.typed"}


@pytest.mark.parametrize("name", sorted(ROOMS | MODULES_AT_ROOT | {"api.facts"}))
def test_arrows_point_down(name: str):
    """A room knows those below it and none above."""
    members = [module for module in modules() if room(module) == name]
    assert members
    wrong = {}
    for module in members:
        above = {other for other in imports(module) if room(other) not in may_import(name) | {name}}
        if above:
            wrong[module] = sorted(above)
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_no_room_has_an_import_circle(name: str):
    """The modules of a room form layers too, imports for types included."""
    members = {module for module in modules() if room(module).split(".")[0] == name}
    try:
        TopologicalSorter({module: imports(module) & members for module in members}).prepare()
    except CycleError as circle:
        pytest.fail(f"An import circle: {' <- '.join(circle.args[1])}")


def test_modules_and_functions_are_short():
    """A module can be read in one go, a function seen as a whole; signature and docstring count."""
    long = []
    for module, path in modules().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_MODULE:
            long.append(f"{module}: {lines} lines")
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{module}.{node.name}: {lines} lines")
    assert long == []


def test_no_two_classes_have_one_name():
    """A class name in a traceback or a review means one class."""
    places = defaultdict(list)
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
