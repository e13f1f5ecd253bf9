"""The scripts of roles and grants on the page for teams: PostgreSQL's is run, the others are read."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest
import sqlglot

from loop_returns import marts
from loop_returns.errors import ConfigurationError
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import TABLES
from tests.docgen.test_blocks import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.driving import Driver

PAGE = "pipelines/docs/team.md"
FORBIDDEN = (
    "DELETE FROM loop_returns.returns",
    "CREATE TABLE loop_returns.mine (a int)",
    "SELECT * FROM loop_returns_staging.returns",
)
DATASETS = ("LOOP_RETURNS_STAGING", "LOOP_MARTS")


def refused(cursor: psycopg2.extensions.cursor, statement: str) -> bool:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)
    return True


@pytest.fixture
def owner(postgres: str) -> Iterator[str]:
    """The address of a database of its own, for the administrator; afterwards neither it nor the roles are there."""
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE DATABASE team")
        yield postgres.replace("/postgres?", "/team?")
        cursor.execute("DROP DATABASE team WITH (FORCE)")
        cursor.execute("DROP ROLE loop_loader, loop_reader, loop_marts_reader")


@pytest.mark.long
def test_postgres(drive: Callable[..., Driver], owner: str, monkeypatch: pytest.MonkeyPatch):
    """After the script the loader syncs, in its two schemas and nowhere else; the reader reads every table and mart.

    Its rights last: after further syncs, and when marts are dropped and made anew. It can change nothing. With the second
    script there is a reader of the marts' own schema, and of nothing else. A schema that the loader may not make is named.
    """
    (_, script), (_, more) = blocks(PAGE, "postgresql")
    loader = owner.replace("//postgres:unused@", "//loop_loader:its-password@")
    assert loader != owner
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", loader)
    driver = drive(Shop.generate(seed=9, returns=10), settings={"marts": "views"}, address=loader)
    names = [mart.name for mart in marts.all_marts()]
    with closing(psycopg2.connect(owner)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(script)
        cursor.execute("SET ROLE loop_loader")
        assert refused(cursor, "CREATE SCHEMA elsewhere")
        cursor.execute("SET ROLE loop_reader")
        for kind in ("views", "tables"):
            driver.shop.live(3)
            assert driver.sync(marts=kind).outcome == "done"
            for table in (*TABLES, *names):
                cursor.execute(f"SELECT count(*) FROM loop_returns.{table}")
        assert all(refused(cursor, statement) for statement in FORBIDDEN)
        driver.marts_dataset = "elsewhere"
        with pytest.raises(
            ConfigurationError, match="cannot be made in the schema `elsewhere`: permission denied for database"
        ):
            driver.sync()
        cursor.execute(f"RESET ROLE; {more} SET ROLE loop_marts_reader")
        driver.marts_dataset = "loop_marts"
        for kind in ("tables", "views"):
            driver.shop.live(3)
            assert driver.sync(marts=kind).outcome == "done"
            for mart in names:
                cursor.execute(f"SELECT count(*) FROM loop_marts.{mart}")
        assert refused(cursor, "SELECT * FROM loop_returns.returns")
        assert refused(cursor, "DROP VIEW loop_marts.dim_shops")


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_others(dialect: str):
    """Nothing is left open, each statement ends, and all of them name the datasets that loads need."""
    scripts = [script for _, script in blocks(PAGE, dialect)]
    for script in scripts:
        statements = [one for one in sqlglot.tokenize(script, read=dialect) if one.token_type.name == "SEMICOLON"]
        assert len(statements) == len(script.splitlines())
    assert [script.upper().count(name) >= 2 for script, name in zip(scripts, DATASETS, strict=True)] == [True, True]
