"""Data sets for the benchmark server: full-size returns as ready-made bytes on disk, the same for the same numbers.

One file per state holds the returns as JSON texts joined by commas, oldest first, so that any range of time is one slice of
the file. Two arrays beside it say where each return starts and when it was updated. A return is a copy of a sandbox's
(4.3 KB, 2.6 line items on average, with the API's wobbling types) with ids and times of its own.
"""

from __future__ import annotations

import json
import random
import re
from array import array
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from loop_returns.sandbox import Shop
from loop_returns.settings import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEMPLATES: Final = 2_000
DAY: Final = 86_400
END: Final = datetime(2026, 10, 1, tzinfo=UTC)  # the newest return of a full data set
SPAN: Final = timedelta(days=365)
CREATED_BEFORE: Final = 5 * DAY  # seconds from `created_at` to `updated_at`, so that both sort alike
_IDS: Final = re.compile(rb"(?<!\d)(4\d{7}|98\d{6})(?!\d)|(?<!\d)(293\d{6})(?!\d)")
_LINE_STRIDE: Final = 10_000  # more line items than the templates have


@dataclass(frozen=True)
class Change:
    """A return of a data set: its number from 0, and when it was updated, in seconds since 1970."""

    number: int
    updated: int


@dataclass(frozen=True)
class _Template:
    """The JSON text of a return, cut where ids and times go: even parts are text, odd ones (kind, old number)."""

    parts: tuple[bytes | tuple[str, int], ...]
    state: str
    items: int

    def fill(self, copy: int, *, updated: int, created: int) -> bytes:
        """The text of a copy."""
        values = {"return": copy * TEMPLATES, "line": copy * _LINE_STRIDE}
        times = {"created": _iso(created), "updated": _iso(updated)}
        return b"".join(
            part if isinstance(part, bytes) else times[part[0]] if part[0] in times else b"%d" % (part[1] + values[part[0]])
            for part in self.parts
        )


def full(returns: int) -> Iterator[Change]:
    """A whole shop of that many returns, evenly spread over a year."""
    start, span = int((END - SPAN).timestamp()), int(SPAN.total_seconds())
    for number in range(returns):
        yield Change(number, start + number * span // max(returns, 1))


def changed(returns: int, *, count: int) -> list[Change]:
    """What a sync a day later finds: `count` of the returns, picked from all over the shop, each updated since."""
    picked = random.Random(returns).sample(range(returns), count)  # repeatable data, no secret
    start = int(END.timestamp())
    return [Change(number, start + 3600 + place * (20 * 3600) // count) for place, number in enumerate(picked)]


def write(folder: Path, changes: Iterable[Change], *, now: datetime) -> None:
    """Writes a data set whose server says that it is `now`; `changes` come oldest first."""
    folder.mkdir(parents=True)
    templates = _templates()
    offsets = {state: array("q", [0]) for state in STATES}
    times = {state: array("q") for state in STATES}
    items = 0
    with ExitStack() as stack:
        files = {state: stack.enter_context((folder / f"{state}.json").open("wb")) for state in STATES}
        for change in changes:
            copy, which = divmod(change.number, TEMPLATES)
            template = templates[which]
            text = template.fill(copy, updated=change.updated, created=change.updated - CREATED_BEFORE)
            files[template.state].write(text + b",")
            offsets[template.state].append(offsets[template.state][-1] + len(text) + 1)
            times[template.state].append(change.updated)
            items += template.items
    for state in STATES:
        (folder / f"{state}.offsets").write_bytes(offsets[state].tobytes())
        (folder / f"{state}.times").write_bytes(times[state].tobytes())
    count = sum(len(each) for each in times.values())
    size = sum(each[-1] for each in offsets.values())
    meta = {"now": now.isoformat(), "returns": count, "line_items": items, "bytes": size}
    (folder / "meta.json").write_text(json.dumps(meta))


def ids_shift(copy: int) -> tuple[int, int]:
    """How far the ids of a copy of all templates lie from the first one's: of returns, of line items."""
    return copy * TEMPLATES, copy * _LINE_STRIDE


@cache
def _templates() -> list[_Template]:
    shop = Shop.generate(seed=1, returns=TEMPLATES, now=END)
    bodies = sorted(shop.returns_snapshot(), key=lambda body: int(body["id"]))
    return [
        _Template(
            tuple(_cut(msgspec.json.encode(body), body["created_at"].encode(), body["updated_at"].encode())),
            body["state"],
            len(body["line_items"]),
        )
        for body in bodies
    ]


def _cut(text: bytes, created: bytes, updated: bytes) -> Iterator[bytes | tuple[str, int]]:
    """Cuts out the return's two times, which come first in the text, and every id."""
    times = re.compile(rb'(?<="created_at":")%s|(?<="updated_at":")%s' % (re.escape(created), re.escape(updated)))
    found = [(m.span(), ("created", 0) if m.group() == created else ("updated", 0)) for m in times.finditer(text)]
    spots: list[tuple[tuple[int, int], tuple[str, int]]] = found[:2]
    if created == updated:
        spots[1] = (spots[1][0], ("updated", 0))
    spots += [(m.span(), ("return" if m[1] else "line", int(m.group()))) for m in _IDS.finditer(text)]
    end = 0
    for (start, stop), what in sorted(spots):
        yield text[end:start]
        yield what
        end = stop
    yield text[end:]


def _iso(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()
