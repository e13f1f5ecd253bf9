"""What of the rows that were read says anything new: the comparison of a sync and of a backfill with the warehouse."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from loop_returns.api.windows import DAY
from loop_returns.runs.session import Session
from loop_returns.tables.catalog import CHILDREN, HISTORY
from loop_returns.tables.chunk import Chunk, Tables, columns_of
from loop_returns.tables.resource import Reads, Resource
from loop_returns.tables.resources import BY_NAME
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import LABEL_CHANGES, READS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.changed import changed_rows, changed_sets
from loop_returns.warehouse.contents import fingerprints, has_rows, incomplete_returns, known_rows, returns_with_children
from loop_returns.warehouse.deduplicate import missing, newest_notices, newest_returns


class Comparison:
    """Leaves out what the warehouse has already, by fingerprint, and copies older than what it has."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._others_before: dict[str, bool] = {}  # whether the warehouse had any of another resource before this run

    def __call__(self, table: str, pages: Sequence[Tables]) -> Chunk:
        """The chunk to load of pages of `returns`, of the shipping notices, or of another resource that were read."""
        if table in BY_NAME:
            return self.other(BY_NAME[table], pages)
        session, known = self.session, self.known(table, pages)
        if table == RETURNS.name:
            uncertain = self.uncertain(columns_of(pages, table, ["id"]), known)
            at = session.now
            chunk = newest_returns(session.sets, pages, known, shop=session.shop, observed_at=at, uncertain=uncertain)
        else:
            chunk = newest_notices(session.sets, pages, known, shop=session.shop, observed_at=session.now)
        is_new = bool(chunk.rows) and not chunk.tally.changed[table] and table not in self._filled_before
        return replace(chunk, is_new=is_new)

    def other(self, resource: Resource, pages: Sequence[Tables]) -> Chunk:
        """The chunk of another resource, which has no times to go by: what is not as the warehouse has it."""
        session, is_set = self.session, resource.reads is Reads.EACH
        table, key = (READS.name, "id") if is_set else (resource.table.name, resource.table.key[-1])
        ids = columns_of(pages, table, [key])[key].to_pylist()
        with session.warehouse.reader() as reader:
            known = fingerprints(reader, table, session.shop, ids, resource=resource.name if is_set else None)
            if resource.name not in self._others_before:
                self._others_before[resource.name] = known.num_rows > 0 or has_rows(reader, session.shop, resource.tables)
        if is_set:
            chunk = changed_sets(session.sets, resource, pages, known, shop=session.shop, at=session.now)
        else:
            chunk = changed_rows(session.sets, resource, pages, known, shop=session.shop)
        if self._others_before[resource.name]:
            return chunk
        return replace(chunk.without_tombstones(), is_new=not known.num_rows)

    def known(self, table: str, pages: Sequence[Tables]) -> pa.Table:
        """What the warehouse has of the rows that were read.

        A time ahead of every clock by more than a day was wrong: it must not make a mended row look older.
        """
        ids = columns_of(pages, table, ["id"])["id"].to_pylist()
        with self.session.warehouse.reader() as reader:
            rows = known_rows(reader, table, self.session.shop, ids)
        times, place = rows["updated_at"], rows.schema.get_field_index("updated_at")
        is_wrong = pc.greater(times, self.session.clock.latest + DAY)
        return rows.set_column(place, "updated_at", pc.if_else(is_wrong, None, times))

    def uncertain(self, returns: pa.Table, known: pa.Table) -> pa.Table:
        """Returns whose children in the warehouse cannot be inferred from the return's own row.

        A killed run left them behind, or somebody has deleted the row by hand.
        """
        unknown = missing(self.session.sets, returns.select(["id"]), [known.select(["id"])])["id"].to_pylist()
        incomplete = self._incomplete
        if not unknown or not self._any_children:
            return incomplete
        with self.session.warehouse.reader() as reader:
            with_children = returns_with_children(reader, self.session.shop, unknown)
        return pa.concat_tables([incomplete, with_children]).group_by("id").aggregate([])

    @cached_property
    def _incomplete(self) -> pa.Table:
        """Returns that had children of a load that was never completed when this run began."""
        with self.session.warehouse.reader() as reader:
            return incomplete_returns(reader, self.session.shop)

    @cached_property
    def _any_children(self) -> bool:
        """Whether there were any when the first return came that the warehouse does not have."""
        with self.session.warehouse.reader() as reader:
            return has_rows(reader, self.session.shop, CHILDREN)

    @cached_property
    def _filled_before(self) -> set[str]:
        """Of returns, with what lands with them, and notices: those that the warehouse had any of before this run."""
        together = {RETURNS.name: (RETURNS, *CHILDREN, *HISTORY), ASN.name: (ASN, LABEL_CHANGES)}
        with self.session.warehouse.reader() as reader:
            return {name for name, tables in together.items() if has_rows(reader, self.session.shop, tables)}
