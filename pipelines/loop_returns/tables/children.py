"""The children of a return: line items, exchange items, labels and refunds, one table each.

Fields: docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list, and shapes observed by other clients.
The children of a return are replaced as a set whenever the return is loaded.
"""

from typing import Final

from loop_returns.tables.schema import OF_SET, RETURN_ID, SHOP, Pii, Table, Type, flag, json, key, money, own, text, when

_SET: Final = ("shop", "return_id")


LINE_ITEMS: Final = Table(
    name="return_line_items",
    description="One row per returned unit; a line with quantity two is two rows.",
    key=("shop", "return_id", "line_item_id"),
    replace_by=_SET,
    columns=(
        SHOP,
        RETURN_ID,
        key("line_item_id", "Loop's id of the returned unit; joins the shipping notices."),
        text("provider_line_item_id", "The Shopify order line: the key to join Shopify order lines.", Pii.PSEUDONYM),
        text("product_id", "The Shopify product."),
        text("variant_id", "The Shopify variant."),
        text("sku", "Stock keeping unit."),
        text("barcode", "Barcode of the variant."),
        text("title", "Product and variant in words."),
        money("price", "Price of the unit before discount and tax."),
        money("discount", "Discount on the unit."),
        money("tax", "Tax on the unit."),
        money("refund", "Refunded for the unit, item and tax."),
        money("refund_item", "Refunded for the unit without tax."),
        money("refund_tax", "Tax refunded for the unit."),
        when("returned_at", "When the unit was put on the return."),
        text("exchange_variant", "The variant the unit was swapped into; empty if none."),
        text("return_reason", "The reason the shopper chose."),
        text("parent_return_reason", "The reason one level up."),
        text("return_comment", "What the shopper wrote.", Pii.FREE_TEXT),
        text("outcome", "What happens with the unit: default, exchange, keep, …"),
        text("provider_restock_location_id", "The Shopify location where it is restocked."),
        text("consolidation_tracking", "Tracking of the consolidated shipment."),
        text("consolidation_destination_id", "Where the consolidated shipment goes."),
        text("condition_description", "Condition on inspection, in words.", path="condition.description"),
        text("condition_condition_category", "Grade on inspection; a word or, from 2026-10, perhaps an object as JSON text.",
             path="condition.condition_category"),
        text("condition_return_processor", "Who inspected it.", Pii.STAFF, path="condition.return_processor"),
        text("condition_note", "Note of the inspection.", Pii.FREE_TEXT, path="condition.note"),
        when("condition_inspected_at", "When it was inspected.", path="condition.inspected_at"),
        json("condition_images", "Pictures taken on inspection.", Pii.FREE_TEXT, path="condition.images"),
        text("disposition_disposition_outcome", "What became of it: back_to_stock, recycle, donate, …",
             path="disposition.disposition_outcome"),
        text("disposition_return_processor", "Who decided that.", Pii.STAFF, path="disposition.return_processor"),
        text("disposition_note", "Note of that decision.", Pii.FREE_TEXT, path="disposition.note"),
        when("disposition_inspected_at", "When that was decided.", path="disposition.inspected_at"),
        *OF_SET,
    ),
)  # fmt: skip

EXCHANGES: Final = Table(
    name="return_exchanges",
    description="One row per item the shopper gets in exchange.",
    key=("shop", "return_id", "exchange_id"),
    replace_by=_SET,
    columns=(
        SHOP,
        RETURN_ID,
        key("exchange_id", "Loop's id of the exchange item."),
        text("exchange_order_id", "The Shopify order of the exchange; null until it is placed.", Pii.PSEUDONYM),
        text("exchange_order_name", "That order's name.", Pii.PSEUDONYM),
        text("product_id", "The Shopify product."),
        text("variant_id", "The Shopify variant."),
        text("sku", "Stock keeping unit."),
        text("type", "The kind of exchange."),
        text("title", "Product and variant in words."),
        money("price", "Price of the item."),
        money("discount", "Discount on the item."),
        money("tax", "Tax on the item."),
        money("total", "What the item costs in all."),
        flag("out_of_stock", "True when the item could not be had."),
        text("out_of_stock_resolution", "What was done about that."),
        text("consolidation_tracking", "Tracking of the consolidated shipment."),
        *OF_SET,
    ),
)

LABELS: Final = Table(
    name="return_labels",
    description="One row per shipping label of a return. Labels have no id in the API: their position is their key.",
    key=("shop", "return_id", "label_index"),
    replace_by=_SET,
    columns=(
        SHOP,
        RETURN_ID,
        own("label_index", Type.INTEGER, "Position of the label in the return, from 0.", nullable=False),
        text("status", "new, pre_transit, in_transit, out_for_delivery, delivered, error, failure, no_label, pending."),
        when("updated_at", "Last time the carrier reported something."),
        text("url", "The label as a document; it shows the shopper's name and address.", Pii.PERSONAL),
        money("rate", "Price of the label; the API does not say in which unit."),
        text("carrier", "The carrier."),
        text("tracking_number", "The tracking number.", Pii.PERSONAL),
        json("line_items", "Ids of the units the label is for; join `return_line_items.line_item_id`."),
        *OF_SET,
    ),
)

REFUNDS: Final = Table(
    name="return_refunds",
    description="One row per Shopify refund made for a return.",
    key=("shop", "return_id", "refund_id"),
    replace_by=_SET,
    columns=(
        SHOP,
        RETURN_ID,
        key("refund_id", "Loop's id of the refund.", path="id"),
        text("provider_refund_id", "The Shopify refund.", Pii.PSEUDONYM),
        when("provider_created_at", "When Shopify made the refund."),
        when("created_at", "When Loop recorded it."),
        when("updated_at", "When Loop last changed that record."),
        *OF_SET,
    ),
)
