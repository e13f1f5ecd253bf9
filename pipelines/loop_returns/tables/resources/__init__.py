"""What else Loop lets a key read: one module for each endpoint, listed here in the order in which they are read."""

from typing import Final

from loop_returns.tables.resource import Resource
from loop_returns.tables.resources.destinations import DESTINATIONS
from loop_returns.tables.resources.happy_returns import SHIPMENT_ITEMS, SHIPMENTS
from loop_returns.tables.resources.label_requests import LABEL_REQUESTS
from loop_returns.tables.resources.lists import ALLOWLIST, BLOCKLIST
from loop_returns.tables.resources.return_details import RETURN_DETAILS
from loop_returns.tables.resources.return_notes import RETURN_NOTES
from loop_returns.tables.resources.webhooks import WEBHOOKS

RESOURCES: Final[tuple[Resource, ...]] = (
    DESTINATIONS,
    ALLOWLIST,
    BLOCKLIST,
    LABEL_REQUESTS,
    SHIPMENTS,
    WEBHOOKS,
    SHIPMENT_ITEMS,
    RETURN_NOTES,
    RETURN_DETAILS,
)
BY_NAME: Final = {resource.name: resource for resource in RESOURCES}
