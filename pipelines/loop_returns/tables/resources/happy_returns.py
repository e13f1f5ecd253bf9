"""What Happy Returns sends on to the merchant: shipments, and the returned items in each.

Fields: docs.loopreturns.com/api-reference/latest/{happy-returns-shipment, happy-returns-shipment-items}.
"""

from typing import Final

from loop_returns.tables.resource import Paging, Reads, Resource
from loop_returns.tables.schema import OF_ROW, OF_SET, SHOP, Pii, Table, Type, json, key, number, own, text, when

_SCOPE: Final = "Happy Returns Shipments (Read)"

_SHIPMENTS: Final = Table(
    name="happy_returns_shipments",
    description="One row per shipment from Happy Returns to the merchant.",
    key=("shop", "loop_shipment_id"),
    columns=(
        SHOP,
        key("loop_shipment_id", "Loop's id of the shipment."),
        text("happy_returns_shipment_id", "Happy Returns' own id of it."),
        number("line_item_count", "Items in it."),
        number("return_count", "Returns that they belong to."),
        when("created_at", "When Loop was told of it."),
        when("updated_at", "When Loop last changed it."),
        *OF_ROW,
    ),
)

_ITEMS: Final = Table(
    name="happy_returns_shipment_items",
    description="One row per item in a shipment from Happy Returns.",
    key=("shop", "loop_shipment_id", "item_index"),
    replace_by=("shop", "loop_shipment_id"),
    columns=(
        SHOP,
        own("loop_shipment_id", Type.TEXT, "The shipment; joins `happy_returns_shipments`.", nullable=False),
        own("item_index", Type.INTEGER, "Position of the item in the shipment, from 0.", nullable=False),
        text("return_id", "The return; joins `returns.id`."),
        text("happy_returns_shipment_id", "Happy Returns' own id of the shipment."),
        text("shipment_id", "The shipment, as the item names it."),
        text("happy_returns_rma_id", "What the shopper showed at the drop-off.", Pii.PERSONAL),
        json("happy_returns_return_bag_barcodes", "Barcodes of the bags it came in."),
        text("shipping_box_barcode", "Barcode of the box."),
        text("carrier", "The carrier."),
        text("tracking_number", "The tracking number of the shipment, not of a shopper's parcel."),
        text("order_name", "The order's name on the commerce platform.", Pii.PSEUDONYM),
        text("po_number", "The number of the purchase order."),
        text("sku", "Stock keeping unit."),
        text("item_title", "What the product is called."),
        text("variant_title", "Size, colour and the like, in words."),
        *OF_SET,
    ),
)

SHIPMENTS: Final = Resource(
    name="happy_returns_shipments",
    path="/happy-returns/shipments",
    scope=_SCOPE,
    tables=(_SHIPMENTS,),
    paging=Paging.PAGES,
    reads=Reads.RANGE,
    cursor="updated_at",
)

SHIPMENT_ITEMS: Final = Resource(
    name="happy_returns_shipment_items",
    path="/happy-returns/shipments/{id}/items",
    scope=_SCOPE,
    tables=(_ITEMS,),
    paging=Paging.PAGES,
    reads=Reads.EACH,
    parent=_SHIPMENTS,
)
