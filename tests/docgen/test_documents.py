"""The documents say what the code does, and everything the code offers is in them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import typer

from loop_returns import errors, marts
from loop_returns.cli import app
from loop_returns.cli.app import CODES
from loop_returns.settings import SECRETS, Settings
from loop_returns.tables.catalog import OTHERS, TABLES
from loop_returns.tables.runs import READS
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCS = ROOT / "pipelines" / "docs"
PATHS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
README = PAGES["README.md"]
ALL = "\n".join(PAGES.values())
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined] # a group


def page(name: str) -> str:
    """The page of that name in the folder of the documents."""
    return PAGES[f"pipelines/docs/{name}.md"]


def section(text: str, title: str) -> str:
    """The text under a heading, up to the next one of the same level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title}"
    return found[1]


def first_cells(text: str) -> set[str]:
    """What stands in backticks at the beginning of the rows of a table."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def test_tables():
    """README lists the raw tables that are declared, those of returns and notices with their keys, and names no other."""
    text = section(README, "Raw tables")
    others = {READS.name, *(table.name for table in OTHERS)}
    assert first_cells(text) == TABLES.keys() - others
    paragraph = next(line for line in text.splitlines() if line.startswith("Where the key has the scope"))
    assert set(re.findall(r"`(\w+)`", paragraph)) == others
    for name, table in ((name, table) for name, table in TABLES.items() if name not in others):
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert set(re.findall(r"`(\w+)`", line)) == {name, *table.key[1:]}


def test_marts():
    """README lists the marts that there are, with the grain and the questions of their headers."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", section(README, "Marts"), re.MULTILINE)
    assert sorted(rows) == sorted(
        (mart.name, mart.grain.removeprefix("one row per "), "<br>".join(mart.answers)) for mart in marts.all_marts()
    )


def test_commands():
    """README lists the commands of the console script, and only those."""
    assert set(re.findall(r"^\| `loop-returns (\w+)", section(README, "Commands"), re.MULTILINE)) == set(COMMANDS)


def test_options():
    """The page of settings has every option of every command, with the commands that take it, and no other."""
    taken: dict[str, set[str]] = {"--help": set(COMMANDS)}
    for name, command in COMMANDS.items():
        for option in (option for one in command.params for option in (*one.opts, *one.secondary_opts)):
            taken.setdefault(option, set()).add(name)
    written: dict[str, set[str]] = {}
    for options, names in re.findall(r"^\| (`--.+?) \| ([a-z, ]+) \|", section(page("settings"), "Options"), re.MULTILINE):
        commands = set(COMMANDS) if names == "all" else set(names.split(", "))
        written |= dict.fromkeys(re.findall(r"`(--[a-z-]+)`", options), commands)
    assert written == taken


@pytest.mark.parametrize("name", [name for name in PAGES if name != "CHANGELOG.md"])
def test_every_use_of_the_command_is_one(name: str):
    """Whatever a document writes after `loop-returns` is a command with options that it has."""
    ours = re.sub(r"pip wheel.*|\$\(.*?\)", "", PAGES[name])
    for command, rest in re.findall(r"(?<![\w/.-])loop-returns ([a-z]+)\b([^`#|&\n]*)", ours):
        known = {option for one in COMMANDS[command].params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known, f"loop-returns {command}{rest}"


def test_settings():
    """The page of settings and `.dlt/config.toml` name the settings that there are."""
    names = {field.name for field in fields(Settings)}
    assert first_cells(section(page("settings"), "Settings")) == names
    text = (ROOT / ".dlt/config.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"^# (\w+) = ", text, re.MULTILINE)) == names - SECRETS
    assert {name.lower() for name in re.findall(r"SOURCES__LOOP_RETURNS__([A-Z_]+)", ALL)} <= names


def test_exit_codes():
    """README, the page about trouble and `--help` have the same exit codes, among them those of every error."""
    codes = set(re.findall(r"^  (\d+) ", CODES, re.MULTILINE))
    assert {str(one.exit_code) for one in _kinds(errors.LoopReturnsError)} <= codes
    for text in (section(README, "Commands"), section(page("trouble"), "Exit codes").split("`error_class`")[0]):
        assert set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE)) == codes


def test_error_classes():
    """The page about trouble names every kind of error with its exit code, and no other."""
    rows = re.findall(r"^\| (\d+) \| (`\w+Error`.*) \|$", section(page("trouble"), "Exit codes"), re.MULTILINE)
    written = {(name, int(code)) for code, names in rows for name in re.findall(r"`(\w+Error)`", names)}
    assert written - {("UsageError", 2)} == {(one.__name__, one.exit_code) for one in _kinds(errors.LoopReturnsError)}


def _kinds(kind: type[errors.LoopReturnsError]) -> set[type[errors.LoopReturnsError]]:
    return {kind}.union(*(_kinds(one) for one in kind.__subclasses__()))


def test_quoted_messages():
    """What the page about trouble quotes is said by some line of the code."""
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipelines" / "loop_returns").rglob("*.py"))
    code = re.sub(r'"\s+f?"', "", code)
    for quoted in re.findall(r"^\| ([^|]+) \(\d+\) \|", section(page("trouble"), "Messages"), re.MULTILINE):
        for part in re.split(r" … ?| / ", quoted.removeprefix("an answer with HTTP 5xx or 429")):
            assert part in code, part


def test_dependencies():
    """Each dependency of the project is in README's table with what it is for, those of extras by themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written: dict[str, set[str]] = {}
    for extra, names in re.findall(r"^\| (extra `\w+`: )?(\[.+\)) \|", section(README, "Dependencies"), re.MULTILINE):
        written.setdefault(extra, set()).update(re.findall(r"\[([a-z0-9-]+)\]\(http", names))
    assert written[""] == _names(project["dependencies"])
    for extra in ("report", "dagster"):
        assert written[f"extra `{extra}`: "] >= _names(project["optional-dependencies"].get(extra, ()))


def _names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[\[<>=~ ]", one)[0].lower() for one in requirements}


def test_readme_is_short_and_names_the_two_commands():
    """README has at most 150 lines, and the two commands that set everything up stand there to the letter."""
    assert len(README.splitlines()) <= 150
    assert "\npip install -e . -c constraints.txt && loop-returns demo\n" in README
    assert "\npip install -e '.[dev]' -c constraints.txt && pytest\n" in README


@pytest.mark.parametrize("name", PAGES)
def test_links(name: str):
    """Every relative link leads to a file, and its anchor to a heading there."""
    text = re.sub(r"```.*?```", "", PAGES[name], flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = ((ROOT / name).parent / target).resolve() if target else ROOT / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}, (
                f"{target}#{anchor}"
            )


def test_every_page_is_reached():
    """README's last section lists every page."""
    assert set(re.findall(r"\(pipelines/docs/([\w-]+\.md)\)", section(README, "Read on"))) == {
        path.name for path in DOCS.glob("*.md")
    }


def test_files_that_the_guide_names():
    """Every file that the guide for contributors names exists, at the top or in the package."""
    places = (ROOT, ROOT / "pipelines" / "loop_returns", ROOT / "pipelines" / "docs")
    for named in re.findall(r"`([\w./-]+\.(?:py|sql|toml|md|yml|txt))`", page("contributing")):
        assert "NAME" in named or any((place / named).exists() for place in places), named


def test_documents_name_no_machine():
    """Documents hold no path of somebody's machine; the hosts in addresses are public or example.com."""
    assert not re.search(r"/(home|tmp|Users|root|work)/", ALL)
    assert set(re.findall(r"[\w.]+@([\w-]+\.[\w.]+)", ALL)) <= {"example.com"}


def test_ci_and_hooks():
    """CI runs `.ci/run` and no more, and the hooks have the version of ruff that CI installs."""
    assert re.findall(r"^ +- run: (.+)$", (ROOT / ".github/workflows/ci.yml").read_text(), re.MULTILINE) == [".ci/run"]
    (pinned,) = re.findall(r"^ruff==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"rev: v{pinned} " in (ROOT / ".pre-commit-config.yaml").read_text()
