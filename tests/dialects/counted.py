"""Counts what a sync sends where no lock of ours holds, and the tables that it reads: `python -m tests.dialects.counted`.

A DuckDB stands in for such a destination. What BigQuery does by its API (loading, looking for datasets) and what it has not
(comments) is left out. The table on the page for teams comes from here.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from sqlglot import exp

from loop_returns.sandbox import Shop
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.dlt_internals import apply_log_level
from loop_returns.warehouse.reader import Reader
from tests.support.driving import NOW, Driver

if TYPE_CHECKING:
    from collections.abc import Sequence

ELSEWHERE = ("SCHEMATA", "duckdb_tables", "COMMENT ON", "read_parquet", 'INTO "loop_returns"."_dlt_pipeline_state"')
A_TABLE, A_MONTH = 0.01, 24 * 30  # gigabytes at least for each table that a statement reads; syncs


def count(sent: Sequence[str]) -> Counter[str]:
    """How many statements, how many of them read, and how many tables these name."""
    counts = Counter[str]()
    for text in sent:
        for sql in map(str.strip, text.rstrip(";\n ").split(";\n")):
            if any(word in sql for word in ELSEWHERE):
                continue
            tree = sqlglot.parse_one(sql.replace("%s", "NULL").replace("?", "NULL"), read="duckdb")
            inner = {one.alias for one in tree.find_all(exp.CTE)}
            read: Any = tree.expression if isinstance(tree, exp.Insert) else tree
            tables = {(one.db, one.name) for one in read.find_all(exp.Table) if one.name not in inner}
            reads = isinstance(tree, exp.Query | exp.Update) or read.find(exp.Select)
            is_read = bool(reads) and not isinstance(tree, exp.Create)
            counts.update(statements=1, reading=is_read, tables=is_read * len(tables))
    return counts


def sync(driver: Driver) -> Counter[str]:
    """What one sync sends."""
    sent, execute = list[str](), DuckDbSqlClient.execute_query

    def note(self: DuckDbSqlClient, query: Any, *values: Any, **more: Any) -> Any:
        sent.append(query)
        return execute(self, query, *values, **more)

    def among(self: Reader, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        return f"{column} IN ({', '.join(['%s'] * len(values))})", list(values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDbSqlClient, "execute_query", note)
        patch.setattr(Reader, "among", among)
        patch.setattr(Target, "excludes_other_machines", False)
        driver.sync()
    return count([one for one in sent if not one.startswith("SET ")])


def main() -> None:
    """Prints the counts of a sync with news and of one without, of returns and notices and of all ordinary resources."""
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    apply_log_level()
    for others, marts in ((False, "views"), (True, "views"), (False, "tables")):
        with TemporaryDirectory() as folder:
            shop = Shop.generate(seed=5, returns=60, days=200, now=NOW)
            driver = Driver(shop, Path(folder), settings={"marts": marts}, others=others).start()
            try:
                sync(driver)
                sync(driver)
                shop.live(3)
                for what in ("with news", "without"):
                    counts = sync(driver)
                    gigabytes = counts["tables"] * A_TABLE
                    print(f"{what}, others {others}, marts {marts}: {dict(counts)}, {gigabytes:.2f} GB,", end=" ")  # noqa: T201
                    print(f"{gigabytes * A_MONTH:,.0f} GB a month, every hour")  # noqa: T201
            finally:
                driver.stop()


if __name__ == "__main__":
    main()
