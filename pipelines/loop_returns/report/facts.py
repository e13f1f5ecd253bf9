"""Reads the marts and writes them down as the page needs them: small, exact, and nothing that names a person."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns import __version__
from loop_returns.api.errors import ChangeSettings
from loop_returns.report.queries import CLOSING_DAYS, QUERIES, TOP_PRODUCTS
from loop_returns.warehouse.reader import Reader, looking

if TYPE_CHECKING:
    from loop_returns.report.queries import Query
    from loop_returns.warehouse.destination import Target

_EPOCH: Final = date(1970, 1, 1)
_TABLE: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = ("shop", "currency", "reason", "product", "title", "carrier", "place", "stage", "age")
_FOUR_DIGITS: Final = 10_000  # amounts are whole ten-thousandths: JavaScript adds them up exactly to 900 billion
_TWO_DIGITS: Final = 100  # days are whole hundredths, as in the marts


@dataclass
class Facts:
    """Everything the page says; `record()` is what is embedded in it."""

    made_at: datetime
    since: date
    shop: str | None = None  # the shop that is chosen when the page opens
    words: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in _WORDS})
    tables: dict[str, list[list[Any]]] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As JSON can hold it. Rows are lists; words are numbers that point into `words`; days count from 1970-01-01."""
        return {
            "made_at": _time(self.made_at),
            "version": __version__,
            "since": _day(self.since),
            "shop": self.shop,
            "closing_days": CLOSING_DAYS,
            "top_products": TOP_PRODUCTS,
            "words": {kind: list(words) for kind, words in self.words.items()},
            "tables": {
                name: {"columns": list(query.columns), "rows": self.tables.get(name, [])} for name, query in QUERIES.items()
            },
        }

    def take(self, name: str, row: tuple[Any, ...]) -> None:
        """Adds a row of the query `name`."""
        kinds = QUERIES[name].columns.values()
        self.tables[name].append([self._plain(kind, value) for kind, value in zip(kinds, row, strict=True)])

    def _plain(self, kind: str, value: Any) -> Any:
        if kind in self.words:
            words = self.words[kind]
            return None if value is None else words.setdefault(str(value), len(words))
        return _PLAIN[kind](value)


def read_facts(target: Target, *, days: int, shop: str | None = None) -> Facts:
    """Reads the marts of all shops, for returns submitted in the last `days` days; empty before the first sync.

    Raises ChangeSettings when there is data but no marts, WarehouseTrouble or WarehouseHeld when it can't be read.
    """
    now = datetime.now(UTC)
    facts = Facts(now, now.date() - timedelta(days=days), shop)
    if target.file is not None and not target.file.exists():
        return facts
    with looking(target) as reader:
        for name, query in QUERIES.items():
            facts.tables[name] = []
            try:
                for row in _rows(reader, query, facts.since):
                    facts.take(name, row)
            except DatabaseUndefinedRelation as error:
                if not reader.rows(f"select id from {reader.name('returns')} limit 1"):  # noqa: S608 # our own name
                    return Facts(now, facts.since, shop)
                raise ChangeSettings(
                    "The report is made from the marts, and this warehouse lacks some. Set `marts` to views or tables, run "
                    "`loop-returns sync`, and ask again."
                ) from error
    return facts


def _rows(reader: Reader, query: Query, since: date) -> list[tuple[Any, ...]]:
    def name(match: re.Match[str]) -> str:
        if match[1] == "since":
            return f"date '{since.isoformat()}'"
        return reader.name(match[1])

    with reader.sql.execute_query(_TABLE.sub(name, query.sql)) as cursor:
        return list(cursor.fetchall())


def _scaled(value: Any, scale: int) -> int:
    return 0 if value is None else int(Decimal(str(value)) * scale)


def _day(value: date | None) -> int | None:
    return None if value is None else (value - _EPOCH).days


def _time(value: datetime | None) -> str | None:
    if value is None:
        return None
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value  # PostgreSQL's driver has read it already


_PLAIN: Final = {
    "count": lambda value: int(value or 0),
    "money": lambda value: _scaled(value, _FOUR_DIGITS),
    "days": lambda value: _scaled(value, _TWO_DIGITS),
    "day": _day,
    "time": _time,
    "flag": lambda value: int(bool(value)),
    "text": lambda value: None if value is None else str(value),
    "json": _json,
}
