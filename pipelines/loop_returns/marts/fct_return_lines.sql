-- One row per returned unit, with its product, reason, money, inspection and what became of it.
-- grain: one row per returned unit
-- key: shop, return_id, line_item_id
-- answers: Which units came back for which reason, and what did the shopper get for them?
-- answers: What was the condition on inspection, and was the unit restocked, recycled or donated?
-- answers: Which Shopify order lines were returned, and how many days after the order?
with ranked as (
    select
        n.*,
        row_number() over (
            partition by n.shop, n.return_line_item_id order by coalesce(n.updated_at, n.created_at) desc, n.id desc
        ) as calc_newest
    from advanced_shipping_notices as n
    where n._deleted_at is null
)
select
    l.shop, -- The shop, as configured.
    l.return_id, -- The return.
    l.line_item_id, -- Loop's id of the unit.
    f.state, -- State of the return.
    f.is_void, -- True when the return is cancelled or expired.
    f.submitted_at, -- When the return was submitted.
    f.submitted_date, -- That day, UTC.
    f.ordered_at, -- When the order was placed; null when no shipping notice was read.
    f.ordered_date, -- That day, UTC.
    f.days_from_order, -- Days from order to return.
    f.provider_order_id, -- The Shopify order.
    f.customer, -- The shopper, as in fct_returns.
    f.country_code, -- Country of the shopper.
    l.provider_line_item_id, -- The Shopify order line.
    l.product_id, -- The Shopify product.
    l.variant_id, -- The Shopify variant.
    nullif(l.sku, '') as sku, -- Stock keeping unit.
    nullif(l.barcode, '') as barcode, -- Barcode of the variant.
    l.title, -- Product and variant in words.
    nullif(nullif(l.parent_return_reason, ''), 'N/A') as parent_reason, -- The reason one level up.
    nullif(nullif(l.return_reason, ''), 'N/A') as reason, -- The reason the shopper chose.
    nullif(nullif(l.return_comment, ''), 'N/A') as comment_text, -- What the shopper wrote.
    l.outcome, -- What happens with the unit: default, exchange, keep, …
    nullif(l.exchange_variant, '') as exchange_variant_id, -- The variant it was swapped into.
    f.currency, -- Currency of every amount of the row.
    l.price, -- Price before discount and tax.
    l.discount, -- Discount.
    l.tax, -- Tax.
    coalesce(l.price, 0) - coalesce(l.discount, 0) + coalesce(l.tax, 0) as returned_value, -- What the unit is worth: price, less discount, with tax.
    l.refund as refunded, -- Refunded for the unit, tax included.
    l.refund_item as refunded_item, -- Refunded without tax.
    l.refund_tax as refunded_tax, -- Tax refunded.
    l.condition_condition_category as condition_grade, -- Grade on inspection.
    l.condition_inspected_at as inspected_at, -- When it was inspected.
    l.disposition_disposition_outcome as disposition, -- What became of it.
    n.restock_status, -- Whether it is back in stock, by the shipping notice.
    n.date_delivered as delivered_at, -- When the carrier delivered it, by the shipping notice.
    coalesce(n.destination_id, f.destination_id) as destination_id, -- Where it goes.
    n.destination_name -- Name of that place.
from return_line_items as l
join fct_returns as f on f.shop = l.shop and f.return_id = l.return_id
left join ranked as n on n.shop = l.shop and n.return_line_item_id = l.line_item_id and n.calc_newest = 1
