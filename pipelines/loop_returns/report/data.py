"""Reads what the report shows: counts and exact sums by day, from the marts and the ledger, and nobody's name.

The queries are the files in `queries`, in SQL that every destination understands. In them `{name}` stands for a table,
`{since}` for the first day, `{sum:x}` for a sum of amounts or days in whole ten-thousandths, `{country}` and `{destination}`
for those with most returns and one for all others. Sums can be added up for any range of days; means and medians could not.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from importlib.resources import files
from itertools import takewhile
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns.errors import ConfigurationError
from loop_returns.report.facts import worked_out
from loop_returns.tables.values import to_json
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.reader import Reader, looking

QUERIES: Final = (
    "daily", "durations", "reasons", "products", "names", "carriers", "shipping", "states", "coming", "waiting",
    "problems", "stock", "refunds", "retention", "month_ends", "rates", "group", "mismatches", "destinations",
    "freshness", "resources", "runs",
)  # fmt: skip
SCALE: Final = 10_000  # decimals travel as whole ten-thousandths: a browser adds them up exactly to 900 billion
_PLACE: Final = re.compile(r"\{(\w+)(?::([^}]+))?\}")
_MOST: Final = {"country_code": 12, "destination_id": 8}  # so many can be chosen; the others are one more
OTHER: Final = "(other)"
_MEGABYTES: Final = 160  # for DuckDB


@dataclass(frozen=True)
class Data:
    """Everything the report says: what each of `QUERIES` found."""

    made_at: datetime
    since: date
    tables: dict[str, pa.Table] = field(default_factory=lambda: dict.fromkeys(QUERIES, pa.table({})))
    is_named: bool = False  # charts name the table they draw, and do not hold its rows

    def column(self, table: str, name: str) -> list[Any]:
        """The values of a column, row by row."""
        found = self.tables[table]
        return found[name].to_pylist() if name in found.column_names else []

    def plain(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table as JSON can hold them: days in ISO format, decimals as whole ten-thousandths."""
        return [{name: plain(value) for name, value in row.items()} for row in self.tables[table].to_pylist()]

    @cached_property
    def first(self) -> date:
        """The first day with a return, of those that the page has."""
        return min(self._days, default=self.since)

    @cached_property
    def last(self) -> date:
        """The last day that can be chosen."""
        return max([self.made_at.date(), *self._days])

    @cached_property
    def start(self) -> date:
        """The day with which the page opens: a year back, or less where there would be no year before to compare it with."""
        newest = max(self._days, default=self.last)
        starts = (self.last - timedelta(days=days - 1) for days in (365, 90, 30))
        return next((one for one in starts if one <= newest and one - (self.last - one) > self.first), self.first)

    @property
    def _days(self) -> list[date]:
        """The first and the last day with a return."""
        return (
            [day for day in pc.min_max(self.tables["daily"]["day"]).as_py().values() if day]
            if self.column("daily", "day")
            else []
        )

    @property
    def shops(self) -> list[str]:
        """The shops that have returns or runs."""
        return self.column("freshness", "shop")

    def most(self, what: str, shop: str = "") -> list[str]:
        """The currencies, countries or destinations of a shop, or of all, the one with most returns first."""
        counts: Counter[str] = Counter()
        for whose, value, returns in self._counts[what]:
            if shop in {"", whose}:
                counts[value] += returns
        return [value for value, _ in counts.most_common()]

    @cached_property
    def _counts(self) -> dict[str, list[tuple[str, str, int]]]:
        return {what: list(self._counted(what)) for what in ("currency", "country", "destination")}

    def _counted(self, what: str) -> Iterator[tuple[str, str, int]]:
        for name in ("daily", "waiting") if what == "currency" else ("daily",):
            if self.tables[name].num_rows:
                sums = self.tables[name].group_by(["shop", what], use_threads=False).aggregate([("returns", "sum")])
                yield from zip(*(sums[one].to_pylist() for one in ("shop", what, "returns_sum")), strict=True)


def read_data(target: Target, *, days: int) -> Data:
    """Reads the marts of all shops, for returns submitted in the last `days` days.

    Raises ConfigurationError before the first sync and without marts, WarehouseError or DatabaseInUseError when it can't
    be read.
    """
    now = datetime.now(UTC)
    since = now.date() - timedelta(days=days)
    unsynced = ConfigurationError(
        f"There is nothing to report on yet in {target.file or target.location}, dataset `{target.dataset}`. Run "
        "`loop-returns sync` first, or name the warehouse that has been synced with --database, --destination and --dataset."
    )
    if target.file is not None and not target.file.exists():
        raise unsynced
    with looking(target) as reader:
        try:
            with _within_bounds(reader):
                asked = _Asked(reader, since)
                return Data(now, since, dict(zip(QUERIES, asked.tables(QUERIES), strict=True)))
        except (DatabaseUndefinedRelation, duckdb.CatalogException) as error:
            if not reader.columns(["returns"]):
                raise unsynced from error
            raise ConfigurationError(
                "The report is made from the marts, and this warehouse lacks some. Set `marts` to views or tables, run "
                "`loop-returns sync`, and ask again. Where they have a schema of their own, name it: --marts-dataset."
            ) from error


@contextmanager
def _within_bounds(reader: Reader) -> Iterator[None]:
    """DuckDB keeps to little memory, and puts what does not fit into a folder that is removed, not beside the file."""
    if reader.dialect != "duckdb":
        yield
        return
    with TemporaryDirectory() as folder:
        reader.execute(f"SET temp_directory = {reader.literal(folder)}")
        reader.execute(f"SET memory_limit = '{_MEGABYTES}MB'")
        reader.execute("SET threads = 1")
        reader.execute("SET preserve_insertion_order = false")  # every query says its order
        yield


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """What a statement finds; one that needs more memory than it may have gets as much as DuckDB takes by itself."""
    try:
        found: Any = connection.sql(sql)
        return None if found is None else found.to_arrow_table()
    except duckdb.OutOfMemoryException:
        connection.execute("RESET memory_limit")  # which alone changes the setting, and not what is allocated
        ((default,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
        connection.execute(f"SET memory_limit = '{default}'")
        return _run(connection, sql)


def _text(name: str) -> str:
    text = (files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"--.*", "", text)


def _as_text(value: Any) -> Any:
    """JSON that PostgreSQL's driver has read as the text that it was: Arrow would make one type of all its keys."""
    return to_json(value) if isinstance(value, dict | list) else value


class _Asked:
    """The queries, with what stands for their placeholders."""

    def __init__(self, reader: Reader, since: date) -> None:
        self._reader = reader
        self._words = {"since": f"date '{since.isoformat()}'"}
        if reader.dialect == "duckdb":
            ((self._catalog,),) = reader.sql.native_connection.execute("SELECT current_catalog()").fetchall()
            texts = [f"{_text(name)} {' '.join(_MOST)}" for name in ("places", *QUERIES)]
            self._words |= worked_out(reader, texts, lambda sql: _run(reader.sql.native_connection, sql))
        found = self._fetched("places").to_pydict()
        for name, column in (("country", "country_code"), ("destination", "destination_id")):
            most: Counter[str] = Counter()
            for value, returns in zip(found[column], found["returns"], strict=True):
                most[value or ""] += returns
            values = ", ".join(reader.literal(value) for value, _ in most.most_common(_MOST[column]) if value)
            one = f"when {column} in ({values}) then {column} " if values else ""
            none = f"case when {column} is null or {column} = '(none)' then '(none)'"
            self._words[name] = f"{none} {one}else '{OTHER}' end"

    def tables(self, names: Sequence[str]) -> list[pa.Table]:
        """What the queries find; DuckDB is asked two at a time, each by one processor: quicker than one by both."""
        if self._reader.dialect != "duckdb":
            return [self._fetched(name) for name in names]
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self._fetched, names))

    def _fetched(self, name: str) -> pa.Table:
        if self._reader.dialect == "duckdb":
            cursor = self._reader.sql.native_connection.cursor()
            cursor.execute(f'USE "{self._catalog}"')  # a cursor forgets it, and a DuckLake is not the one of the start
            return _run(cursor, self._sql(name))
        with self._reader.query(self._sql(name)) as cursor:
            names, rows = [column[0] for column in cursor.description], cursor.fetchall()
            return pa.table({name: pa.array([_as_text(row[place]) for row in rows]) for place, name in enumerate(names)})

    def _sql(self, name: str) -> str:
        return _PLACE.sub(self._fill, _text(name))

    def _fill(self, match: re.Match[str]) -> str:
        if match[1] == "sum":
            return f"cast(coalesce(sum({match[2]}), 0) * {SCALE} as bigint)"
        return self._words.get(match[1]) or self._reader.name(match[1])


def product_names(data: Data) -> dict[tuple[str, str], str]:
    """A name for each product: what the titles of its variants begin with, as Loop has titles of variants only."""
    named = {}
    for shop, product, first, last in zip(
        *(data.column("names", name) for name in ("shop", "product", "title_from", "title_to")), strict=True
    ):
        alike = "".join(
            one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first or "", last or "", strict=False))
        )
        if alike != first:  # not within a word
            alike = re.sub(r"\w+$", "", alike)
        named[shop, product] = re.sub(r"[\s\-–—/|·,(:]+$", "", alike) or last or product
    return named


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, date):
        return value.isoformat()
    return int(value * SCALE) if isinstance(value, Decimal) else value
