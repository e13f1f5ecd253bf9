"""Drives the runs against a sandbox in-process, as the command line would, and looks into the warehouse they fill."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import duckdb
import time_machine
from dlt.common.time import increasing_precise_time

from loop_returns.extract.reading import LIMITS, Limits
from loop_returns.runs.backfill import backfill
from loop_returns.runs.progress import Silent
from loop_returns.runs.reconcile import reconcile
from loop_returns.runs.session import Options
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Quirks, Sandbox, Shop
from loop_returns.settings import Settings
from tests.support.mirror import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from loop_returns.runs.ledger import Run

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
FILE = "loop.duckdb"


@dataclass
class Driver:
    """A shop, its sandbox and the warehouse that mirrors it."""

    shop: Shop
    folder: Path
    quirks: Quirks = field(default_factory=Quirks)
    settings: Mapping[str, Any] = field(default_factory=dict)
    address: str | None = None  # of a PostgreSQL; None: a DuckDB file in `folder`
    dataset: str = "loop_returns"
    marts_dataset: str | None = None
    limits: Limits = LIMITS
    allow_deletions: bool = False  # in every run
    others: bool = False  # whether a run reads other resources too, which takes longer
    sandbox: Sandbox = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(self.shop, quirks=self.quirks)

    def start(self) -> Self:
        self.sandbox.start()
        return self

    def stop(self) -> None:
        self.sandbox.stop()

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def options(self, **more: Any) -> Options:
        """The options of a run that hardly waits before it tries again."""
        more["allow_deletions"] = self.allow_deletions or more.get("allow_deletions", False)
        if more.get("only") is None and not self.others:
            more["only"] = frozenset({"returns", "advanced_shipping_notices"})
        where = {"destination": "duckdb", "file": str(self.file)} if self.address is None else {"destination": "postgres"}
        limits = replace(self.limits, load_wait=0.01, first_wait=0.002)
        return Options(dataset=self.dataset, marts_dataset=self.marts_dataset, limits=limits, **where, **more)

    def resolved(self, **more: Any) -> Settings:
        """The settings of a run: those of the driver, changed for this run."""
        start = self.shop.now - timedelta(days=500)
        plain = {"marts": "off", "requests_per_minute": 1_000_000, "start_date": start}
        here = {"api_key": self.sandbox.api_key, "base_url": self.sandbox.url}
        return Settings(**{**here, **plain, **self.settings, **more})

    def quirk(self, **changes: Any) -> None:
        """Changes the API's behaviour."""
        self.sandbox.quirks = replace(self.sandbox.quirks, **changes)

    def sync(self, *, only: str | None = None, allow_deletions: bool = False, **settings: Any) -> Run:
        options = self.options(only=None if only is None else frozenset([only]), allow_deletions=allow_deletions)
        with self._at_its_time():
            return sync(self.resolved(**settings), options, progress=Silent())

    def backfill(
        self, start: datetime, end: datetime, *, newest_first: bool = False, only: str | None = None, **settings: Any
    ) -> Run:
        options = self.options(only=None if only is None else frozenset([only]))
        with self._at_its_time():
            return backfill(
                self.resolved(**settings),
                options,
                start=start,
                end=end,
                newest_first=newest_first,
                progress=Silent(),
            )

    def reconcile(self, days: int = 500, *, dry_run: bool = False, allow_deletions: bool = False, **settings: Any) -> Run:
        options = self.options(dry_run=dry_run, allow_deletions=allow_deletions)
        with self._at_its_time():
            return reconcile(self.resolved(**settings), options, days=days, progress=Silent())

    def _at_its_time(self) -> AbstractContextManager[object]:
        """This machine's clock agrees with the shop's, unless a test has set it; each run is as in a process of its own."""
        increasing_precise_time._last = 0.0  # else dlt's load ids would not follow a clock that is set back
        return nullcontext() if time_machine.traveller_stack else time_machine.travel(self.shop.now)

    # What the warehouse holds

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query in which table names need no dataset; times are UTC."""
        return self.read(sql)[1]

    def read(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query."""
        with self.reading() as read:
            return read(sql)

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], tuple[list[str], list[tuple[Any, ...]]]]]:
        """`read` for several queries: to open a file takes as long as most of them."""
        if self.address is None:
            opened: Any = duckdb.connect(str(self.file), read_only=True)
            prepare = f"SET TimeZone='UTC'; SET search_path='{self.dataset}'"
        else:
            import psycopg2

            opened, prepare = psycopg2.connect(self.address), f"SET TIME ZONE 'UTC'; SET search_path TO {self.dataset}"

        def read(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
            cursor.execute(sql)
            return [column[0] for column in cursor.description or ()], cursor.fetchall()

        with closing(opened), opened.cursor() as cursor:
            cursor.execute(prepare)
            yield read

    def execute(self, sql: str) -> None:
        """Somebody changes the DuckDB file by hand."""
        with duckdb.connect(str(self.file)) as connection:
            connection.execute(f"SET search_path='{self.dataset}'")
            connection.execute(sql)

    def rows(self, table: str, *, shop: str = "default") -> list[dict[str, Any]]:
        """All rows of a table of one shop, by column."""
        with self.reading() as read:
            return _rows(read, table, shop)

    def count(self, table: str, where: str = "true") -> int:
        """How many rows a table has."""
        return int(self.query(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def differences(self, *, shop: str = "default") -> list[str]:
        """Everything in which the warehouse is not what the shop is, a line each."""
        bodies, notices = self.shop.returns_snapshot(), self.shop.asn_snapshot()
        if self.sandbox.quirks.asn_filter == "label_updated_at":  # what the report never shows nobody can know
            notices = [row for row in notices if row["label_updated_at"] is not None]
        with self.reading() as read:
            return differences(bodies, notices, lambda table: _rows(read, table, shop), shop=shop)

    def assert_equal(self) -> None:
        """The warehouse is the shop, row by row, value by value."""
        found = self.differences()
        assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])


def _rows(read: Callable[[str], tuple[list[str], list[tuple[Any, ...]]]], table: str, shop: str) -> list[dict[str, Any]]:
    names, rows = read(f"SELECT * FROM {table} WHERE shop = '{shop.replace(chr(39), chr(39) * 2)}'")
    return [dict(zip(names, row, strict=True)) for row in rows]
