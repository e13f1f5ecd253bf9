"""README says what the code does, and the code does what README says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from loop_returns import marts
from loop_returns.cli import app
from loop_returns.config import Settings
from loop_returns.tables.catalog import TABLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next one of the same level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README has no section {title}"
    return found[1]


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables of a section."""
    cells = re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
    return {cell.split(" ")[0] for cell in cells}


def test_every_table_is_in_readme_and_the_other_way_round() -> None:
    """A table that the catalogue declares has its line in README with its key, and README names no other."""
    text = section("What you get")
    assert first_cells(text) == set(TABLES)
    for name, table in TABLES.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert set(re.findall(r"`(\w+)`", line)) == {name, *table.key[1:]}


def test_every_mart_is_in_readme_and_the_other_way_round() -> None:
    """README lists the marts that there are."""
    assert first_cells(section("Marts")) == {mart.name for mart in marts.all_marts()}


def test_every_command_is_in_readme_and_the_other_way_round() -> None:
    """README lists the commands of the console script, and only those."""
    written = set(re.findall(r"^\| `loop-returns (\w+)", section("Commands"), re.MULTILINE))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert written == set(commands)


def test_every_option_that_readme_names_exists() -> None:
    """Each `--option` in README belongs to some command."""
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    known = {option for command in commands for parameter in command.params for option in parameter.opts} | {"--help"}
    ours = re.sub(r"```yaml.*?```", "", README, flags=re.DOTALL)
    named = {option for line in re.findall(r"`([^`\n]*)`", ours) for option in re.findall(r"(?<!\S)--[a-z-]+", line)}
    assert named <= known


@pytest.mark.parametrize("place", ["README", ".dlt/config.toml"])
def test_every_setting_is_written_down_with_its_default(place: str) -> None:
    """Settings, README and config.toml name the same settings."""
    names = {field.name for field in fields(Settings)}
    if place == "README":
        assert first_cells(section("Settings")) == names
    else:
        text = (ROOT / ".dlt/config.toml").read_text(encoding="utf-8")
        assert set(re.findall(r"^# (\w+) = ", text, re.MULTILINE)) == names - {"api_key"}


def test_every_dependency_earns_its_line() -> None:
    """Each dependency of the project stands in README's table, and no other does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=~ ]", one)[0] for one in project["dependencies"]}
    assert set(re.findall(r"\[([a-z-]+)\]\(http", section("Dependencies"))) == declared


def test_the_two_commands_are_there_as_written() -> None:
    """The two commands that set everything up stand in README to the letter."""
    assert "pip install -e . -c constraints.txt && loop-returns demo" in README
    assert "pip install -e '.[dev]' -c constraints.txt && pytest" in README
