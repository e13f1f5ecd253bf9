"""Sets the rows of a mart against what they must be; each difference names mart, key, column, expected and got."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.oracle.parsed import Row


class AnyOf:
    """One of several, which no document tells apart."""

    def __init__(self, values: set[Any]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return other in self.values

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"one of {sorted(self.values, key=str)}"


def differences(mart: str, key: Sequence[str], expected: Sequence[Row], got: Sequence[Row]) -> list[str]:
    """Everything in which the rows of a mart are not what they must be, a line each."""
    found: list[str] = []
    ours, theirs = (_by_key(mart, key, rows, who, found) for rows, who in ((expected, "expected"), (got, "got")))
    found += [f"{mart} {_told(key, one)}: expected, and not there" for one in ours.keys() - theirs.keys()]
    found += [f"{mart} {_told(key, one)}: there, and not expected" for one in theirs.keys() - ours.keys()]
    for one in ours.keys() & theirs.keys():
        for column, value in ours[one].items():
            if column not in theirs[one]:
                found.append(f"{mart} has no column {column}")
            elif not is_same(value, theirs[one][column]):
                found.append(f"{mart} {_told(key, one)}, {column}: expected {value!r}, got {theirs[one][column]!r}")
    return sorted(found)


def is_same(expected: Any, got: Any) -> bool:
    """True when both say the same, in whatever type a database says it."""
    if isinstance(expected, datetime) and isinstance(got, datetime):
        return expected.astimezone(UTC) == (got if got.tzinfo else got.replace(tzinfo=UTC)).astimezone(UTC)
    return bool(expected == got) and isinstance(expected, bool) == isinstance(got, bool)


def _by_key(mart: str, key: Sequence[str], rows: Sequence[Row], who: str, found: list[str]) -> dict[Any, Row]:
    kept: dict[Any, Row] = {}
    for row in rows:
        one = tuple(row[name] for name in key)
        if one in kept:
            found.append(f"{mart} {_told(key, one)}: {who} twice")
        kept[one] = row
    return kept


def _told(key: Sequence[str], values: tuple[Any, ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(key, values, strict=True))
