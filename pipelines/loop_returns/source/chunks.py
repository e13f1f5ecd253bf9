"""What a command loads: the current chunks of a reading, with the shop's state."""

from collections.abc import Iterator, Sequence
from typing import Any

import dlt
from dlt.common.configuration.specs import BaseConfiguration
from dlt.extract import DltResource

from loop_returns.extract.reading import Reading
from loop_returns.source.parts import OF_A_RETURN, remember, with_children
from loop_returns.tables.catalog import HISTORY, OTHERS, dlt_hints
from loop_returns.tables.chunk import Chunk
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.shipping import ASN
from loop_returns.warehouse.dlt_internals import SOURCE


@dlt.source(name=SOURCE, spec=BaseConfiguration)
def chunks_source(reading: Reading, *, may_append: bool) -> Iterator[DltResource]:
    """The current chunks of a command, without dlt's incremental: the cursor is in the shop's own state.

    What the warehouse has nothing of is appended, unless a load that failed may have left something.
    """

    def rows(chunks: Sequence[Chunk], names: Sequence[str]) -> Iterator[Any]:
        remember(reading.api.settings, reading.state)
        for chunk in chunks:
            for name in names:
                yield from (dlt.mark.with_table_name(part, name) for part in chunk.parts(name))

    # the history stands by itself: `refresh` of `returns` must not drop it
    for table in (RETURNS, *HISTORY, ASN, *OTHERS, READS):
        chunks = [chunk for chunk in reading.chunks if table.name in chunk.rows]
        append = may_append and all(chunk.is_new for chunk in chunks)
        if chunks and table is RETURNS:
            resource = dlt.resource(rows, **dlt_hints(table, append=append))(chunks, OF_A_RETURN)
            yield with_children(resource, append=append)
        elif chunks:
            yield dlt.resource(rows, **dlt_hints(table, append=append))(chunks, (table.name,))
