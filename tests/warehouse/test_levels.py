"""A destination is proven, expected to work, or refused before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.destination import Destination

from loop_returns.cli import run
from loop_returns.errors import ConfigurationError
from loop_returns.warehouse.destination import find_target
from loop_returns.warehouse.levels import EXPECTED, PROVEN, REFUSED, level_of

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = {  # enough to be configured, and no account
    "snowflake": {"": "snowflake://loader:secret-word@acme/{0}?warehouse=W&role=R"},
    "bigquery": {
        "__PROJECT_ID": "{0}",
        "__PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nsecret-word\n-----END PRIVATE KEY-----\n",
        "__CLIENT_EMAIL": "loader@example.com",
    },
    "databricks": {
        "__SERVER_HOSTNAME": "dbc.example.com",
        "__HTTP_PATH": "/sql/1",
        "__ACCESS_TOKEN": "secret-word",
        "__CATALOG": "{0}",
    },
    "redshift": {"": "redshift://loader:secret-word@cluster.example.com:5439/{0}"},
    "motherduck": {"__DATABASE": "{0}", "__PASSWORD": "secret-word"},
}


def account(monkeypatch: pytest.MonkeyPatch, name: str, database: str) -> None:
    for part, value in ACCOUNTS[name].items():
        monkeypatch.setenv(f"DESTINATION__{name.upper()}__CREDENTIALS{part}", value.format(database))


def dlts() -> set[str]:
    """dlt's own destinations, without the two that are no place for data."""
    return {name for name in vars(dlt.destinations) if _is_destination(name)} - {"dummy", "destination"}


def _is_destination(name: str) -> bool:
    one: Any = getattr(dlt.destinations, name)
    return isinstance(one, type) and issubclass(one, Destination)


def test_each_of_dlts_has_a_level() -> None:
    """Somebody has looked at every destination that this dlt has, and at none that it has not."""
    assert sorted([*PROVEN, *EXPECTED, *REFUSED]) == sorted(dlts())
    assert all("delete-insert" in dlt_capabilities(name).supported_merge_strategies for name in (*PROVEN, *EXPECTED))
    assert level_of("dummy") == "refused"


def dlt_capabilities(name: str) -> Any:
    return Destination.from_reference(name).capabilities()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused(name: str, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, without configuration, driver or Loop; one line says why and what to choose instead; no file appears."""
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", "a-key-of-nobody")
    assert run(["sync", "--destination", name]) == 2
    (said,) = capfd.readouterr().err.splitlines()
    why, instead = REFUSED[name]
    assert said == f"The destination `{name}` cannot keep a mirror true: {why}. Choose {instead}."
    assert list(home.iterdir()) == []


def test_refused_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator calls a destination does not matter."""
    monkeypatch.setenv("DESTINATION__LAKE__DESTINATION_TYPE", "filesystem")
    monkeypatch.setenv("DESTINATION__LAKE__BUCKET_URL", "somewhere")
    with pytest.raises(ConfigurationError, match="`lake` cannot keep a mirror true"):
        find_target(destination="lake")


@pytest.mark.parametrize("name", EXPECTED)
def test_expected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be chosen once its driver is there; two databases have two folders here; one line says that it is untried."""
    found = []
    for database in ("first", "second"):
        account(monkeypatch, name, database)
        try:
            found.append(find_target(destination=name))
        except ConfigurationError as error:
            assert f"pip install 'dlt[{name}]'" in error.message  # noqa: PT017 # one or the other
            return
    first, second = found
    assert first.folder != second.folder
    assert "secret-word" not in first.location
    assert "not tried" in (first.untried or "")


def test_proven(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests run needs no such line."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    assert find_target(destination="postgres").untried is None
    assert find_target(file="loop.duckdb").untried is None


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that lacks a library of the system is one sentence, as it is for ODBC, and no traceback."""

    def broken(*_: object) -> object:
        raise ImportError("libodbc.so.2: cannot open shared object file")

    account(monkeypatch, "snowflake", "first")
    monkeypatch.setattr(dlt.destinations.snowflake, "client_class", property(broken))
    with pytest.raises(ConfigurationError, match=r"not installed \(libodbc.so.2: cannot open shared object file\)"):
        find_target(destination="snowflake")
