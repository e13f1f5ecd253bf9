-- One row per returned unit, with its product, reason, money, inspection and what became of it.
-- grain: one row per returned unit
-- key: shop, return_id, line_item_id
-- answers: Which units came back for which reason, and what did the shopper get for them?
-- answers: What was the condition on inspection, and was the unit restocked, recycled or donated?
-- answers: Which Shopify order lines were returned, and how many days after the order?
with lines as (
    select
        i.*,
        case when lower(trim(i.parent_return_reason)) not in ('', 'n/a') then i.parent_return_reason end as calc_parent_reason,
        case when lower(trim(i.return_reason)) not in ('', 'n/a') then i.return_reason end as calc_reason
    from return_line_items as i
)
select
    l.shop, -- The shop, as configured.
    l.shop || ':' || l.return_id || ':' || l.line_item_id as line_key, -- Shop, return and unit in one column.
    f.return_key, -- Shop and return in one column; joins fct_returns.
    l.return_id, -- The return.
    l.line_item_id, -- Loop's id of the unit.
    f.state, -- State of the return.
    f.is_void, -- True when the return is cancelled or expired.
    f.return_type, -- standard or warranty.
    f.submitted_at, -- When the return was submitted.
    f.submitted_date, -- That day in the shop's time zone.
    f.ordered_at, -- When the order was placed; null when no shipping notice was read.
    f.ordered_date, -- That day in the shop's time zone.
    f.days_from_order, -- Days from order to return.
    f.provider_order_id, -- The Shopify order.
    f.customer, -- The shopper, as in fct_returns.
    f.country_code, -- Country of the shopper.
    case when lower(trim(l.provider_line_item_id)) not in ('', 'n/a') then l.provider_line_item_id end as provider_line_item_id, -- The Shopify order line.
    case when lower(trim(l.product_id)) not in ('', 'n/a') then l.product_id end as product_id, -- The Shopify product.
    case when lower(trim(l.variant_id)) not in ('', 'n/a') then l.variant_id end as variant_id, -- The Shopify variant.
    case when lower(trim(l.sku)) not in ('', 'n/a') then l.sku end as sku, -- Stock keeping unit.
    case when lower(trim(l.barcode)) not in ('', 'n/a') then l.barcode end as barcode, -- Barcode of the variant.
    case when lower(trim(l.title)) not in ('', 'n/a') then l.title end as title, -- Product and variant in words.
    l.calc_parent_reason as parent_reason, -- The reason one level up.
    l.calc_reason as reason, -- The reason the shopper chose.
    coalesce(l.calc_parent_reason, l.calc_reason, '(none given)') as top_reason, -- The reason one level up, else the one chosen, else '(none given)'.
    l.shop || ':' || coalesce(l.calc_parent_reason, l.calc_reason, '(none given)') || ':' || coalesce(l.calc_reason, '(none given)') as reason_key, -- Joins dim_return_reasons.
    case when lower(trim(l.return_comment)) not in ('', 'n/a') then l.return_comment end as comment_text, -- What the shopper wrote.
    case when lower(trim(l.outcome)) not in ('', 'n/a') then l.outcome end as outcome, -- What happens with the unit: default, exchange, keep, …
    case when lower(trim(l.exchange_variant)) not in ('', 'n/a') then l.exchange_variant end as exchange_variant_id, -- The variant it was swapped into.
    f.currency, -- Currency of every amount of the row.
    l.price, -- Price before discount and tax.
    l.discount, -- Discount.
    l.tax, -- Tax.
    coalesce(l.price, 0) - coalesce(l.discount, 0) + coalesce(l.tax, 0) as returned_value, -- What the unit is worth: price, less discount, with tax.
    l.refund as refunded, -- Refund chosen for the unit, tax included, whether it was paid or not.
    case when f.refunded_at is not null then l.refund else 0 end as refunded_evidenced, -- The same where a date of a refund of the return exists, else 0.
    l.refund_item as refunded_item, -- Refund chosen, without tax.
    l.refund_tax as refunded_tax, -- Tax in it.
    case when lower(trim(l.condition_condition_category)) not in ('', 'n/a') then l.condition_condition_category end as condition_grade, -- Grade on inspection.
    coalesce(l.condition_inspected_at, l.disposition_inspected_at) as inspected_at, -- When it was inspected.
    case when lower(trim(l.disposition_disposition_outcome)) not in ('', 'n/a') then l.disposition_disposition_outcome end as disposition, -- What became of it.
    n.restock_status, -- Whether it is back in stock, by the shipping notice.
    n.delivered_at, -- When the carrier delivered it, by the shipping notice.
    coalesce(n.destination_id, f.destination_id) as destination_id, -- Where it goes.
    n.destination_name -- Name of that place.
from lines as l
join fct_returns as f on f.shop = l.shop and f.return_id = l.return_id
left join fct_return_notices as n
    on n.shop = l.shop and n.return_id = l.return_id and n.line_item_id = l.line_item_id and n.is_newest
