-- What share of the units and of the revenue that were sold came back. It has rows once the setting `orders` names a table of order lines.
-- grain: one row per month of the order, product, variant and currency; exchange orders are no sales
-- key: shop, month, product_id, variant_id, currency
-- answers: What is the return rate of a product, by units and by revenue, 30, 60 and 90 days after the order?
-- answers: Which variants come back more than others, of what was sold in the same month?
with sold as (
    select
        cast(o.shop as varchar) as shop,
        cast(o.order_id as varchar) as order_id,
        cast(o.order_line_id as varchar) as order_line_id,
        coalesce(nullif(cast(o.product_id as varchar), ''), '(none)') as product_id,
        coalesce(nullif(cast(o.variant_id as varchar), ''), '(none)') as variant_id,
        coalesce(cast(o.currency as varchar), '(none given)') as currency,
        cast(o.units as decimal(18, 4)) as units,
        cast(o.amount as decimal(18, 4)) as amount,
        cast(o.ordered_at as timestamptz) as ordered_at
    from orders as o
),
sales as (
    select s.*, cast(date_trunc('month', s.ordered_at at time zone $zone_of_s) as date) as month
    from sold as s
    where
        s.units > 0
        and s.ordered_at is not null
        and not exists (select 1 as one from return_exchanges as e where e.shop = s.shop and e.exchange_order_id = s.order_id)
),
units as ( /* each returned unit with the day it was submitted, by the order line that it belongs to */
    select l.shop, l.provider_line_item_id as order_line_id, f.submitted_at, f.return_type
    from return_line_items as l
    join fct_returns as f on f.shop = l.shop and f.return_id = l.return_id
    where not f.is_void and l.provider_line_item_id is not null
),
hits as ( /* one row for each order line of which something came back; of one unit on two returns one did */
    select
        s.shop,
        s.month,
        s.product_id,
        s.variant_id,
        s.currency,
        s.order_line_id,
        max(s.amount) / max(s.units) as price,
        least(count(*), max(s.units)) as units,
        least(count(case when lower(u.return_type) = 'warranty' then 1 end), max(s.units)) as units_warranty,
        least(count(case when u.submitted_at < s.ordered_at + interval '720 hours' then 1 end), max(s.units)) as units_30,
        least(count(case when u.submitted_at < s.ordered_at + interval '1440 hours' then 1 end), max(s.units)) as units_60,
        least(count(case when u.submitted_at < s.ordered_at + interval '2160 hours' then 1 end), max(s.units)) as units_90
    from sales as s
    join units as u on u.shop = s.shop and u.order_line_id = s.order_line_id
    group by s.shop, s.month, s.product_id, s.variant_id, s.currency, s.order_line_id
),
returned as (
    select
        h.shop,
        h.month,
        h.product_id,
        h.variant_id,
        h.currency,
        sum(h.units) as units,
        sum(h.units_warranty) as units_warranty,
        sum(h.units_30) as units_30,
        sum(h.units_60) as units_60,
        sum(h.units_90) as units_90,
        sum(cast(h.price * h.units as decimal(18, 4))) as revenue,
        sum(cast(h.price * h.units_30 as decimal(18, 4))) as revenue_30,
        sum(cast(h.price * h.units_60 as decimal(18, 4))) as revenue_60,
        sum(cast(h.price * h.units_90 as decimal(18, 4))) as revenue_90
    from hits as h
    group by h.shop, h.month, h.product_id, h.variant_id, h.currency
),
totals as ( /* what was sold and what came back are added up apart, and only then joined: else they multiply */
    select s.shop, s.month, s.product_id, s.variant_id, s.currency, sum(s.units) as units_sold, sum(s.amount) as revenue
    from sales as s
    group by s.shop, s.month, s.product_id, s.variant_id, s.currency
),
judged as (
    select
        t.shop,
        t.month,
        t.product_id,
        t.variant_id,
        t.currency,
        t.units_sold,
        t.revenue,
        coalesce(r.units, 0) as units_returned,
        coalesce(r.units_warranty, 0) as units_warranty,
        coalesce(r.units_30, 0) as units_30,
        coalesce(r.units_60, 0) as units_60,
        coalesce(r.units_90, 0) as units_90,
        coalesce(r.revenue, 0) as revenue_returned,
        coalesce(r.revenue_30, 0) as revenue_30,
        coalesce(r.revenue_60, 0) as revenue_60,
        coalesce(r.revenue_90, 0) as revenue_90,
        cast(t.month + interval '1 month' as date) as calc_over,
        cast(k.read_up_to at time zone $zone_of_k as date) as calc_read
    from totals as t
    left join returned as r
        on r.shop = t.shop
        and r.month = t.month
        and r.product_id = t.product_id
        and r.variant_id = t.variant_id
        and r.currency = t.currency
    left join dim_shops as k on k.shop = t.shop
)
select
    j.shop, -- The shop, as configured.
    j.shop || ':' || cast(j.month as varchar) || ':' || j.product_id || ':' || j.variant_id || ':' || j.currency as rate_key, -- All of the key in one text, for tools that need a single key.
    j.month, -- First day of the month in which the orders were placed, in the shop's time zone.
    j.product_id, -- The Shopify product; joins dim_products.
    j.variant_id, -- The Shopify variant.
    j.currency, -- Currency of the amounts.
    cast(j.units_sold as decimal(18, 4)) as units_sold, -- Units ordered; exchange orders are no sales.
    cast(j.revenue as decimal(18, 4)) as revenue, -- What they cost: after discounts, with tax.
    cast(j.units_returned as bigint) as units_returned, -- Of these units, those on a return so far, without cancelled and expired returns; one that is on two counts once.
    cast(j.units_warranty as bigint) as units_on_warranty, -- Of them, those on a warranty claim.
    cast(j.revenue_returned as decimal(18, 4)) as revenue_returned, -- What these cost when they were ordered.
    cast(case when j.calc_over + 30 <= j.calc_read then j.units_30 end as bigint) as units_returned_30, -- Units of returns submitted within 30 days of the order; null until so many days after the month, when all its orders have had them.
    cast(round(cast(case when j.calc_over + 30 <= j.calc_read then j.units_30 / j.units_sold end as decimal(18, 8)), 4) as decimal(18, 4)) as item_rate_30, -- They by the units sold.
    cast(round(cast(case when j.calc_over + 30 <= j.calc_read then j.revenue_30 / nullif(j.revenue, 0) end as decimal(18, 8)), 4) as decimal(18, 4)) as revenue_rate_30, -- What they cost by the revenue.
    cast(case when j.calc_over + 60 <= j.calc_read then j.units_60 end as bigint) as units_returned_60, -- The same within 60 days.
    cast(round(cast(case when j.calc_over + 60 <= j.calc_read then j.units_60 / j.units_sold end as decimal(18, 8)), 4) as decimal(18, 4)) as item_rate_60, -- They by the units sold.
    cast(round(cast(case when j.calc_over + 60 <= j.calc_read then j.revenue_60 / nullif(j.revenue, 0) end as decimal(18, 8)), 4) as decimal(18, 4)) as revenue_rate_60, -- What they cost by the revenue.
    cast(case when j.calc_over + 90 <= j.calc_read then j.units_90 end as bigint) as units_returned_90, -- The same within 90 days.
    cast(round(cast(case when j.calc_over + 90 <= j.calc_read then j.units_90 / j.units_sold end as decimal(18, 8)), 4) as decimal(18, 4)) as item_rate_90, -- They by the units sold.
    cast(round(cast(case when j.calc_over + 90 <= j.calc_read then j.revenue_90 / nullif(j.revenue, 0) end as decimal(18, 8)), 4) as decimal(18, 4)) as revenue_rate_90 -- What they cost by the revenue.
from judged as j
