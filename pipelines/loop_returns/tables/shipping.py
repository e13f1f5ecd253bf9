"""The table `advanced_shipping_notices`: one row per returned unit in Loop's ASN report.

Fields: docs.loopreturns.com/api-reference/latest/return-data/advanced-shipping-notice. Row identity is not documented;
(`id`, `return_line_item_id`) is what other clients use and what loses nothing.
"""

from typing import Final

from loop_returns.tables.schema import DELETED_AT, LOAD_ID, ROW_HASH, SHOP, UNPARSED, Pii, Table, key, money, text, when

ASN: Final = Table(
    name="advanced_shipping_notices",
    description="One row per returned unit in the advanced shipping notice report: what is on its way, and where to.",
    key=("shop", "id", "return_line_item_id"),
    columns=(
        SHOP,
        key("id", "Id in the report; several units may share it."),
        key("return_line_item_id", "The returned unit; joins `return_line_items.line_item_id`."),
        text("order_id", "Loop's own id of the order.", Pii.PSEUDONYM),
        text("order_name", "The order's name on the commerce platform.", Pii.PSEUDONYM),
        text("order_number", "Loop's number of the order.", Pii.PSEUDONYM),
        text("provider_order_number", "The Shopify order number.", Pii.PSEUDONYM),
        text("state", "State of the return: open, closed, expired, cancelled or review."),
        text("customer_email", "The shopper's e-mail address.", Pii.PERSONAL),
        text("title", "Product and variant in words."),
        money("purchase_price", "What the unit was bought for."),
        text("sku", "Stock keeping unit."),
        text("barcode", "Barcode of the variant."),
        text("carrier", "The carrier."),
        text("service", "The carrier's service level."),
        text("label_status", "State of the label: new, pre_transit, in_transit, out_for_delivery, delivered, error, …"),
        text("tracking_number", "The tracking number; `N/A` when there is none yet.", Pii.PERSONAL),
        text("integration_tracking_url", "Tracking page.", Pii.PERSONAL),
        text("restock_status", "Whether the unit is back in stock."),
        text("currency", "ISO 4217 code of the amounts."),
        when("label_updated_at", "Last time the carrier reported something."),
        text("label_url", "The label as a document; it shows the shopper's name and address.", Pii.PERSONAL),
        money("label_rate", "Price of the label; the API does not say in which unit."),
        when("closed_at", "When the return was closed; only this report has it. Null while open."),
        when("updated_at", "When Loop last changed the row."),
        when("created_at", "When the return was submitted."),
        text("return_reason", "The reason the shopper chose."),
        text("actioned_by", "Who or what moved the return on.", Pii.STAFF),
        text("return_method", "The way of return, in one word."),
        text("return_method_rma_code", "The drop-off partner's own number.", Pii.PERSONAL),
        text("return_method_state", "State of the drop-off."),
        when("date_delivered", "When the carrier delivered it."),
        text("outcome", "What the shopper gets."),
        text("scannable_id", "What the drop-off scans.", Pii.PERSONAL),
        text("package_reference", "Reference printed on the package.", Pii.PSEUDONYM),
        text("shipping_box_barcode", "Barcode of the consolidated box."),
        when("provider_created_at", "When the original order was placed: the only order date Loop gives."),
        text("destination_id", "Where the unit goes."),
        text("destination_name", "Name of that place."),
        text("destination_address1", "Its address, first line."),
        text("destination_address2", "Its address, second line."),
        text("destination_city", "Its city."),
        text("destination_state", "Its state or region."),
        text("destination_zip", "Its postal code."),
        text("consolidation_tracking", "Tracking of the consolidated shipment."),
        DELETED_AT,
        ROW_HASH,
        UNPARSED,
        LOAD_ID,
    ),
)
