-- What comes back by product variant and month, once by the month of the return and once by that of the order: units, value, refunds, exchanges, the main reason and the days since the order.
-- grain: one row per month, date basis, variant, return type and currency, without cancelled and expired returns; pick one `date_basis`, or everything counts twice
-- key: shop, date_basis, month, currency, return_type, product_id, variant_id, sku
-- answers: Which products come back most, and why?
-- answers: Of what was ordered in a month, which products came back? (date_basis = 'ordered', as in Loop's own dashboard)
-- answers: Which products are exchanged rather than refunded?
with lines as (
    select
        l.shop,
        cast(date_trunc('month', l.submitted_date) as date) as month_submitted,
        cast(date_trunc('month', l.ordered_date) as date) as month_ordered,
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
    where not l.is_void
),
counted as ( /* by both months, so that each line is looked at once for both bases */
    select
        l.shop,
        l.month_submitted,
        l.month_ordered,
        l.currency,
        l.return_type,
        l.product_id,
        l.variant_id,
        l.sku,
        l.top_reason,
        l.title,
        count(*) as units,
        sum(l.returned_value) as returned_value,
        sum(l.refunded) as refunded,
        sum(l.refunded_evidenced) as refunded_evidenced,
        count(case when l.outcome = 'exchange' or l.exchange_variant_id is not null then 1 end) as swapped,
        count(l.inspected_at) as inspected,
        sum(l.days_from_order) as days,
        count(l.days_from_order) as dated,
        count(case when l.ordered_at > l.submitted_at then 1 end) as impossible,
        max(l.submitted_at) as newest_at,
        min(l.submitted_date) as first_returned,
        max(l.submitted_date) as last_returned
    from lines as l
    group by
        l.shop, l.month_submitted, l.month_ordered, l.currency, l.return_type, l.product_id, l.variant_id, l.sku, l.top_reason, l.title
),
bags as ( /* a return is in one pair of months, so their numbers of returns add up */
    select
        l.shop,
        l.month_submitted,
        l.month_ordered,
        l.currency,
        l.return_type,
        l.product_id,
        l.variant_id,
        l.sku,
        count(distinct l.return_id) as returns
    from lines as l
    group by l.shop, l.month_submitted, l.month_ordered, l.currency, l.return_type, l.product_id, l.variant_id, l.sku
),
based as (
    select 'submitted' as date_basis, c.month_submitted as month, c.* from counted as c where c.month_submitted is not null
    union all
    select 'ordered' as date_basis, c.month_ordered as month, c.* from counted as c where c.month_ordered is not null
),
returns_of as (
    select b.shop, 'submitted' as date_basis, b.month_submitted as month, b.currency, b.return_type, b.product_id, b.variant_id, b.sku, sum(b.returns) as returns
    from bags as b
    where b.month_submitted is not null
    group by b.shop, b.month_submitted, b.currency, b.return_type, b.product_id, b.variant_id, b.sku
    union all
    select b.shop, 'ordered' as date_basis, b.month_ordered as month, b.currency, b.return_type, b.product_id, b.variant_id, b.sku, sum(b.returns) as returns
    from bags as b
    where b.month_ordered is not null
    group by b.shop, b.month_ordered, b.currency, b.return_type, b.product_id, b.variant_id, b.sku
),
placed as (
    select
        b.*,
        row_number() over (
            partition by b.shop, b.date_basis, b.month, b.currency, b.return_type, b.product_id, b.variant_id, b.sku
            order by
                case when b.newest_at is null then 1 else 0 end,
                b.newest_at desc,
                case when b.title is null then 1 else 0 end,
                b.title desc
        ) as title_place,
        sum(b.units) over (
            partition by b.shop, b.date_basis, b.month, b.currency, b.return_type, b.product_id, b.variant_id, b.sku, b.top_reason
        ) as reason_units
    from based as b
),
ranked as (
    select
        p.*,
        row_number() over (
            partition by p.shop, p.date_basis, p.month, p.currency, p.return_type, p.product_id, p.variant_id, p.sku
            order by p.reason_units desc, p.top_reason
        ) as reason_place
    from placed as p
),
variants as (
    select
        r.shop,
        r.date_basis,
        r.month,
        r.currency,
        r.return_type,
        r.product_id,
        r.variant_id,
        r.sku,
        max(case when r.title_place = 1 and r.newest_at is not null then r.title end) as title,
        max(case when r.reason_place = 1 then r.top_reason end) as main_reason,
        max(case when r.reason_place = 1 then r.reason_units end) as main_reason_units,
        sum(r.units) as units,
        sum(r.returned_value) as returned_value,
        coalesce(sum(r.refunded), 0) as refunded,
        coalesce(sum(r.refunded_evidenced), 0) as refunded_evidenced,
        sum(r.swapped) as swapped,
        sum(r.inspected) as inspected,
        cast(round(cast(sum(r.days) / nullif(sum(r.dated), 0) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as days,
        sum(r.dated) as dated,
        sum(r.impossible) as impossible,
        min(r.first_returned) as first_returned,
        max(r.last_returned) as last_returned
    from ranked as r
    group by r.shop, r.date_basis, r.month, r.currency, r.return_type, r.product_id, r.variant_id, r.sku
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
    v.title, -- Its title on the latest of these returns.
    cast(v.units as bigint) as units_returned, -- Units returned.
    cast(n.returns as bigint) as returns, -- Returns they came with.
    v.returned_value, -- What they are worth.
    v.refunded, -- Refunds chosen for them, whether paid or not.
    v.refunded_evidenced, -- Of them, of returns with a date of a refund.
    cast(v.swapped as bigint) as units_swapped, -- Units that were swapped for another variant.
    v.main_reason, -- The top-level reason given most often; the one chosen where there is none above it.
    cast(v.main_reason_units as bigint) as main_reason_units, -- Units for which it was given.
    cast(v.inspected as bigint) as units_inspected, -- Units that were inspected.
    v.days as avg_days_from_order, -- Mean days from order to return.
    cast(v.dated as bigint) as units_with_order_date, -- Units for which that is known.
    cast(v.impossible as bigint) as units_impossible, -- Units returned before they were ordered, it says; they are not in the mean.
    v.first_returned, -- Day of the first return, in the shop's time zone.
    v.last_returned -- Day of the latest return, in the shop's time zone.
from variants as v
join returns_of as n
    on n.shop = v.shop
    and n.date_basis = v.date_basis
    and n.month = v.month
    and n.currency = v.currency
    and n.return_type = v.return_type
    and n.product_id = v.product_id
    and n.variant_id = v.variant_id
    and n.sku = v.sku
