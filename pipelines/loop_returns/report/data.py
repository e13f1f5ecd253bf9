"""Reads what the report shows: counts and exact sums by day, from the marts and the ledger, and nobody's name.

The queries are the files in `queries`, in SQL that every destination understands. In them `{name}` stands for a table, and
`{since}` for the first day. Sums can be added up for any range of days; means and medians could not.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns.errors import ConfigurationError
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.reader import Reader, looking

QUERIES: Final = ("daily", "durations", "reasons", "products", "carriers", "coming", "waiting", "freshness", "runs")
SCALE: Final = 10_000  # decimals travel as whole ten-thousandths: a browser adds them up exactly to 900 billion
_PLACE: Final = re.compile(r"\{(\w+)\}")


Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Data:
    """Everything the report says: the rows that each of `QUERIES` found."""

    made_at: datetime
    since: date
    tables: dict[str, Rows] = field(default_factory=lambda: {name: [] for name in QUERIES})

    @property
    def first(self) -> date:
        """The first day with a return."""
        days: list[date] = [row["day"] for row in self.tables["daily"]]
        return min(days, default=self.since)

    @property
    def last(self) -> date:
        """The last day that can be chosen."""
        days: list[date] = [row["day"] for row in self.tables["daily"]]
        return max([self.made_at.date(), *days])

    @property
    def shops(self) -> list[str]:
        """The shops that have returns or runs."""
        return [row["shop"] for row in self.tables["freshness"]]

    def currencies(self, shop: str = "") -> list[str]:
        """The currencies of a shop, or of all, the one with most returns first."""
        counts: Counter[str] = Counter()
        for row in self.tables["daily"] + self.tables["waiting"]:
            if shop in {"", row["shop"]}:
                counts[row["currency"]] += row["returns"]
        return [currency for currency, _ in counts.most_common()]

    def plain(self, name: str) -> Rows:
        """The rows of a table as JSON can hold them: days in ISO format, decimals as whole ten-thousandths."""
        return [{column: _plain(value) for column, value in row.items()} for row in self.tables[name]]


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
            return Data(now, since, {name: _read(reader, name, since) for name in QUERIES})
        except DatabaseUndefinedRelation as error:
            if not reader.columns(["returns"]):
                raise unsynced from error
            raise ConfigurationError(
                "The report is made from the marts, and this warehouse lacks some. Set `marts` to views or tables, run "
                "`loop-returns sync`, and ask again."
            ) from error


def _read(reader: Reader, name: str, since: date) -> Rows:
    def fill(match: re.Match[str]) -> str:
        return f"date '{since.isoformat()}'" if match[1] == "since" else reader.name(match[1])

    sql = (files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    with reader.sql.execute_query(_PLACE.sub(fill, sql)) as cursor:
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return int(value * SCALE) if isinstance(value, Decimal) else value
