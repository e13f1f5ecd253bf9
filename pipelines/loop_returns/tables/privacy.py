"""What of a person reaches the warehouse: the setting `pii`, and the secret key of its fingerprints.

A policy acts by the PII class of a column. keep: everything lands as it is. hash: each personal value is replaced by a keyed
fingerprint, the same in every table and shop, so that joins and counts still work. drop: personal columns stay empty.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Self

import pyarrow as pa
from msgspec import Struct, structs

from loop_returns.errors import ConfigurationError
from loop_returns.settings import SECTION, PiiPolicy, Settings, variable
from loop_returns.tables.catalog import ARRAYS_OF, CHILDREN, KEYS, TABLES
from loop_returns.tables.resources import RESOURCES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import DELETED_AT, PREVIOUS_LABEL, Column, Pii, Row, Table, Type
from loop_returns.tables.shipping import ASN
from loop_returns.tables.values import canonical_json

HASHED: Final = "pii_"  # how a fingerprint begins, by which it is told from what it stands for
HASHED_LENGTH: Final = len(HASHED) + 32
_NOBODY: Final = frozenset({"", "n/a"})  # what the API writes for “none”
_SHAPE: Final = "0.1.0"  # the version in which a column's meaning changed last: then every row counts as changed


def is_personal(pii: Pii) -> bool:
    """True for the classes on which the policy acts."""
    return pii not in {Pii.NONE, Pii.PSEUDONYM}


def new_key() -> str:
    """A fresh key: 32 random bytes as text."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Privacy:
    """A policy with its key, without which nothing can be hashed. Raises ConfigurationError when there is none."""

    policy: PiiPolicy = "keep"
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.policy == "hash" and not self.key:
            raise ConfigurationError(
                '`pii = "hash"` needs a secret of yours: without one, whoever has a list of e-mail addresses could undo the '
                "fingerprints. `loop-returns check` prints a fresh one. Set it as pii_key under "
                f"[{SECTION}] in .dlt/secrets.toml, or as {variable('pii_key')} in the environment, and keep a copy."
            )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Of the settings `pii` and `pii_key`."""
        return cls(settings.pii, settings.pii_key)

    @property
    def key_mark(self) -> str | None:
        """By which the key is recognised; None unless it is used."""
        return hmac.digest(self.key.encode(), b"check", "sha256").hex()[:8] if self.policy == "hash" else None

    @property
    def mark(self) -> str:
        """By which policy and key are recognised."""
        return ":".join(filter(None, (self.policy, self.key_mark)))

    def protect(self, array: pa.Array, pii: Pii, kind: Type) -> pa.Array:
        """The array as it may land."""
        if self.policy == "keep" or not is_personal(pii):
            return array
        if self.policy == "drop" or not pa.types.is_string(array.type):
            return pa.nulls(len(array), array.type)
        return pa.array([None if text is None else self.hashed(text, kind) for text in array.to_pylist()], pa.string())

    def hashed(self, text: str, kind: Type = Type.TEXT) -> str:
        """The fingerprint of a value, ignoring case and outer spaces; what stands for “none” stays what it is."""
        bare = text.strip()
        if bare.lower() in _NOBODY:
            return bare
        digest = HASHED + hmac.digest(self.key.encode(), bare.lower().encode(), "sha256").hex()[:32]
        return f'"{digest}"' if kind is Type.JSON else digest

    def fingerprint(self, row: Row | Struct, table: Table) -> str:
        """128 bits that change when the row as it may land, the declared columns, the policy or its key change.

        A field that is null and one that is absent are the same. No value can be guessed from it that must not land:
        what is dropped is not in it, and what is hashed needs the key.
        """
        digest = _digest(self, table.name).copy()
        if self.policy == "drop":
            row = _impersonal(row, table)
        digest.update(canonical_json(row if isinstance(row, Struct) else _without_nulls(row, table)))
        return digest.hexdigest()[:32]


def _family(name: str) -> tuple[Table, ...]:
    """The tables of which a change makes the row count as changed: those that come from the same endpoint."""
    return next((one.tables for one in RESOURCES if TABLES[name] in one.tables), (RETURNS, *CHILDREN, ASN))


@cache
def _digest(
    privacy: Privacy, name: str
) -> "hashlib._Hash | hmac.HMAC":  # by name: a table's own hash takes as long as a row
    def counts(table: Table, column: Column) -> bool:  # what came later and is nothing that was read does not
        return column not in PREVIOUS_LABEL and (column is not DELETED_AT or table.name in KEYS)

    declared = repr([(t.name, [(c.name, c.type, c.path, c.pii) for c in t.columns if counts(t, c)]) for t in _family(name)])
    salt = f"{_SHAPE} {privacy.policy} {declared}".encode()
    return hmac.new(privacy.key.encode(), salt, "sha256") if privacy.policy == "hash" else hashlib.sha256(salt)


def _without_nulls(row: Row, table: Table) -> Row:
    """The row and its children without the fields that are null."""
    bare = {name: value for name, value in row.items() if value is not None}
    for name in ARRAYS_OF.get(table.name, {}).keys() & bare.keys():
        value = bare[name]
        if isinstance(value, dict):
            bare[name] = {k: v for k, v in value.items() if v is not None}
        elif isinstance(value, list):
            bare[name] = [{k: v for k, v in one.items() if v is not None} if isinstance(one, dict) else one for one in value]
    return bare


@cache
def _landing(name: str) -> dict[str, frozenset[str]]:
    """The fields that land under `drop`: which keys of an object that is flattened, and "" for the value as a whole."""
    paths = [column.path for column in TABLES[name].columns if column.path and not is_personal(column.pii)]
    return {one: frozenset("".join(path[1:]) for path in paths if path[0] == one) for one, *_ in paths}


def _impersonal(row: Any, table: Table) -> Row:
    """The row and its children without what is dropped."""
    row = structs.asdict(row) if isinstance(row, Struct) else row
    bare: Row = {}
    for name, keys in _landing(table.name).items():
        value = row.get(name)
        if isinstance(value, dict) and keys != {""}:
            bare[name] = {key: inner for key, inner in value.items() if key in keys}
        elif "" in keys:
            bare[name] = value
    for name, child in ARRAYS_OF.get(table.name, {}).items():
        value = row.get(name)
        rows = value if isinstance(value, list) else [value]
        bare[name] = [_impersonal(one, child) if isinstance(one, dict | Struct) else None for one in rows]
    return bare
