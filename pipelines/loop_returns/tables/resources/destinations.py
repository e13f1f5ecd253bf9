"""Where returns go: warehouses and charities of the shop.

Fields: docs.loopreturns.com/openapi/destinations-api.yaml.
"""

import re
from http import HTTPStatus
from typing import Final

from loop_returns.api.response import RawResponse
from loop_returns.errors import UnreadableError
from loop_returns.tables.resource import Resource, rows_of
from loop_returns.tables.schema import OF_ROW, SHOP, Row, Table, flag, key, text

_TABLE: Final = Table(
    name="destinations",
    description="One row per place that returns are sent to.",
    key=("shop", "id"),
    columns=(
        SHOP,
        key("id", "Loop's id of the destination; joins `returns.destination_id` and the shipping notices."),
        text("type", "warehouse or donate."),
        text("name", "What the merchant calls it."),
        flag("enabled", "Whether returns are sent there."),
        text("provider_location_id", "The Shopify location."),
        text("address_name", "Who receives it.", path="address.name"),
        text("address_company", "The company there.", path="address.company"),
        text("address_address1", "Its address, first line.", path="address.address1"),
        text("address_address2", "Its address, second line.", path="address.address2"),
        text("address_city", "Its city.", path="address.city"),
        text("address_state", "Its state or region.", path="address.state"),
        text("address_zip", "Its postal code.", path="address.zip"),
        text("address_country", "Its country, in words.", path="address.country"),
        text("address_country_code", "Its country, ISO 3166-1.", path="address.country_code"),
        *OF_ROW,
    ),
)


_NO_ADDRESS: Final = re.compile(rb"destination.*address", re.IGNORECASE)


def _rows(response: RawResponse) -> list[Row]:
    """The destinations; where one of them has no address Loop fails for good, as documented in the specification."""
    if response.status == HTTPStatus.INTERNAL_SERVER_ERROR and _NO_ADDRESS.search(response.body):
        raise UnreadableError(
            "Loop cannot list the shop's destinations, because one of them has no address; that does not pass by itself. "
            "Give every destination an address in Loop Admin; the next run reads them."
        )
    return rows_of(response)


DESTINATIONS: Final = Resource(
    name="destinations", path="/destinations", scope="Destinations (Read)", tables=(_TABLE,), alone=True, rows=_rows
)
