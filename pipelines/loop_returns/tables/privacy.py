"""What happens to personal data on its way into the warehouse, by the setting `pii`.

keep: everything lands as it is. hash: each personal value is replaced by a keyed fingerprint, the same in every table, so
that joins and counts still work. drop: personal columns stay empty. It works by the PII class of a column; fields nobody
has declared count as personal.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from loop_returns.tables.schema import Pii, Type

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN: Final = frozenset({Pii.NONE, Pii.PSEUDONYM})


class Policy(StrEnum):
    """The values of the setting `pii`."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"


def protect(values: pa.Array, *, pii: Pii, kind: Type, policy: Policy, key: str) -> pa.Array:
    """The array as the policy allows it to land; `key` (the shop's name) keeps two shops' fingerprints apart."""
    if policy is Policy.KEEP or pii in _OPEN:
        return values
    if policy is Policy.DROP or not pa.types.is_string(values.type):
        return pa.nulls(len(values), values.type)
    fingerprint = _fingerprint(key.encode())
    if kind is Type.JSON:
        return pa.array([None if v is None else f'"{fingerprint(v)}"' for v in values.to_pylist()], pa.string())
    return pa.array([v if not v else fingerprint(v) for v in values.to_pylist()], pa.string())


def _fingerprint(key: bytes) -> Callable[[str], str]:
    def fingerprint(value: str) -> str:
        return hmac.new(key, value.strip().lower().encode(), hashlib.sha256).hexdigest()[:32]

    return fingerprint
