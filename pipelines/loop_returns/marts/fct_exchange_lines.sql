-- One row per item the shopper gets in exchange, with the order that delivers it.
-- grain: one row per exchange item
-- key: shop, return_id, exchange_id
-- answers: What do shoppers take instead, and is it the same product in another size?
-- answers: Which exchanges could not be fulfilled because the item was out of stock?
with returned as (
    select distinct l.shop, l.return_id, l.product_id
    from return_line_items as l
    where lower(trim(l.product_id)) not in ('', 'n/a')
)
select
    e.shop, -- The shop, as configured.
    e.shop || ':' || e.return_id || ':' || e.exchange_id as exchange_key, -- Shop, return and item in one column.
    f.return_key, -- Shop and return in one column; joins fct_returns.
    e.return_id, -- The return.
    e.exchange_id, -- Loop's id of the exchange item.
    f.state, -- State of the return.
    f.is_void, -- True when the return is cancelled or expired.
    f.return_type, -- standard or warranty.
    f.submitted_at, -- When the return was submitted.
    f.submitted_date, -- That day in the shop's time zone.
    f.ordered_at, -- When the original order was placed; null when not known.
    f.ordered_date, -- That day in the shop's time zone.
    f.provider_order_id, -- The original Shopify order.
    f.customer, -- The shopper, as in fct_returns.
    case when lower(trim(e.exchange_order_id)) not in ('', 'n/a') then e.exchange_order_id end as exchange_order_id, -- The Shopify order of the exchange; null until it is placed.
    case when lower(trim(e.exchange_order_name)) not in ('', 'n/a') then e.exchange_order_name end as exchange_order_name, -- That order's name.
    coalesce(lower(trim(e.exchange_order_id)) not in ('', 'n/a'), false) as is_placed, -- True once the exchange order exists.
    case when lower(trim(e.product_id)) not in ('', 'n/a') then e.product_id end as product_id, -- The Shopify product.
    case when lower(trim(e.variant_id)) not in ('', 'n/a') then e.variant_id end as variant_id, -- The Shopify variant.
    case when lower(trim(e.sku)) not in ('', 'n/a') then e.sku end as sku, -- Stock keeping unit.
    case when lower(trim(e.title)) not in ('', 'n/a') then e.title end as title, -- Product and variant in words.
    case when lower(trim(e.type)) not in ('', 'n/a') then e.type end as exchange_type, -- The kind of exchange.
    r.product_id is not null as is_same_product, -- True when a unit of the same product is on the return.
    f.currency, -- Currency of every amount of the row.
    e.price, -- Price.
    e.discount, -- Discount.
    e.tax, -- Tax.
    e.total as exchanged_value, -- What the item costs in all.
    e.out_of_stock, -- True when the item could not be had.
    case when lower(trim(e.out_of_stock_resolution)) not in ('', 'n/a') then e.out_of_stock_resolution end as out_of_stock_resolution -- What was done about that.
from return_exchanges as e
join fct_returns as f on f.shop = e.shop and f.return_id = e.return_id
left join returned as r on r.shop = e.shop and r.return_id = e.return_id and r.product_id = e.product_id
