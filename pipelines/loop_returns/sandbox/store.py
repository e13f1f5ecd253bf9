"""How the shop keeps its returns: encoded, so that serving is quick, and indexed by timestamp."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from loop_returns.sandbox.bodies import Return, UnlistedFields
from loop_returns.sandbox.notices import notices
from loop_returns.sandbox.times import second_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Column = Literal["created_at", "updated_at"]
NoticeIds = Literal["return", "row"]  # what the id of a notice is: that of its return, or one of its own
_FIRST_ROW: Final = 40_000_000  # where returns begin too, so that the id of a row is that of some other return
_encode = msgspec.json.encode


@dataclass
class ReturnEntry:
    """A return: its encoded body and what it is found by; times are seconds."""

    number: int
    raw: bytes
    state: str
    created_at: int
    updated_at: int
    unlisted: UnlistedFields


@dataclass
class NoticeEntry:
    """The ASN rows of a return (or one given row) and their times; encoded when first asked for."""

    number: int
    created_at: int | None
    updated_at: int | None
    label_updated_at: int | None
    encode: Callable[[], list[bytes]]
    encoded: list[bytes] | None = field(default=None)

    def rows(self) -> list[bytes]:
        """The encoded rows."""
        if self.encoded is None:
            self.encoded = self.encode()
        return self.encoded


class Store:
    """The returns by id; not thread-safe by itself: the shop's lock guards it."""

    def __init__(self, notice_ids: NoticeIds = "return") -> None:
        self._notice_ids = notice_ids
        self._row_ids: dict[tuple[int, str], int] = {}
        self._entries: dict[str, ReturnEntry] = {}
        self._notices: dict[str, NoticeEntry] = {}
        self._given_notices = False
        self._order: dict[Column, tuple[list[int], list[ReturnEntry]]] = {}
        self._extra: dict[str, dict[str, Any]] = {"return": {}, "line_item": {}, "asn": {}}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, number: str) -> bool:
        return number in self._entries

    def ids(self, state: str | None = None) -> list[str]:
        """Ids in the order in which the returns were added."""
        return [number for number, entry in self._entries.items() if state is None or entry.state == state]

    def raw(self, number: str) -> bytes:
        """The encoded body; KeyError when there is no such return."""
        return self._entries[number].raw

    def unlisted(self, number: str) -> UnlistedFields:
        """What the body does not show; KeyError when there is no such return."""
        return self._entries[number].unlisted

    def take(self, number: str) -> Return:
        """A return to be changed and put back; KeyError when there is no such return."""
        entry = self._entries[number]
        return Return(msgspec.json.decode(entry.raw), entry.unlisted)

    def put(self, ret: Return) -> None:
        """Add a return or replace it."""
        body = ret.body
        number = str(body["id"])
        self._add_extras(body, number)
        entry = ReturnEntry(
            number=int(number),
            raw=_encode(body),
            state=body["state"],
            created_at=second_of(body["created_at"]) or 0,
            updated_at=second_of(body["updated_at"]) or 0,
            unlisted=ret.unlisted,
        )
        self._entries[number] = entry
        self._order.clear()
        if not self._given_notices:
            self._notices[number] = NoticeEntry(
                number=entry.number,
                created_at=entry.created_at,
                updated_at=entry.updated_at,
                label_updated_at=second_of(body.get("label_updated_at")),
                encode=partial(self._encode_notices, entry),
            )

    def remove(self, number: str) -> None:
        """Forget a return and its ASN rows; given ASN rows stay."""
        del self._entries[number]
        self._order.clear()
        if not self._given_notices:
            del self._notices[number]

    def give(self, returns: Sequence[dict[str, Any]], asn: Sequence[dict[str, Any]]) -> None:
        """Hold the given bodies and ASN rows as they are."""
        self._given_notices = True
        for body in returns:
            self.put(Return(dict(body), UnlistedFields(ordered=second_of(body["created_at"]) or 0)))
        for index, row in enumerate(asn):
            times = {name: second_of(row.get(name)) for name in ("created_at", "updated_at", "label_updated_at")}
            self._notices[str(index)] = NoticeEntry(number=int(row["id"]), **times, encode=list, encoded=[_encode(row)])

    def _encode_notices(self, entry: ReturnEntry) -> list[bytes]:
        rows = notices(Return(msgspec.json.decode(entry.raw), entry.unlisted), partial(self._notice_id, entry.number))
        for row in rows:
            row.update(self._values("asn", str(entry.number)))
        return [_encode(row) for row in rows]

    def _notice_id(self, number: int, line: str) -> int:
        if self._notice_ids == "return":
            return number
        return self._row_ids.setdefault((number, line), _FIRST_ROW + len(self._row_ids))

    # Undeclared fields

    def add_field(self, name: str, value: object, where: str) -> None:
        """Add a field to all bodies, and to all that are put from now on."""
        self._extra[where][name] = value
        for number in self.ids():
            self.put(self.take(number))

    def _values(self, where: str, number: str) -> dict[str, Any]:
        return {name: value(number) if callable(value) else value for name, value in self._extra[where].items()}

    def _add_extras(self, body: dict[str, Any], number: str) -> None:
        body.update(self._values("return", number))
        if self._extra["line_item"]:
            for row in body["line_items"]:
                row.update(self._values("line_item", number))

    # Finding

    def between(self, column: Column, low: float, high: float) -> list[ReturnEntry]:
        """Entries whose second lies in [low, high), by (second, id)."""
        if column not in self._order:
            entries = sorted(self._entries.values(), key=lambda entry: (getattr(entry, column), entry.number))
            self._order[column] = [getattr(entry, column) for entry in entries], entries
        seconds, entries = self._order[column]
        return entries[bisect_left(seconds, low) : bisect_left(seconds, high)]

    def notices(self) -> list[NoticeEntry]:
        """All ASN rows, by return."""
        return list(self._notices.values())
