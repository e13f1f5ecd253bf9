"""The shape of a declaration: what a column and a table are.

The tables themselves are declared in `returns.py`, `children.py`, `shipping.py`, `runs.py` and `resources/`, and listed in
`catalog.py`.
Everything that has to agree with them (Arrow types, dlt hints, comments, dictionary, privacy) is derived from here.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

Row = dict[str, Any]  # as the API sends it, decoded


class Type(StrEnum):
    """The type of a column, by dlt's names."""

    TEXT = "text"
    DECIMAL = "decimal"  # DECIMAL(18,4)
    TIMESTAMP = "timestamp"  # microseconds, UTC
    BOOL = "bool"
    INTEGER = "bigint"
    JSON = "json"


class Pii(StrEnum):
    """How much a column says about a person; the setting `pii` acts on all classes but NONE and PSEUDONYM."""

    NONE = "none"
    PSEUDONYM = "pseudonym"  # leads to a person only through another system (an order number)
    PERSONAL = "personal"  # identifies a shopper: e-mail, address, tracking number, personal links
    STAFF = "staff"  # identifies a person who works for the merchant
    FREE_TEXT = "free_text"  # typed by a person, may hold anything
    UNKNOWN = "unknown"  # a field nobody has declared; treated as personal


PRECISION: Final = 18
SCALE: Final = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, meaning and PII class.

    `path` is where the API keeps the value inside the row: usually one key, two for a flattened object, empty for a
    column that this project fills itself.
    """

    name: str
    type: Type
    description: str
    pii: Pii = Pii.NONE
    path: tuple[str, ...] = ()
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its grain, natural key and columns.

    `replace_by` names the columns by which old rows are replaced as a set (children of a return); empty where a row is
    replaced by its own key.
    """

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    replace_by: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the table has none."""
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)


def _from_api(kind: Type, name: str, description: str, pii: Pii = Pii.NONE, *, path: str = "") -> Column:
    """A column read from the key of its own name, unless `path` (keys joined by dots) says otherwise."""
    return Column(name, kind, description, pii, tuple((path or name).split(".")))


text: Final = partial(_from_api, Type.TEXT)
money: Final = partial(_from_api, Type.DECIMAL)
when: Final = partial(_from_api, Type.TIMESTAMP)
flag: Final = partial(_from_api, Type.BOOL)
number: Final = partial(_from_api, Type.INTEGER)
json: Final = partial(_from_api, Type.JSON)  # objects and arrays whose inner keys are open-ended


def key(name: str, description: str, *, path: str = "") -> Column:
    """A text column that is part of a natural key."""
    return Column(name, Type.TEXT, description, path=(path or name,), nullable=False)


def own(name: str, kind: Type, description: str, *, pii: Pii = Pii.NONE, nullable: bool = True) -> Column:
    """A column that this project fills itself; the API has no such field."""
    return Column(name, kind, description, pii, (), nullable)


SHOP: Final = own("shop", Type.TEXT, "Name of the shop as configured (setting `shop`); part of every key.", nullable=False)
UNPARSED: Final = own(
    "_unparsed",
    Type.JSON,
    "Values that did not fit their column's type, by column name, as the API sent them; null when all fitted.",
    pii=Pii.UNKNOWN,
)
LOAD_ID: Final = own("_dlt_load_id", Type.TEXT, "dlt's id of the load that wrote the row; joins `_dlt_loads.load_id`.")
DELETED_AT: Final = own(
    "_deleted_at", Type.TIMESTAMP, "When a run proved that Loop no longer has the row; null while Loop has it."
)
PREVIOUS_LABEL: Final = (
    own(
        "_previous_label_status",
        Type.TEXT,
        "The status of the label that the warehouse knew before this version, empty if it had none; null if the row is new.",
    ),
    own("_previous_label_updated_at", Type.TIMESTAMP, "The time of that report of the carrier."),
)
PREVIOUS: Final = (
    own("_previous_state", Type.TEXT, "The state in which the warehouse knew the return before this version; null if new."),
    *PREVIOUS_LABEL,
)
ROW_HASH: Final = own("_row_hash", Type.TEXT, "Fingerprint of the row as the API sent it; equal means unchanged.")
REMOVED: Final = own("_removed", Type.BOOL, "Always null. Carries, while loading, that a return has no such rows any more.")
BOOKKEEPING: Final = frozenset({one.name for one in (DELETED_AT, *PREVIOUS, ROW_HASH, REMOVED, LOAD_ID)})  # not of the API
HIDDEN: Final = BOOKKEEPING | {UNPARSED.name}
RETURN_ID: Final = own("return_id", Type.TEXT, "The return; joins `returns.id`.", nullable=False)
OF_ROW: Final = (DELETED_AT, ROW_HASH, UNPARSED, LOAD_ID)  # at the end of a table whose rows are compared one by one
OF_SET: Final = (UNPARSED, DELETED_AT, REMOVED, LOAD_ID)  # of one whose rows are replaced as a set
