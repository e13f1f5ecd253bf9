-- Returns that are still open or in review, by age and by where the goods are.
-- grain: one row per state, age bucket, stage and currency
-- key: shop, state, age_bucket, stage, currency
-- answers: How much is waiting, and since when?
-- answers: Which returns were delivered but not processed?
with aged as (
    select
        f.*,
        cast(current_timestamp at time zone 'UTC' as date) - f.submitted_date as age_days,
        case
            when f.delivered_at is not null then 'delivered'
            when f.label_status in ('in_transit', 'out_for_delivery') then 'on its way'
            when f.label_status in ('error', 'failure') then 'problem'
            when f.labels > 0 or f.label_status in ('new', 'pre_transit') then 'not sent'
            else 'no label'
        end as stage
    from fct_returns as f
    where f.state in ('open', 'review')
),
bucketed as (
    select
        a.*,
        case
            when a.age_days <= 7 then '00-07 days'
            when a.age_days <= 14 then '08-14 days'
            when a.age_days <= 30 then '15-30 days'
            when a.age_days <= 60 then '31-60 days'
            when a.age_days > 60 then '61+ days'
            else '(unknown)'
        end as age_bucket
    from aged as a
)
select
    b.shop, -- The shop, as configured.
    b.state, -- open or review.
    b.age_bucket, -- Days since the return was submitted, in UTC days.
    b.stage, -- no label, not sent, on its way, delivered or problem.
    b.currency, -- Currency of the amounts.
    count(*) as returns, -- Returns waiting.
    cast(sum(b.units_returned) as bigint) as units, -- Units on them.
    coalesce(sum(b.returned_value), 0) as returned_value, -- What they are worth.
    coalesce(sum(b.refunded), 0) as refund_due, -- Refunds they will bring, or have brought already.
    count(case when b.refunded_at is not null then 1 end) as already_refunded, -- Of the returns, refunded already.
    min(b.submitted_at) as oldest_submitted_at -- When the oldest of them was submitted.
from bucketed as b
group by b.shop, b.state, b.age_bucket, b.stage, b.currency
