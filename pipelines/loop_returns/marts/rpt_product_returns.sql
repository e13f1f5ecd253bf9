-- What comes back by product variant and month, once by the month of the return and once by that of the order: units, value, refunds, exchanges, the main reason and the days since the order.
-- grain: one row per month, date basis, variant, return type and currency, without cancelled and expired returns; pick one `date_basis`, or everything counts twice
-- key: shop, date_basis, month, currency, return_type, product_id, variant_id, sku
-- answers: Which products come back most, and why?
-- answers: Of what was ordered in a month, which products came back? (date_basis = 'ordered', as in Loop's own dashboard)
-- answers: Which products are exchanged rather than refunded?
with bases as (
    select 'submitted' as date_basis
    union all
    select 'ordered' as date_basis
),
lines as (
    select
        l.shop,
        b.date_basis,
        cast(date_trunc('month', case when b.date_basis = 'submitted' then l.submitted_date else l.ordered_date end) as date) as month,
        coalesce(l.currency, '(none)') as currency,
        coalesce(l.return_type, '(none)') as return_type,
        coalesce(l.product_id, '(none)') as product_id,
        coalesce(l.variant_id, '(none)') as variant_id,
        coalesce(l.sku, '(none)') as sku,
        l.return_id,
        l.title,
        l.top_reason,
        l.returned_value,
        l.refunded,
        l.refunded_evidenced,
        l.outcome,
        l.exchange_variant_id,
        l.inspected_at,
        l.days_from_order,
        l.ordered_at,
        l.submitted_at,
        l.submitted_date
    from fct_return_lines as l
    cross join bases as b
    where not l.is_void and case when b.date_basis = 'submitted' then l.submitted_date else l.ordered_date end is not null
),
variants as (
    select
        l.shop,
        l.date_basis,
        l.month,
        l.currency,
        l.return_type,
        l.product_id,
        l.variant_id,
        l.sku,
        count(*) as units,
        count(distinct l.return_id) as returns,
        sum(l.returned_value) as returned_value,
        coalesce(sum(l.refunded), 0) as refunded,
        coalesce(sum(l.refunded_evidenced), 0) as refunded_evidenced,
        count(case when l.outcome = 'exchange' or l.exchange_variant_id is not null then 1 end) as swapped,
        count(l.inspected_at) as inspected,
        cast(round(cast(avg(l.days_from_order) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as days,
        count(l.days_from_order) as dated,
        count(case when l.ordered_at > l.submitted_at then 1 end) as impossible,
        max(l.submitted_at) as newest_at,
        min(l.submitted_date) as first_returned,
        max(l.submitted_date) as last_returned
    from lines as l
    group by l.shop, l.date_basis, l.month, l.currency, l.return_type, l.product_id, l.variant_id, l.sku
),
titles as ( /* by reason, as that is needed too */
    select
        l.shop,
        l.date_basis,
        l.month,
        l.currency,
        l.return_type,
        l.product_id,
        l.variant_id,
        l.sku,
        l.top_reason,
        count(*) as units,
        max(case when l.submitted_at = v.newest_at then l.title end) as title
    from lines as l
    join variants as v
        on v.shop = l.shop
        and v.date_basis = l.date_basis
        and v.month = l.month
        and v.currency = l.currency
        and v.return_type = l.return_type
        and v.product_id = l.product_id
        and v.variant_id = l.variant_id
        and v.sku = l.sku
    group by l.shop, l.date_basis, l.month, l.currency, l.return_type, l.product_id, l.variant_id, l.sku, l.top_reason
),
placed as (
    select
        r.*,
        row_number() over (
            partition by r.shop, r.date_basis, r.month, r.currency, r.return_type, r.product_id, r.variant_id, r.sku order by r.units desc, r.top_reason
        ) as place
    from titles as r
),
named as (
    select
        p.shop,
        p.date_basis,
        p.month,
        p.currency,
        p.return_type,
        p.product_id,
        p.variant_id,
        p.sku,
        max(p.title) as title,
        max(case when p.place = 1 then p.top_reason end) as main_reason,
        max(case when p.place = 1 then p.units end) as main_reason_units
    from placed as p
    group by p.shop, p.date_basis, p.month, p.currency, p.return_type, p.product_id, p.variant_id, p.sku
)
select
    v.shop, -- The shop, as configured.
    v.date_basis, -- submitted: the month of the return. ordered: the month of the order; units whose order date is not known are missing there.
    v.month, -- Its first day, in the shop's time zone.
    v.currency, -- Currency of the amounts, or '(none)'.
    v.return_type, -- standard or warranty, or '(none)'.
    v.product_id, -- The Shopify product, or '(none)'.
    v.variant_id, -- The Shopify variant, or '(none)'.
    v.sku, -- Stock keeping unit, or '(none)'.
    n.title, -- Its title on the latest of these returns.
    v.units as units_returned, -- Units returned.
    v.returns, -- Returns they came with.
    v.returned_value, -- What they are worth.
    v.refunded, -- Refunds chosen for them, whether paid or not.
    v.refunded_evidenced, -- Of them, of returns with a date of a refund.
    v.swapped as units_swapped, -- Units that were swapped for another variant.
    n.main_reason, -- The top-level reason given most often; the one chosen where there is none above it.
    n.main_reason_units, -- Units for which it was given.
    v.inspected as units_inspected, -- Units that were inspected.
    v.days as avg_days_from_order, -- Mean days from order to return.
    v.dated as units_with_order_date, -- Units for which that is known.
    v.impossible as units_impossible, -- Units returned before they were ordered, it says; they are not in the mean.
    v.first_returned, -- Day of the first return, in the shop's time zone.
    v.last_returned -- Day of the latest return, in the shop's time zone.
from variants as v
join named as n
    on n.shop = v.shop
    and n.date_basis = v.date_basis
    and n.month = v.month
    and n.currency = v.currency
    and n.return_type = v.return_type
    and n.product_id = v.product_id
    and n.variant_id = v.variant_id
    and n.sku = v.sku
