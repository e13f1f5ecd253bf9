"""Collects what a walk reads into chunks and loads each as its own package, the newest copies only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa

from loop_returns.extract.days import notice_days, pack, unpack
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.contents import known_notices, known_returns, orphaned_returns, torn_returns
from loop_returns.warehouse.deduplicate import settle_notices, settle_returns

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.session import Session
    from loop_returns.tables.shape import Shaped
    from loop_returns.warehouse.deduplicate import Settled, Tables

CHUNK: Final = 40_000  # rows in one package at most: bounds memory, and what a killed run has to read again
_BYTES: Final = 100_000_000  # of Arrow in one package: what so many usual rows need, and a few very long ones
ENOUGH: Final = 20_000  # rows that are worth a package of their own while nothing else is waiting
HELD: Final = 100_000  # rows between two closings of a DuckDB file that is kept open
MANY: Final = 5_000  # rows that are worth appending where they can be: dlt keeps a schema version for each turn
Memory = dict[str, Any]


class Loader:
    """Loads shaped rows of one run chunk by chunk; a context manager.

    A DuckDB file stays open from chunk to chunk while rows come faster than they are loaded: to close it costs as much as to
    load. Where it is the API that everybody waits for, others can read in between.
    """

    def __init__(self, session: Session, *, always: bool = False) -> None:
        self._session = session
        self._always = always
        self._waiting: list[Shaped] = []
        self._left_torn: set[str] | None = None
        self._left_orphaned: set[str] | None = None
        self._loaded_at = time.monotonic()
        self.rows = 0  # rows waiting
        self._bytes = 0
        self._prepared = False
        self._held = 0  # rows loaded since the file was opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._session.warehouse.file.release()

    def add(self, shaped: Shaped) -> None:
        """Takes the shaped rows of one answer."""
        self._waiting.append(shaped)
        name = RETURNS.name if RETURNS.name in shaped.tables else ASN.name
        self.rows += shaped.tables[name].num_rows
        self._bytes += sum(table.get_total_buffer_size() for table in shaped.tables.values())

    def full(self, *, idle: bool = False) -> bool:
        """True when it is time to load what is waiting; `idle` says that there is nothing else to do just now."""
        return self.rows >= (ENOUGH if idle else CHUNK) or self._bytes >= _BYTES

    def get_ready(self) -> None:
        """Makes the tables that are not there yet, while nothing else is to do and something to load has come."""
        if self.rows:
            self._prepare()

    def _prepare(self) -> None:
        if not self._prepared and not self._session.options.dry_run:
            self._session.warehouse.prepare()
            self._prepared = True  # to look takes milliseconds, and this is asked at every pause

    def flush(self, remember: Callable[[Memory], None] | None = None) -> bool:
        """Loads what is waiting, with the memory that belongs to it. False when nothing of it said anything new.

        Without new rows nothing is loaded, so nothing is remembered either.
        """
        waiting, count, self._waiting, self.rows, self._bytes = self._waiting, self.rows, [], 0, 0
        if not waiting:
            return False
        tables = {
            name: pa.concat_tables([shaped.tables[name] for shaped in waiting], promote_options="default")
            for name in waiting[0].tables
        }
        del waiting
        began = time.monotonic()
        self._open(tables)
        settled = self._settle(tables)
        pa.default_memory_pool().release_unused()  # what was freed in small pieces goes back to the system
        loaded = self._load(settled, remember)
        pa.default_memory_pool().release_unused()
        now = time.monotonic()
        self._held += count
        if now - began < began - self._loaded_at or self._held >= HELD:
            self._session.warehouse.file.release()
            self._held = 0
        self._loaded_at = now
        return loaded

    def _open(self, tables: Tables) -> None:
        self._session.warehouse.hold(tables.values(), make=not self._session.options.dry_run)
        self._prepare()

    def _load(self, settled: Settled, remember: Callable[[Memory], None] | None) -> bool:
        run = self._session.run
        run.tally.add(settled.tally)
        if not settled.tables:
            return False
        fresh_days = notice_days(settled.tables) | settled.days

        def keep(memory: Memory) -> None:
            memory.pop("finished", None)  # marts and checks are behind until `finish` says otherwise
            if fresh_days:
                memory["asn_days"] = pack(unpack(memory.get("asn_days", ())) | fresh_days)
            if remember is not None:
                remember(memory)

        most = max(table.num_rows for table in settled.tables.values())
        append = settled.fresh if most >= MANY else frozenset()
        columns = self._session.warehouse.load(settled.tables, shop=self._session.shop, append=append, remember=keep)
        run.new_columns += [name for name in columns if name not in run.new_columns]
        return True

    def _settle(self, tables: Tables) -> Settled:
        warehouse, shop = self._session.warehouse, self._session.shop
        if RETURNS.name in tables:
            ids = tables[RETURNS.name].column("id").to_pylist()
            known = known_returns(warehouse, shop, ids)
            left = self._torn()
            for key in [(one,) for one in left if (one,) in known]:  # its own row may be as it was, and they are not
                known[key] = known[key]._replace(row_hash=None)
            if not known and len(ids) >= MANY:  # nothing is in the way of appending but children without their return
                left = left | self._orphaned()
            return settle_returns(tables, known, shop=shop, observed_at=self._session.now, always=self._always, left=left)
        known = known_notices(warehouse, shop, tables[ASN.name].column("id").to_pylist())
        return settle_notices(tables, known, always=self._always)

    def _torn(self) -> set[str]:
        """Returns whose children a killed run left behind; the warehouse is asked once."""
        if self._left_torn is None:
            self._left_torn = torn_returns(self._session.warehouse, self._session.shop)
        return self._left_torn

    def _orphaned(self) -> set[str]:
        """Returns of which only children are there; the warehouse is asked once."""
        if self._left_orphaned is None:
            self._left_orphaned = orphaned_returns(self._session.warehouse, self._session.shop)
        return self._left_orphaned
