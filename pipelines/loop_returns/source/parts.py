"""What every resource of the public source needs: its incremental, a reader, items for dlt, the state of a shop."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa
from dlt.extract import DltResource

from loop_returns.api.facts import FIRST_DAY
from loop_returns.api.windows import DAY, utc_midnight
from loop_returns.extract.api_reader import ApiReader
from loop_returns.extract.reading import Limits, Reading
from loop_returns.extract.state import ShopState
from loop_returns.settings import Settings
from loop_returns.tables.catalog import CHILDREN, HISTORY, TABLES, dlt_hints
from loop_returns.tables.privacy import Privacy
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.schema import LOAD_ID, Table, Type
from loop_returns.warehouse.dlt_internals import load_id

CURSOR: Final = dlt.sources.incremental[datetime]("updated_at", primary_key=(), on_cursor_value_missing="include")
AT_ONCE: Final = Limits(rows=sys.maxsize, idle_rows=sys.maxsize)  # one package, so the newest copy of everything
OF_A_RETURN: Final = (RETURNS.name, *(child.name for child in CHILDREN))  # the tables of one return
_OF_COMMANDS: Final = {READS.name, *(one.name for one in HISTORY)}
LookUp = Callable[..., Settings]  # `load` with the arguments of the source


def incremental(start: datetime, end: datetime | None, lag: timedelta, *, column: str = "updated_at") -> Any:
    """dlt's incremental on a column of time, less `lag`."""
    return dlt.sources.incremental[datetime](
        column,
        initial_value=start,
        end_value=end,
        lag=lag.total_seconds(),
        primary_key=(),  # no hashes of tied rows in the state: what is seen twice is merged
        on_cursor_value_missing="include",
    )


def with_children(resource: DltResource, children: Sequence[Table] = CHILDREN, *, append: bool = False) -> DltResource:
    """The resource with a table variant for each child; after arguments are bound, as binding forgets them."""
    file_format: Any = resource.compute_table_schema().get("file_format")
    for table in children:
        hints = dlt_hints(table, append=append)
        name, columns = hints.pop("name"), hints.pop("columns")
        # a variant starts as a copy of the root's hints, so those go first
        resource.apply_hints(table_name=name, columns={}, primary_key=[], merge_key=[], create_table_variant=True)
        resource.apply_hints(table_name=name, columns=columns, file_format=file_format, create_table_variant=True, **hints)
    return resource


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[ApiReader, duckdb.DuckDBPyConnection]]:
    """A reader of the shop with its pages in a temporary folder, and a DuckDB in memory."""
    with (
        TemporaryDirectory(prefix="loop-returns-") as folder,
        ApiReader(settings, Path(folder, "pages")) as api,
        duckdb.connect(config={"threads": 1}) as sets,
    ):
        yield api, sets


def items(reading: Reading) -> Iterator[Any]:
    """Everything that the reading reads, in parts.

    A plain dlt load puts everything into one package; two copies of one return in it would leave both copies' children.
    """
    with closing(reading):
        while reading.advance():
            for chunk in reading.chunks:
                for name in chunk.rows:
                    if name not in _OF_COMMANDS:
                        yield from (item(name, part) for part in chunk.parts(name))


def item(name: str, table: pa.Table) -> Any:
    """A table for anyone's pipeline: with its load's id, as a CSV file must have every column.

    JSON columns that hold nothing are left out: dlt warns of each that comes as text.
    """
    empty = [
        one.name for one in TABLES[name].columns if one.type is Type.JSON and table[one.name].null_count == table.num_rows
    ]
    loads = pa.array([load_id()] * table.num_rows, pa.string())
    return dlt.mark.with_table_name(table.drop_columns(empty).append_column(LOAD_ID.name, loads), name)


def start_of(settings: Settings, updated_at: dlt.sources.incremental[datetime], *, latest: datetime) -> datetime:
    """Where reading begins: where the incremental does; at the very start where a wrong clock has put that ahead of time."""
    start = max(updated_at.start_value or settings.start_date, utc_midnight(FIRST_DAY)).astimezone(UTC)
    is_ahead = updated_at.end_value is None and start + timedelta(seconds=updated_at.lag or 0) > latest + DAY
    return settings.start_date.astimezone(UTC) if is_ahead else start


def state_of(settings: Settings) -> ShopState:
    """What dlt's state holds of the shop. Raises ConfigurationError for another key of fingerprints."""
    stored = dlt.current.source_state().get("shops", {}).get(settings.shop, {})
    return ShopState.read(stored).under(Privacy.of(settings))


def remember(settings: Settings, state: ShopState) -> None:
    """Has dlt store the state with what is loaded."""
    dlt.current.source_state().setdefault("shops", {})[settings.shop] = state.written()
