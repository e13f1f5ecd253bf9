"""`--database PATH` names DuckDB's file, for every command that reads or fills a warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.script import Script


@pytest.mark.long
def test_every_command(script: Script):
    """Sync, check, status, reconcile, backfill and report work on the named file, a relative path seen from here."""
    (script.folder / "data").mkdir()
    file = ("--database", "data/mine.duckdb")
    script("sync", *file)
    script("check", *file)
    script("reconcile", "--days", "10", *file)
    script("backfill", "--from", "2024-01-01", "--to", "2024-02-01", *file)
    script("report", *file)
    assert str(script.folder / "data" / "mine.duckdb") in script("status", *file)[0]
    assert (script.folder / "data" / "mine.duckdb").exists()
    assert not (script.folder / "loop.duckdb").exists()


@pytest.mark.long
def test_it_wins_over_the_configured_file(script: Script, monkeypatch: pytest.MonkeyPatch):
    """The option goes before DESTINATION__DUCKDB__CREDENTIALS, which keeps working without it."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(script.folder / "configured.duckdb"))
    script("sync", "--database", "named.duckdb")
    assert not (script.folder / "configured.duckdb").exists()
    assert "Nothing synced yet" in script("status")[0]
    script("check")
    assert (script.folder / "configured.duckdb").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--database", "x.duckdb", "--destination", "postgres"], "no DuckDB"),
        (["--database", ":memory:"], "in-memory"),
        (["--database", "."], "folder"),
        (["--database", ""], "folder"),
        (["--database", "missing/x.duckdb"], "no folder"),
        (["--database", "loop_returns.duckdb"], "dataset"),
    ],
)
def test_what_cannot_be_a_file(script: Script, monkeypatch: pytest.MonkeyPatch, arguments: list[str], part: str):
    """Another destination, and what is no place for a file, is refused with exit code 2 before anything is asked."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret-word@127.0.0.1:9/none")
    _, err = script("sync", *arguments, code=2)
    assert part in err


def test_the_demo_has_its_own(script: Script):
    """The demo writes into no file but its own, so it knows no such option."""
    assert "No such option" in script("demo", "--database", "mine.duckdb", code=2)[1]
