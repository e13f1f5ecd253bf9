-- What comes back by product variant: units, value, refunds, exchanges, the main reason and the days since the order.
-- grain: one row per variant and currency; cancelled and expired returns are left out
-- key: shop, currency, product_id, variant_id, sku
-- answers: Which products come back most, and why?
-- answers: Which products are exchanged rather than refunded?
with numbered as (
    select
        l.*,
        coalesce(l.parent_reason, l.reason, '(none given)') as main_reason,
        row_number() over (
            partition by l.shop, l.currency, l.product_id, l.variant_id, l.sku
            order by l.submitted_at desc, l.return_id desc, l.line_item_id desc
        ) as newest,
        row_number() over (
            partition by l.shop, l.currency, l.product_id, l.variant_id, l.sku, l.return_id order by l.line_item_id
        ) as unit_of_return
    from fct_return_lines as l
    where not l.is_void
),
reasons as (
    select
        n.shop,
        n.currency,
        n.product_id,
        n.variant_id,
        n.sku,
        n.main_reason,
        count(*) as units,
        count(case when n.unit_of_return = 1 then 1 end) as returns,
        max(case when n.newest = 1 then n.title end) as title,
        sum(n.returned_value) as returned_value,
        sum(n.refunded) as refunded,
        count(case when n.outcome = 'exchange' or n.exchange_variant_id is not null then 1 end) as swapped,
        count(n.inspected_at) as inspected,
        sum(n.days_from_order) as days,
        count(n.days_from_order) as dated,
        min(n.submitted_date) as first_returned,
        max(n.submitted_date) as last_returned
    from numbered as n
    group by n.shop, n.currency, n.product_id, n.variant_id, n.sku, n.main_reason
),
placed as (
    select
        r.*,
        row_number() over (
            partition by r.shop, r.currency, r.product_id, r.variant_id, r.sku order by r.units desc, r.main_reason
        ) as place
    from reasons as r
)
select
    p.shop, -- The shop, as configured.
    p.currency, -- Currency of the amounts.
    p.product_id, -- The Shopify product.
    p.variant_id, -- The Shopify variant.
    p.sku, -- Stock keeping unit.
    max(p.title) as title, -- Its title on the latest return.
    cast(sum(p.units) as bigint) as units_returned, -- Units returned.
    cast(sum(p.returns) as bigint) as returns, -- Returns they came with.
    sum(p.returned_value) as returned_value, -- What they are worth.
    coalesce(sum(p.refunded), 0) as refunded, -- Refunded for them.
    cast(sum(p.swapped) as bigint) as units_swapped, -- Units that were swapped for another variant.
    max(case when p.place = 1 then p.main_reason end) as main_reason, -- The top-level reason given most often.
    max(case when p.place = 1 then p.units end) as main_reason_units, -- Units for which it was given.
    cast(sum(p.inspected) as bigint) as units_inspected, -- Units that were inspected.
    cast(sum(p.days) / nullif(sum(p.dated), 0) as decimal(18, 2)) as avg_days_from_order, -- Mean days from order to return.
    cast(sum(p.dated) as bigint) as units_with_order_date, -- Units for which that is known.
    min(p.first_returned) as first_returned, -- Day of the first return, UTC.
    max(p.last_returned) as last_returned -- Day of the latest return, UTC.
from placed as p
group by p.shop, p.currency, p.product_id, p.variant_id, p.sku
