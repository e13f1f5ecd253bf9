"""What of the rows that were read says anything new: the comparison of a sync and of a backfill with the warehouse."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.contents import has_children, known_rows, returns_with_children, torn_returns
from loop_returns.warehouse.deduplicate import distinct, missing, newest_notices, newest_returns

if TYPE_CHECKING:
    import pyarrow as pa

    from loop_returns.runs.session import Session
    from loop_returns.tables.chunk import Chunk, Tables


class Comparison:
    """Leaves out what the warehouse has already, by fingerprint, and copies older than what it has."""

    def __init__(self, opened: Session) -> None:
        self.opened = opened

    def __call__(self, tables: Tables) -> Chunk:
        """The chunk to load of the rows that were read."""
        opened = self.opened
        if RETURNS.name not in tables:
            return newest_notices(opened.sets, tables, self.known(ASN.name, tables))
        known = self.known(RETURNS.name, tables)
        loose = self.loose(tables[RETURNS.name], known)
        return newest_returns(opened.sets, tables, known, shop=opened.shop, observed_at=opened.now, loose=loose)

    def known(self, table: str, tables: Tables) -> pa.Table:
        """What the warehouse has of the rows that were read."""
        with self.opened.warehouse.reader() as reader:
            return known_rows(reader, table, self.opened.shop, tables[table].column("id").to_pylist())

    def loose(self, returns: pa.Table, known: pa.Table) -> pa.Table:
        """Returns whose children in the warehouse cannot be judged by the return's own row.

        A killed run left them behind, or somebody has deleted the row by hand.
        """
        torn, any_children = self._at_the_start
        if not any_children:
            return torn
        unknown = missing(self.opened.sets, returns.select(["id"]), [known.select(["id"])])["id"].to_pylist()
        with self.opened.warehouse.reader() as reader:
            return distinct(self.opened.sets, [torn, returns_with_children(reader, self.opened.shop, unknown)])

    @cached_property
    def _at_the_start(self) -> tuple[pa.Table, bool]:
        """Returns with children of a load that was never completed, and whether there were children at all."""
        with self.opened.warehouse.reader() as reader:
            return torn_returns(reader, self.opened.shop), has_children(reader, self.opened.shop)
