"""Laravel's numbered pages: allowlist, blocklist and Happy Returns have them.

Source: docs.loopreturns.com/api-reference/latest/{allowlist, blocklist, happy-returns-shipment}/…; the envelope is Laravel's
own. Its links carry the number of the page and no other parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loop_returns.sandbox.responses import json_response, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.responses import SandboxResponse


@dataclass(frozen=True)
class NumberedPage:
    """One page of `rows`; `number` counts from 1, `path` is what its links begin with."""

    rows: list[dict[str, Any]]
    number: int
    per_page: int
    path: str

    @classmethod
    def asked_for(cls, rows: list[dict[str, Any]], params: Mapping[str, str], *, per_page: int, path: str) -> NumberedPage:
        """The page that `page` names; the first one when it names none."""
        text = params.get("page", "")
        return cls(rows, max(1, int(text)) if text.isdigit() else 1, per_page, path)

    @property
    def last(self) -> int:
        """The number of the last page; an empty list has one page."""
        return max(1, -(-len(self.rows) // self.per_page))

    def response(self, vary: Callable[[bytes], bytes]) -> SandboxResponse:
        """The page in its envelope; one behind the last has no rows and is no error."""
        start = (self.number - 1) * self.per_page
        part = self.rows[start : start + self.per_page]
        return json_response(
            {
                "data": varied(part, vary),
                "links": self._links(),
                "next_page_url": self._link(self.number + 1),
                "current_page": self.number,
                "from": start + 1 if part else None,
                "first_page_url": self._link(1),
                "last_page": self.last,
                "last_page_url": self._link(self.last),
                "path": self.path,
                "per_page": self.per_page,
                "prev_page_url": None if self.number == 1 else f"{self.path}?page={self.number - 1}",
                "to": start + len(part) if part else None,
                "total": len(self.rows),
            }
        )

    def _link(self, number: int) -> str | None:
        return f"{self.path}?page={number}" if 1 <= number <= self.last else None

    def _links(self) -> list[dict[str, Any]]:
        numbers = range(1, self.last + 1)
        before, behind = self._link(self.number - 1), self._link(self.number + 1)
        return [
            {"url": before, "label": "&laquo; Previous", "active": False},
            *({"url": self._link(each), "label": each, "active": each == self.number} for each in numbers),
            {"url": behind, "label": "Next &raquo;", "active": False},
        ]


def without_a_row(endpoint: str, path: str) -> SandboxResponse:
    """What an endpoint answers when it has nothing to tell, or hides what it has."""
    if endpoint in ("/allowlists", "/blocklists", "/happy-returns/shipments"):
        return NumberedPage([], 1, 15, path).response(bytes)
    name = {"/destinations": "destinations", "/webhooks": "webhooks", "/label-requests": "data"}.get(endpoint)
    return json_response({name: []} if name else [])
