"""Every SQL text that the project sends to a warehouse: taken down while a shop's whole life goes into DuckDB."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.report import data
from loop_returns.runs.backfill import backfill
from loop_returns.runs.check import check
from loop_returns.runs.reconcile import reconcile
from loop_returns.runs.status import status
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Shop
from loop_returns.warehouse import reader as module
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.reader import Reader
from loop_returns.warehouse.translate import translated
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Sequence

DIALECTS = ("snowflake", "bigquery", "databricks", "redshift")
ELSEWHERE_NONE = ("duckdb_tables()", "COMMENT ON")  # comments are DuckDB's and PostgreSQL's


def _life(driver: Driver) -> None:
    options, keep, drop = driver.options(), driver.resolved(marts="views"), driver.resolved(marts="views", pii="drop")
    check(keep, options)
    sync(keep, options)
    driver.shop.live(10)
    sync(replace(keep, marts="tables", publish="memory://published"), options)
    driver.shop.delete_returns(1)
    driver.shop.change(3, silent=True)
    reconcile(keep, options, days=500, progress=None)
    reconcile(drop, options, days=500, progress=None)
    driver.shop.delete_returns(1)
    backfill(drop, options, start=keep.start_date, end=driver.shop.now, progress=None)
    hashed = driver.resolved(marts="views", pii="hash", pii_key="a-key-of-the-tests")
    backfill(hashed, options, start=keep.start_date, end=driver.shop.now, progress=None)
    status(keep, options)
    data.read_data(options.target(), days=400)


@cache
def statements() -> tuple[str, ...]:
    """The statements, without those that are meant for DuckDB or PostgreSQL alone."""
    seen: dict[str, None] = {}

    def note(sql: str, dialect: str) -> str:
        seen[sql] = None
        return translated(sql, dialect)

    def among(self: Reader, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        return f"{column} IN ({', '.join(['%s'] * len(values))})", list(values)  # as everywhere else

    def of_the_report(self: Any, name: str) -> str:
        sql = written(self, name)
        seen[sql] = None
        return sql

    written = data._Asked._sql  # which goes to a connection of DuckDB itself
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(module, "translated", note)
        patch.setattr(data._Asked, "_sql", of_the_report)
        patch.setattr(data, "worked_out", lambda *_: {})  # elsewhere the queries read the marts themselves
        patch.setattr(Reader, "among", among)
        patch.setattr(Target, "excludes_other_machines", False)  # so that the ledger is asked for runs that overlapped
        shop = Shop.generate(seed=5, returns=30, days=200, now=NOW)
        named = {"extra_resources": "return_notes, return_details"}
        driver = Driver(shop, Path(folder), settings=named, others=True).start()
        try:
            with driver._at_its_time():
                _life(driver)
        finally:
            driver.stop()
    return tuple(sql for sql in seen if not sql.startswith("SET ") and not any(word in sql for word in ELSEWHERE_NONE))


@cache
def said(dialect: str) -> dict[str, str]:
    """The statements, and what each is in the dialect."""
    return {sql: translated(sql, dialect) for sql in statements()}
