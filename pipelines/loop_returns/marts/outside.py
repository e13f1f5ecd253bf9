"""What marts read besides the mirror: tables that settings name, as if they were raw ones, and values for a `$name`.

`$zone_of_x` is the time zone of the shop `x.shop`, in which its days begin.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dlt.destinations.exceptions import DatabaseException
from sqlglot import exp

from loop_returns.errors import ConfigurationError
from loop_returns.settings import Settings
from loop_returns.tables.runs import RUNS
from loop_returns.warehouse.reader import Reader

OUTSIDE: Final = {  # the columns of such a table; marts cast them
    "orders": "shop, order_id, order_line_id, product_id, variant_id, units, amount, currency, ordered_at",
    "refunds": "shop, refund_id, amount",
    "rates": "currency, day, rate",
}
_OPTIONAL: Final = {"orders": "customer"}  # a column that only some marts need
_ZONE_OF: Final = "zone_of_"
_UTC: Final = "UTC"


@dataclass(frozen=True)
class Given:
    """What settings say.

    Attributes:
        tables: the table or view that stands for one of `OUTSIDE`.
        label_rates_in_one: how many of the labels' unit are one of their currency.
        zones: the time zones of shops; without one it is UTC.
        lacking: those of the tables that have no column that only some marts need.
        dataset: the one of the marts; None: that of the tables.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    label_rates_in_one: int = 1
    zones: Mapping[str, str] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset(_OPTIONAL)
    dataset: str | None = None


NOTHING: Final = Given()  # where no setting says anything


def given_by(settings: Settings, *, dataset: str | None = None) -> Given:
    """What the settings say to the marts, which are to be in this dataset."""
    tables = {name: str(place) for name in OUTSIDE if (place := getattr(settings, name))}
    in_one = 100 if settings.label_rate_unit == "cents" else 1
    return Given(tables, in_one, {settings.shop: settings.timezone}, dataset=dataset)


def completed(given: Given, reader: Reader, stored: Mapping[str, Collection[str]]) -> Given:
    """The same with what the warehouse tells: the time zones of shops that other runs have synced, and columns of tables.

    `stored` are the columns of the raw tables.
    """
    ledger = reader.name(RUNS.name)
    there = "timezone" in stored.get(RUNS.name, ())
    place = "row_number() OVER (PARTITION BY shop ORDER BY started_at DESC) AS place"
    zoned = f"SELECT shop, timezone, {place} FROM {ledger} WHERE timezone IS NOT NULL"  # noqa: S608 - a table of our own
    known = reader.rows(f"SELECT shop, timezone FROM ({zoned}) AS t WHERE place = 1") if there else []  # noqa: S608 - as above
    zones = {shop: zone for shop, zone in sorted((dict(known) | dict(given.zones)).items()) if zone != _UTC}
    columns = {name: column for name, column in _OPTIONAL.items() if name in given.tables}
    has = {name for name, column in columns.items() if _trouble(reader, given.tables[name], column) is None}
    return replace(given, zones=zones, lacking=frozenset(_OPTIONAL.keys() - has))


def _trouble(reader: Reader, place: str, columns: str) -> DatabaseException | None:
    """What the database says where there is no such table or view, or it lacks one of the columns."""
    try:
        reader.execute(f"SELECT {columns} FROM {place} WHERE 1 = 0")  # noqa: S608 - names, as `Settings` checks
    except DatabaseException as error:
        return error
    return None


def value(name: str, given: Given) -> str:
    """What stands for `$name` in a mart."""
    if not name.startswith(_ZONE_OF):
        return str(getattr(given, name))
    zones = "".join(f" when {_text(shop)} then {_text(zone)}" for shop, zone in given.zones.items())
    shop = f"{name.removeprefix(_ZONE_OF)}.shop"
    return f"case {shop}{zones} else {_text(_UTC)} end" if zones else _text(_UTC)


def _text(literal: str) -> str:
    return exp.Literal.string(literal).sql("duckdb")


def outside(name: str, given: Given) -> str:
    """The query of the table that the setting of that name names; where it names none, the same columns without rows."""
    columns = OUTSIDE[name].split(", ")
    more = [_OPTIONAL[name]] if name in _OPTIONAL else []
    nulls = [f"cast(null as text) as {column}" for column in (*columns, *more)]
    if place := given.tables.get(name):
        return f"select {', '.join(columns + (nulls[len(columns) :] if name in given.lacking else more))} from {place}"  # noqa: S608
    return f"select {', '.join(nulls)} limit 0"


def refuse_unreadable(reader: Reader, given: Given) -> None:
    """Raises ConfigurationError when a table that a setting names cannot be read, or lacks a column."""
    for name, place in given.tables.items():
        if error := _trouble(reader, place, OUTSIDE[name]):
            raise ConfigurationError(
                f"The setting `{name}` names {place}, which cannot be read with the columns {OUTSIDE[name]}. Name a "
                "table or view of the warehouse that has them, or take the setting away."
            ) from error
