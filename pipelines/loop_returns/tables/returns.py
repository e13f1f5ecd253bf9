"""The table `returns`: one row per return, in every state.

Fields and meanings: docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list; fields marked "observed"
are not documented there but seen in other clients' live data.
"""

from typing import Final

from loop_returns.tables.schema import (
    DELETED_AT,
    LOAD_ID,
    PREVIOUS,
    ROW_HASH,
    SHOP,
    UNPARSED,
    Pii,
    Table,
    flag,
    json,
    key,
    money,
    text,
    when,
)

_WHO: Final = (
    text("order_id", "Loop's own id of the order (not Shopify's).", Pii.PSEUDONYM),
    text("order_name", "The order's name on the commerce platform, usually with `#`.", Pii.PSEUDONYM),
    text("order_number", "Loop's number of the order.", Pii.PSEUDONYM),
    text("provider_order_id", "The Shopify order id: the key to join Shopify orders.", Pii.PSEUDONYM),
    text("provider_order_number", "The Shopify order number.", Pii.PSEUDONYM),
    text("customer", "The shopper's e-mail address.", Pii.PERSONAL),
    text("origin_country", "Country of the shopper's shipping address, in words."),
    text("origin_country_code", "The same country as ISO 3166-1 alpha-2."),
)

_MONEY: Final = (
    flag("multi_currency", "True when the order was placed in another currency than the shop's."),
    text("currency", "ISO 4217 code of the shop's currency; every amount of the row is in it."),
    money("total", "Total cost of the return."),
    money("return_product_total", "Gross price of the returned items, before discounts and tax."),
    money("return_discount_total", "Discounts that had been given on the returned items."),
    money("return_tax_total", "Tax on the returned items."),
    money("return_total", "Net value of the returned items, after discounts, with tax."),
    money("refund_shipping_total", "Shipping cost that was refunded."),
    money("refund_shipping_tax_total", "Tax on the refunded shipping."),
    money("return_credit_total", "Value given as credit (product, honoured discount and tax)."),
    money("exchange_product_total", "Gross price of the exchange items."),
    money("exchange_discount_total", "Discounts on the exchange items."),
    money("exchange_tax_total", "Tax on the exchange items."),
    money("exchange_total", "Net value of the exchange items."),
    money("exchange_credit_total", "Credit spent on the exchange items."),
    money("gift_card", "Store credit issued."),
    text("gift_card_order_name", "Name of the order that issued the store credit.", Pii.PSEUDONYM),
    text("gift_card_order_id", "Id of the order that issued the store credit.", Pii.PSEUDONYM),
    json("gift_card_presentment", "Store credit in the currency the shopper saw; inner keys are not documented."),
    json("presentment", "Totals in the currency the shopper saw; inner keys are not documented."),
    money("handling_fee", "Fee the merchant kept."),
    money("refund", "Amount refunded to the shopper's payment method."),
    money("upsell", "Extra amount the shopper paid for a dearer exchange."),
)

_SHIPPING: Final = (
    text("carrier", "Carrier of the latest label; empty when there is none yet."),
    text("tracking_number", "Tracking number of the latest label; `N/A` when there is none yet.", Pii.PERSONAL),
    text("label_status", "State of the latest label: new, pre_transit, in_transit, out_for_delivery, delivered, error, …"),
    text("label_url", "The latest label as a document; it shows the shopper's name and address.", Pii.PERSONAL),
    money("label_rate", "Price of the latest label; the API does not say in which unit."),
    when("label_updated_at", "Last time the carrier reported something."),
    text("status_page_url", "The shopper's personal status page.", Pii.PERSONAL),
    text("destination_id", "Where the items go; joins Loop's destinations."),
    text("return_method", "The way of return where the API gives one word instead of an object."),
    text("return_method_provider", "Who runs the way of return, such as `happy_returns`.", path="return_method.provider"),
    text("return_method_method_type", "The kind of drop-off, such as `return_bar`.", path="return_method.method_type"),
    json(
        "return_method_address",
        "Where the shopper drops it off: name, address, phone, coordinates.",
        Pii.PERSONAL,
        path="return_method.address",
    ),
    text(
        "return_method_state",
        "State of the drop-off: new, pre_transit, …, delivered, needs_scheduled, canceled.",
        path="return_method.state",
    ),
    text("return_method_rma_id", "The drop-off partner's own number.", Pii.PERSONAL, path="return_method.rma_id"),
    text(
        "return_method_qr_code_url",
        "The code the shopper shows at drop-off.",
        Pii.PERSONAL,
        path="return_method.qr_code_url",
    ),
    when("return_method_scheduled_at", "When a pick-up is due.", path="return_method.scheduled_at"),
    text("return_method_scannable_id", "What the drop-off scans.", Pii.PERSONAL, path="return_method.scannable_id"),
    text("package_reference", "Reference printed on the package.", Pii.PSEUDONYM),
)

_PROCESSING: Final = (
    flag("refund_before_inspection", "True when the refund went out before inspection; it does not mean that the shopper"
         " keeps the item (observed)."),
    flag("was_processed", "True once Loop has processed the return; lags `state = closed` by hours (observed)."),
    *(
        when(f"outcomes_processed_at_{key}", f"When Loop {meaning} (observed).", path=f"outcomes_processed_at.{key}")
        for key, meaning in (
            ("return_processed", "finished processing the return"),
            ("refund_processed", "issued the refund"),
            ("gift_card_processed", "issued the store credit"),
            ("exchange_processed", "placed the exchange order"),
            ("shop_cash_processed", "issued the Shop Cash"),
        )
    ),
)  # fmt: skip

_OWN: Final = (
    DELETED_AT,
    *PREVIOUS,
    ROW_HASH,
    UNPARSED,
    LOAD_ID,
)

RETURNS: Final = Table(
    name="returns",
    description="One row per return (RMA), in every state, as Loop shows it now.",
    key=("shop", "id"),
    columns=(
        SHOP,
        key("id", "Loop's id of the return, which is the RMA number."),
        text("state", "open, closed, cancelled, expired or review; other words are kept as they come."),
        text("type", "standard or warranty."),
        text("outcome", "What the shopper gets: exchange, upsell, refund, credit, exchange+refund, exchange+credit, …"),
        when("created_at", "When the shopper submitted the return."),
        when("updated_at", "When Loop last changed the return; newer copies replace older ones."),
        when("edited_at", "When the merchant last edited the return; null if never."),
        *_WHO,
        *_MONEY,
        *_SHIPPING,
        *_PROCESSING,
        *_OWN,
    ),
)
