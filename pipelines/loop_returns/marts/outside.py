"""What marts read besides the mirror: tables that settings name, as if they were raw ones, and values for a `$name`."""

from typing import Final

from dlt.destinations.exceptions import DatabaseException
from sqlglot import exp

from loop_returns.errors import ConfigurationError
from loop_returns.settings import Settings
from loop_returns.warehouse.reader import Reader

Given = dict[str, str]  # what settings say, by the name that stands for it in a mart
OUTSIDE: Final = {  # the columns of such a table; marts cast them
    "orders": "shop, order_id, order_line_id, product_id, variant_id, units, amount, currency, ordered_at",
    "refunds": "shop, refund_id, amount",
    "rates": "currency, day, rate",
}
DEFAULTS: Final[Given] = {"label_rates_in_one": "1"}  # where no setting says anything


def given_by(settings: Settings) -> Given:
    """What the settings say to the marts."""
    tables = {name: str(place) for name in OUTSIDE if (place := getattr(settings, name))}
    return DEFAULTS | tables | ({"label_rates_in_one": "100"} if settings.label_rate_unit == "cents" else {})


def outside(name: str, alias: str, given: Given) -> exp.Expr:
    """The table that the setting of that name names; where it names none, the same columns without rows."""
    if place := given.get(name):
        return exp.select(*OUTSIDE[name].split(", ")).from_(place).subquery(alias)
    return exp.select(*(f"null as {column}" for column in OUTSIDE[name].split(", "))).where("1 = 0").subquery(alias)


def refuse_unreadable(reader: Reader, given: Given) -> None:
    """Raises ConfigurationError when a table that a setting names cannot be read, or lacks a column."""
    for name in OUTSIDE.keys() & given.keys():
        try:
            reader.execute(f"SELECT {OUTSIDE[name]} FROM {given[name]} WHERE 1 = 0")  # noqa: S608 - names, as `Settings` checks
        except DatabaseException as error:
            raise ConfigurationError(
                f"The setting `{name}` names {given[name]}, which cannot be read with the columns {OUTSIDE[name]}. Name a "
                "table or view of the warehouse that has them, or take the setting away."
            ) from error
