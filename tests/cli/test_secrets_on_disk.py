"""No key and no password is ever written to disk, whichever command runs, however it ends, and however they are given."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from loop_returns.cli import run
from loop_returns.sandbox import Sandbox, Shop
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "a-key-that-nobody-may-read"
PII_KEY = "another-key-that-nobody-may-read-0123456789"
PASSWORD = "pass/word@nobody reads"  # of a server that asks for none
SECRETS = [KEY, PII_KEY, PASSWORD]
WAYS = ("environment", "secrets.toml")
ONCE = [WAYS[0], pytest.param(WAYS[1], marks=pytest.mark.long)]
DAYS = 60


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shop.generate(returns=25, days=DAYS), api_key=KEY) as served:
        yield served


@pytest.fixture
def give(home: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Gives the secrets to the command line one way or the other, with a PostgreSQL's address where there is one."""
    start = datetime.now(UTC) - timedelta(days=DAYS + 1)
    plain = {"BASE_URL": sandbox.url, "START_DATE": f"{start:%Y-%m-%d}", "PII": "hash"}
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name, value in plain.items():
        monkeypatch.setenv(f"SOURCES__LOOP_RETURNS__{name}", value)

    def to(way: str, address: str | None = None) -> None:
        if way == "environment":
            monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", KEY)
            monkeypatch.setenv("SOURCES__LOOP_RETURNS__PII_KEY", PII_KEY)
            if address is not None:
                monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
        else:
            lines = ["[sources.loop_returns]", f'api_key = "{KEY}"', f'pii_key = "{PII_KEY}"']
            if address is not None:
                lines += ["[destination.postgres]", f'credentials = "{address}"']
            (home / ".dlt").mkdir()
            (home / ".dlt/secrets.toml").write_text("\n".join(lines))
        Container()[PluggableRunContext].reload_providers()

    yield to
    monkeypatch.undo()
    Container()[PluggableRunContext].reload_providers()


@contextmanager
def looked_at(home: Path) -> Iterator[None]:
    """Looks for the secrets in every file of the folders; the only place for them is the file of secrets."""
    yield
    words = [form.encode() for one in SECRETS for form in {one, quote(one), quote(one, safe="")}]
    files = [path for path in home.rglob("*") if path.is_file() and path != home / ".dlt/secrets.toml"]
    assert files
    assert [(path, word) for path in files for word in words if word in path.read_bytes()] == []


@pytest.mark.long
@pytest.mark.parametrize(("way", "debug"), [(WAYS[1], ("--debug",)), (WAYS[0], ())])
def test_every_command(give: Callable[..., None], home: Path, sandbox: Sandbox, way: str, debug: tuple[str, ...]):
    """After every command, one that fails too, no file has a secret in it."""
    give(way)
    first = f"{datetime.now(UTC) - timedelta(days=30):%Y-%m-%d}"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    commands = [
        ["sync", "--publish", "copy.duckdb"], ["sync"], ["backfill", "--from", first, "--to", today], ["reconcile"],
        ["check"], ["status"], ["report"],
    ]  # fmt: skip
    for command in commands:
        with looked_at(home):
            assert run([*command, *debug]) in (0, 3), command
    sandbox.api_key = "changed at Loop"
    with looked_at(home):
        assert run(["sync", *debug]) == 2
    (home / "loop.duckdb").write_bytes(b"no database at all")
    with looked_at(home):
        assert run(["sync", *debug]) == 2


@pytest.mark.parametrize(("way", "loads"), [(WAYS[0], 2), pytest.param(WAYS[1], 1, marks=pytest.mark.long)])
def test_a_killed_sync(give: Callable[..., None], home: Path, way: str, loads: int):
    """A sync that is killed leaves its working folder behind, and no secret in it."""
    give(way)
    done: list[str] = []

    def at(what: str, detail: str) -> bool:
        if what == "shutil.rmtree" and "completed_jobs" in detail:
            done.append(detail)
        return what == "shutil.rmtree" and len(done) >= loads and detail not in done  # the next load, or the end of the run

    with looked_at(home):
        assert run_and_kill(partial(run, ["sync"]), at=at)
    assert list((home / "dlt").rglob("*.json")), "dlt's working folder is still there"
    assert list(home.rglob("*.pickle")) == [], (
        "dlt's trace keeps what configuration was read, and errors with their attributes"
    )


@pytest.mark.long
@pytest.mark.parametrize("way", ONCE)
def test_the_password_of_a_database(give: Callable[..., None], home: Path, postgres: str, way: str):
    """The same holds for the password of a PostgreSQL, as it is and as an address has it: done, failed, killed."""
    give(way, postgres.replace(":unused@", f":{quote(PASSWORD, safe='')}@"))
    where = ["--destination", "postgres", "--dataset", f"secrets_{way.replace('.', '_')}"]
    for command in ("sync", "sync", "check", "status", "report"):
        with looked_at(home):
            assert run([command, *where]) == 0, command
    with looked_at(home):
        run_and_kill(partial(run, ["backfill", "--from", "2026-01-01", "--to", "2099-01-01", *where]), at=60)


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_refuses(give: Callable[..., None], home: Path, way: str, capfd: pytest.CaptureFixture[str]):
    """The password of a database that is not there is in no file and in no message, also not in a traceback."""
    give(way, f"postgresql://loader:{quote(PASSWORD, safe='')}@localhost:1/analytics")
    for command in ("sync", "check", "status"):
        with looked_at(home):
            assert run([command, "--destination", "postgres", "--debug"]) in (1, 2)
    said = "".join(capfd.readouterr())
    assert "loader" in said
    assert not [form for one in SECRETS for form in (one, quote(one, safe="")) if form in said]
