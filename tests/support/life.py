"""The life of a mirror in whatever destination: what has to be true wherever this project promises one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from loop_returns import marts
from loop_returns.report.data import read_data
from loop_returns.runs.backfill import backfill
from loop_returns.runs.reconcile import reconcile
from loop_returns.runs.status import status
from loop_returns.runs.sync import sync
from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse import comments
from loop_returns.warehouse.reader import looking
from tests.support import PATIENCE
from tests.support.mirror import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.session import Options
    from tests.support.driving import Driver

T = TypeVar("T")
KILL = (
    "import os, signal; from loop_returns.__main__ import main; from dlt.load.load import Load;"
    "Load.complete_package = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL); main()"
)


@dataclass
class Life:
    """A shop whose mirror is in the destination of the options."""

    driver: Driver
    options: Options

    def do(self, work: Callable[..., T], **more: Any) -> T:
        """Calls a run with the shop's time as this machine's."""
        with self.driver._at_its_time():
            return work(self.driver.resolved(), self.options, **more)

    def wrong(self) -> list[str]:
        """Everything in which the warehouse is not what the shop is."""

        def rows(table: str) -> list[dict[str, Any]]:
            with looking(self.options.target()) as reader:
                if reader.dialect == "duckdb":
                    reader.execute("SET TimeZone = 'UTC'")
                with reader.query(f"SELECT * FROM {reader.name(table)}") as cursor:
                    names = [column[0].lower() for column in cursor.description]
                    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        shop = self.driver.shop
        return differences(shop.returns_snapshot(), shop.asn_snapshot(), rows, shop="default")

    def lead(self) -> None:
        """Syncs, vanished lines, a new machine, deleted and silently changed returns, a backfill; then who reads it."""
        shop = self.driver.shop
        self.do(sync)
        assert self.wrong() == []
        shop.change(5)
        shop.add_returns(3)
        shop.remove_line_items(2)
        shop.remove_line_items(1, all_of_it=True)
        shutil.rmtree(self.driver.folder / "dlt")
        run = self.do(sync)
        assert run.outcome == "done"
        assert run.cursor_before is not None, "the destination remembers it"
        assert self.wrong() == []
        shop.delete_returns(1)
        shop.change(3, silent=True)
        assert self.do(reconcile, days=400, progress=None).outcome == "drift"
        assert self.do(backfill, start=self.driver.resolved().start_date, end=shop.now).outcome == "done"
        assert self.wrong() == []
        assert self.do(reconcile, days=400, progress=None).outcome == "done"
        assert self.do(status).tables[0].deleted == 1
        self._is_read()

    def _is_read(self) -> None:
        with looking(self.options.target()) as reader:
            for mart in marts.all_marts():
                assert reader.rows(f"SELECT COUNT(*) FROM {reader.name(mart.name)}"), mart.name
            if comments.are_known(reader):
                found = comments.read(reader)
                declared = {(table.name, one.name): one.description for table in TABLES.values() for one in table.columns}
                assert {key: found.get(key) for key in declared} == declared
        with self.driver._at_its_time():
            assert read_data(self.options.target(), days=400).tables["daily"]

    def be_killed(self) -> None:
        """A run that is killed in the middle of its load leaves nothing that the next one does not put right."""
        settings, options = self.driver.resolved(), self.options
        keys = {
            "SOURCES__LOOP_RETURNS__API_KEY": settings.api_key,
            "SOURCES__LOOP_RETURNS__BASE_URL": settings.base_url,
            "SOURCES__LOOP_RETURNS__START_DATE": f"{settings.start_date:%Y-%m-%d}",
        }
        command = ["sync", "--destination", options.destination, "--dataset", options.dataset]
        ended = subprocess.run(
            [sys.executable, "-c", KILL, *command], env={**os.environ, **keys}, check=False, timeout=PATIENCE
        )
        assert ended.returncode == -signal.SIGKILL
        self.do(sync)
        assert self.wrong() == []
