"""Data sets for the benchmark server: full-size returns as ready-made bytes on disk, the same for the same numbers and day.

One file per state holds the returns as JSON texts joined by commas, oldest first, so that any range of time is one slice of
the file. Two arrays beside it say where each return starts and when it was updated. A return is a copy of a sandbox's
(4.3 KB, 2.6 line items on average, with the API's type variants) with ids and times of its own. One more such file holds
the shipping notices, a row per line item, by the time at which their return was created.
"""

from __future__ import annotations

import json
import random
import re
from array import array
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from loop_returns.api.facts import STATES
from loop_returns.sandbox import Shop

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

TEMPLATES: Final = 2_000
DAY: Final = 86_400
NOTICES: Final = "notices"  # the part beside those of the states
END: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)  # the newest return of a full data set
SPAN: Final = timedelta(days=365)
CREATED_BEFORE: Final = 5 * DAY  # seconds from `created_at` to `updated_at`, so that both sort alike
_IDS: Final = re.compile(rb"(?<!\d)(4\d{7}|98\d{6})(?!\d)|(?<!\d)(293\d{6})(?!\d)")
_TIMES: Final = re.compile(rb'(?<=")20\d\d-\d\d-\d\d[T ]\d\d:[^"]*(?=")')
_LINE_STRIDE: Final = 10_000  # more line items than the templates have


@dataclass(frozen=True)
class Change:
    """A return of a data set: its number from 0, and when it was created and updated, in seconds since 1970."""

    number: int
    created: int
    updated: int


@dataclass(frozen=True)
class _Text:
    """A JSON text, cut where ids and times go: parts are text, or (kind, old number)."""

    parts: tuple[bytes | tuple[str, int], ...]

    def fill(self, change: Change, *, form: str) -> bytes:
        """The text of a copy."""
        copy = change.number // TEMPLATES
        values = {"return": copy * TEMPLATES, "line": copy * _LINE_STRIDE}
        times = {"created": _time(change.created, form), "updated": _time(change.updated, form)}
        return b"".join(
            part if isinstance(part, bytes) else times[part[0]] if part[0] in times else b"%d" % (part[1] + values[part[0]])
            for part in self.parts
        )


@dataclass(frozen=True)
class _Template:
    """A return, and its shipping notices joined by commas: one for each of its `items`, which may be none."""

    body: _Text
    notices: _Text
    state: str
    items: int


class _Part:
    """The files of one state, or of the notices."""

    def __init__(self, folder: Path, name: str, stack: ExitStack) -> None:
        self.file = stack.enter_context((folder / f"{name}.json").open("wb"))
        self.offsets, self.times = array("q", [0]), array("q")
        for kind, numbers in (("offsets", self.offsets), ("times", self.times)):
            stack.callback(lambda path=folder / f"{name}.{kind}", numbers=numbers: path.write_bytes(numbers.tobytes()))

    def add(self, text: bytes, second: int) -> None:
        self.file.write(text + b",")
        self.offsets.append(self.offsets[-1] + len(text) + 1)
        self.times.append(second)


def full(returns: int) -> Iterator[Change]:
    """A whole shop of that many returns, evenly spread over a year."""
    start, span = int((END - SPAN).timestamp()), int(SPAN.total_seconds())
    for number in range(returns):
        updated = start + number * span // max(returns, 1)
        yield Change(number, updated - CREATED_BEFORE, updated)


def changed(returns: int, *, count: int) -> list[Change]:
    """What a sync a day later finds: `count` of the returns, picked from all over the shop, each updated since.

    They were created when they were, so the server knows them by `updated_at` only.
    """
    picked = random.Random(returns).sample(range(returns), count)  # repeatable data, no secret
    places = {number: place for place, number in enumerate(picked)}
    start = int(END.timestamp()) + 3600
    found = [replace(each, updated=start + places[each.number] * (20 * 3600) // count) for each in _only(returns, places)]
    return sorted(found, key=lambda each: each.updated)


def _only(returns: int, numbers: Container[int]) -> Iterator[Change]:
    return (each for each in full(returns) if each.number in numbers)


def write(folder: Path, returns: int, *, news: int | None = None, undeclared: bool = False) -> None:
    """Writes the data set of a shop of that many returns; with `news` what is listed a day after it was read.

    The notices are always those of the whole shop, with the new times of returns that changed. With `undeclared` every
    return has a field that nobody has declared.
    """
    folder.mkdir(parents=True)
    templates = _templates(undeclared=undeclared)
    found = [] if news is None else changed(returns, count=news)
    updates = {each.number: each for each in found}
    with ExitStack() as stack:
        parts = {name: _Part(folder, name, stack) for name in (*STATES, NOTICES)}
        for each in full(returns) if news is None else found:
            template = templates[each.number % TEMPLATES]
            parts[template.state].add(template.body.fill(each, form="%s.000Z"), each.updated)
        items = 0
        for each in full(returns):
            template = templates[each.number % TEMPLATES]
            if template.items:
                text = template.notices.fill(updates.get(each.number, each), form="%sZ")
                parts[NOTICES].add(text, each.created)
                items += template.items
    now = END if news is None else END + timedelta(days=1)
    (folder / "meta.json").write_text(json.dumps({"now": now.isoformat(), "line_items": items}))


@cache
def _templates(*, undeclared: bool) -> list[_Template]:
    more = {"loyalty": {"tier": "gold", "points": 120}} if undeclared else {}
    shop = Shop.generate(seed=1, returns=TEMPLATES, now=END)
    rows: dict[str, list[bytes | tuple[str, int]]] = {}
    for row in shop.asn_snapshot():
        parts = rows.setdefault(str(row["id"]), [])
        parts += [*([b","] if parts else []), *_cut(msgspec.json.encode(row))]
    return [
        _Template(
            _Text(tuple(_cut(msgspec.json.encode(body | more)))),
            _Text(tuple(rows.get(body["id"], ()))),
            body["state"],
            len(body["line_items"]),
        )
        for body in sorted(shop.returns_snapshot(), key=lambda body: int(body["id"]))
    ]


def _cut(text: bytes) -> Iterator[bytes | tuple[str, int]]:
    """Cuts out every id and every time: the first `created_at` is the return's, all others are when it was updated."""
    spots = [(m.span(), ("return" if m[1] else "line", int(m.group()))) for m in _IDS.finditer(text)]
    created = re.search(rb'(?<="created_at":")[^"]+', text)
    assert created is not None
    spots.append((created.span(), ("created", 0)))
    spots += [(m.span(), ("updated", 0)) for m in _TIMES.finditer(text) if m.start() != created.start()]
    end = 0
    for (start, stop), what in sorted(spots):
        yield text[end:start]
        yield what
        end = stop
    yield text[end:]


def _time(second: int, form: str) -> bytes:
    return (form % datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")).encode()
