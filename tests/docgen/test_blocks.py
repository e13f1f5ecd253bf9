"""What the documents tell people to run does run as it stands: shell, cron, SQL, Python and files of settings.

Shell runs in an environment that holds PATH, HOME and what the document itself sets. The address of the sandbox, which
stands for Loop, is in `.dlt/config.toml` of the folder.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import duckdb
import pytest

from loop_returns.sandbox import Sandbox, Shop
from loop_returns.settings import Settings
from tests.docgen.test_documents import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

yaml = pytest.importorskip("yaml")  # comes with dlt

KEY: Final = "your-key"  # as the documents write it
NOT_HERE: Final = {  # lines of shell that no test runs, by how they begin, and why
    "git clone": "needs a network",
    "pip install": "needs a network",
    "pip wheel": "needs a network; `tests/test_wheel.py` makes one",
    "podman": "needs a container engine",
    "python3 -m venv": "the tests' own virtual environment stands for it",
    "pytest": "runs these tests",
    ".ci/run": "runs these tests",
    ".ci/engines": "runs tests of its own environment",
    "dbt ": "`test_dbt.py` runs it, where dbt is",
    "mf ": "`test_dbt.py` runs it, where dbt is",
    "python -m tests.bench": "takes minutes; `tests/bench` tests it",
    "python -m tests.dialects.counted": "counts for a page, by eye",
    "systemctl": "needs systemd",
}
LIBRARIES: Final = {
    ".pl()": "polars",
    ".df()": "pandas",
    "from airflow": "airflow",
    "from loop_returns.dagster": "dagster",
}  # which the documents use and the project does not need
DUCKDB: Final = """#!{python}
import sys, duckdb
option, file, sql = sys.argv[1:]
assert option == "-readonly"
with duckdb.connect(file, read_only=True) as connection:
    print(connection.sql(sql) or "")
"""


def blocks(name: str, *languages: str) -> list[tuple[str, str]]:
    """The fenced blocks of a document in these languages, in order: language and text."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", PAGES[name], re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


def every(language: str) -> list[pytest.param]:
    """All blocks of a language in all documents."""
    return [
        pytest.param(text, id=f"{name}-{number}")
        for name in PAGES
        for number, (_, text) in enumerate(blocks(name, language))
    ]


class Place:
    """A folder as a user has it: settings that lead to the sandbox, the console script, DuckDB's shell."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        (folder / ".dlt").mkdir()
        start = datetime.now(UTC) - timedelta(days=61)
        settings = f'base_url = "{address}"\nstart_date = "{start:%Y-%m-%d}"\n'
        (folder / ".dlt" / "config.toml").write_text(f"[sources.loop_returns]\n{settings}")
        shell = folder / "bin" / "duckdb"
        shell.parent.mkdir()
        shell.write_text(DUCKDB.format(python=sys.executable))
        shell.chmod(0o755)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home")}
        if os.geteuid() == 0:  # dlt would use /var
            self.environment["DLT_DATA_DIR"] = str(folder / "home" / "dlt")

    def write_key(self) -> None:
        """Puts the key where schedulers find it."""
        (self.folder / ".dlt" / "secrets.toml").write_text(f'[sources.loop_returns]\napi_key = "{KEY}"\n')

    def run(self, *command: str, path: bool = True) -> str:
        """Runs a command to its good end; returns what it wrote to standard output."""
        more = f"{self.folder / 'bin'}:{sysconfig.get_path('scripts')}:" if path else ""
        environment = self.environment | {"PATH": more + self.environment["PATH"]}
        found = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert found.returncode == 0, f"{found.returncode}: {found.stdout[-1000:]}\n{found.stderr[-3000:]}"
        return found.stdout

    def page(self, name: str) -> str:
        """Runs the shell and Python of a document in one shell, except for what is listed above."""
        script = ["set -euxo pipefail"]
        for language, text in blocks(name, "sh", "python"):
            if language == "sh":
                script += [line for line in text.splitlines() if not line.startswith((*NOT_HERE,))]
            elif all(importlib.util.find_spec(library) for use, library in LIBRARIES.items() if use in text):
                script += ["python - <<'END_OF_PYTHON'", text, "END_OF_PYTHON"]
        return self.run("bash", "-c", "\n".join(script))

    def runs(self) -> list[tuple[str, str]]:
        """Command and outcome of every run that the warehouse has on record."""
        with duckdb.connect(str(self.folder / "loop.duckdb"), read_only=True) as connection:
            return connection.execute(
                "SELECT command, outcome FROM loop_returns._loop_sync_runs ORDER BY started_at"
            ).fetchall()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A folder in which README was followed: the key works, everything is synced."""
    with Sandbox(Shop.generate(returns=30, days=60), api_key=KEY) as served:
        place = Place(tmp_path_factory.mktemp("user"), served.url)
        place.readme = place.page("README.md")  # type: ignore[attr-defined]
        yield place


def test_readme(place: Place):
    """README, followed line by line, ends with a warehouse that answers."""
    assert ("sync", "done") in place.runs()
    assert "returns" in place.readme  # type: ignore[attr-defined]


@pytest.mark.long
def test_scheduling(place: Place):
    """The page about schedules works, and its cron lines do with what cron gives them: no variables, no PATH of ours."""
    said = place.page("pipelines/docs/scheduling.md")
    lines = re.findall(r"^(?:[\d*]+ ){5}(.+)$", said, re.MULTILINE)
    assert len(lines) == 2
    before = len(place.runs())
    for line in lines:
        place.run("/bin/sh", "-c", line, path=False)
    assert place.runs()[before:] == [("sync", "done"), ("reconcile", "done")]
    last = json.loads((place.folder / "loop.log").read_text().splitlines()[-1])
    assert (last["command"], last["outcome"]) == ("reconcile", "done")


def test_no_document_replaces_a_crontab():
    """Nothing is piped into `crontab`."""
    assert all("| crontab" not in text for name in PAGES for _, text in blocks(name, "sh"))


@pytest.mark.long
def test_recipes(place: Place):
    """The recipes run: read copy, page, shell, Python, dbt's sources, a dlt pipeline, two shops."""
    place.write_key()
    place.page("pipelines/docs/recipes.md")
    for made in ("loop_read.duckdb", "returns.parquet", "loop_returns_report.html", "returns.duckdb"):
        assert (place.folder / made).stat().st_size > 0
    (source,) = yaml.safe_load((place.folder / "models" / "sources.yml").read_text())["sources"]
    assert (source["name"], source["database"]) == ("loop_returns", "loop")
    with duckdb.connect(str(place.folder / "loop.duckdb"), read_only=True) as connection:
        shops = connection.execute("SELECT DISTINCT shop FROM loop_returns.returns ORDER BY 1").fetchall()
    assert shops == [("default",), ("eu",), ("us",)]


@pytest.mark.parametrize("sql", every("sql"))
def test_sql(place: Place, sql: str):
    """Every statement in the documents answers; a dbt model too, once its source is replaced by the table."""
    sql = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", sql)
    with duckdb.connect(str(place.folder / "loop.duckdb"), read_only=True) as connection:
        for statement in connection.extract_statements(sql):
            assert connection.execute(statement).fetchall() is not None


@pytest.mark.parametrize("text", every("toml"))
def test_toml(text: str):
    """Files of settings are TOML with settings that exist."""
    written = tomllib.loads(text)
    assert written.keys() <= {"sources", "destination"}
    assert set(written.get("sources", {}).get("loop_returns", ())) <= set(Settings.__annotations__)


@pytest.mark.long
def test_github(place: Place, postgres: str):
    """The workflow's commands run with the variables that it gives them, and nothing else of ours."""
    (text,) = (text for _, text in blocks("pipelines/docs/scheduling.md", "yaml"))
    steps = [step for step in yaml.safe_load(text)["jobs"]["sync"]["steps"] if "run" in step]
    values = {"${{ secrets.LOOP_API_KEY }}": KEY, "${{ secrets.WAREHOUSE_URL }}": postgres}
    for step in steps:
        if step["run"].startswith((*NOT_HERE,)):
            continue
        given = [f"{name}={values[value]}" for name, value in step["env"].items()]
        assert '"outcome": "done"' in place.run("env", *given, "bash", "-c", step["run"])


@pytest.mark.parametrize("text", every("ini"))
def test_units(place: Place, text: str):
    """Units for systemd have sections and keys; what the service starts runs as systemd starts it: by path, with no PATH."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    assert parser.sections()
    if "Service" in parser:
        program, *arguments = parser["Service"]["ExecStart"].split()
        assert program.endswith("/.venv/bin/loop-returns")
        place.write_key()
        place.run(f"{sysconfig.get_path('scripts')}/loop-returns", *arguments, path=False)


def test_no_block_is_overlooked():
    """Every block of every document is in a language that a test above runs or reads; a diagram is drawn by others."""
    languages = {found for name in PAGES for found in re.findall(r"^```(.*)$", PAGES[name], re.MULTILINE)}
    others = {"postgresql", "snowflake", "bigquery", "dockerfile"}  # in `test_team.py` and `test_container.py`
    assert languages == {"", "sh", "python", "sql", "toml", "yaml", "ini", "mermaid"} | others  # nothing: the end of a block
    assert all(PAGES[name].count("\n```\n") * 2 == PAGES[name].count("\n```") for name in PAGES)


def test_other_pages_need_nothing_run():
    """The other documents hold shell only of the kinds that are listed as not run here, and all of these occur."""
    lines = [line for name in PAGES for _, text in blocks(name, "sh") for line in text.splitlines()]
    assert {begin for begin in NOT_HERE for line in lines if line.startswith(begin)} == set(NOT_HERE)
    for name in PAGES.keys() - {"README.md", "pipelines/docs/scheduling.md", "pipelines/docs/recipes.md"}:
        for _, text in blocks(name, "sh", "python"):
            assert all(line.startswith((*NOT_HERE,)) for line in text.splitlines()), text


@pytest.mark.long
def test_demo(place: Place):
    """README's demo runs with nothing set."""
    assert "loop_demo.duckdb" in place.run("loop-returns", "demo")
