"""Happy Returns shipments: the boxes in which units that shoppers left at a return bar go on to the merchant. All invented.

Fields: docs.loopreturns.com/api-reference/latest/{happy-returns-shipment, happy-returns-shipment-items}. Items have no id
of their own, so two units of one variant in one return look exactly alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from loop_returns.sandbox.times import DAY, iso, second_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    _Part = tuple[dict[str, Any], list[dict[str, Any]]]  # a return and units of it

_FIRST: Final = 810_000
_SPLIT: Final = 0.2  # of the returns with several units send the last one in the next shipment


@dataclass
class Shipment:
    """A shipment and its items; times are seconds."""

    number: int  # Loop's id
    created_at: int
    updated_at: int
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Happy Returns' id."""
        return f"HRS-{self.number * 7919:08X}"

    def row(self) -> dict[str, Any]:
        """The shipment as the API shows it."""
        return {
            "loop_shipment_id": self.number,
            "happy_returns_shipment_id": self.code,
            "line_item_count": len(self.items),
            "return_count": len({item["return_id"] for item in self.items}),
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }

    def add(self, body: dict[str, Any], lines: Iterable[dict[str, Any]], *, at: int) -> None:
        """Scan units of a return into a box of the shipment."""
        self.items += [self._item(body, line) for line in lines]
        self.updated_at = at

    def _item(self, body: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
        title, _, variant = str(line["title"]).partition(" - ")
        number, method = int(body["id"]), body["return_method"] if isinstance(body["return_method"], dict) else {}
        tracked = self.number % 4 != 0  # some carriers tell no number
        return {
            "carrier": "FedEx" if tracked else "Example Freight",
            "happy_returns_return_bag_barcodes": [f"BAG{number + index}" for index in range(number % 3)],
            "happy_returns_rma_id": method.get("rma_id"),
            "happy_returns_shipment_id": self.code,
            "item_title": title,
            "order_name": body["order_name"],
            "po_number": f"PO-{self.number}" if number % 2 else None,
            "return_id": number,
            "shipment_id": self.number,
            "shipping_box_barcode": f"SB-{number}",
            "sku": line["sku"],
            "tracking_number": f"7712{self.number}" if tracked else None,
            "variant_title": variant or None,
        }


def next_number(shipments: list[Shipment]) -> int:
    """Loop's id of the next shipment."""
    return max((each.number for each in shipments), default=_FIRST - 1) + 1


def left_at_a_bar(body: dict[str, Any]) -> bool:
    """Whether Happy Returns has the units of a return."""
    method = body.get("return_method")
    return isinstance(method, dict) and method.get("state") in ("in_transit", "out_for_delivery", "delivered")


def past_shipments(more: random.Random, bodies: Iterable[dict[str, Any]], *, end: int) -> list[Shipment]:
    """Shipments of the returns left at a bar so far, one at least if there are any; what came last waits for the next."""
    shipments: list[Shipment] = []
    waiting: list[_Part] = []
    size = more.randint(2, 5)
    for body in bodies:
        if not left_at_a_bar(body) or not body["line_items"]:
            continue
        waiting.append((body, body["line_items"]))
        at = (second_of(body["created_at"]) or end) + more.randint(DAY, 3 * DAY)
        if len(waiting) >= size and at + DAY <= end:
            shipment, waiting = _shipped(more, waiting, Shipment(next_number(shipments), at, at))
            shipments.append(shipment)
            size = more.randint(2, 5)
    if waiting and not shipments:
        shipments.append(_shipped(more, waiting, Shipment(_FIRST, end - DAY, end - DAY))[0])
    return shipments


def _shipped(more: random.Random, waiting: list[_Part], shipment: Shipment) -> tuple[Shipment, list[_Part]]:
    """The shipment with what waited, and what is left for the next one."""
    at, left = shipment.created_at + more.randint(600, DAY), []
    for body, lines in waiting:
        split = len(lines) > 1 and more.random() < _SPLIT
        shipment.add(body, lines[:-1] if split else lines, at=at)
        left += [(body, lines[-1:])] if split else []
    return shipment, left
