-- Returns that are still open or in review, by age and by where the goods are.
-- grain: one row per state, age bucket, stage, return type and currency
-- key: shop, state, age_bucket, stage, return_type, currency
-- answers: How much is waiting, and since when?
-- answers: Which returns were delivered but not processed?
with units as (
    select
        u.shop,
        u.return_id,
        count(*) as units,
        count(case when u.has_arrived then 1 end) as arrived,
        count(case when u.stage = 'on its way' then 1 end) as on_the_way,
        count(case when u.stage = 'problem' then 1 end) as problems,
        count(case when u.stage = 'not sent' then 1 end) as not_sent
    from fct_expected_units as u
    group by u.shop, u.return_id
),
aged as (
    select
        f.*,
        date_diff('day', f.submitted_date, cast(current_timestamp at time zone $zone_of_f as date)) as age_days,
        case
            when u.arrived = u.units or (u.units is null and coalesce(f.delivered_at is not null or f.label_status = 'delivered', false))
            then 'delivered'
            when u.arrived > 0 then 'partly delivered'
            when u.on_the_way > 0 then 'on its way'
            when u.problems > 0 then 'problem'
            when u.not_sent > 0 then 'not sent'
            when u.units is null and f.label_status in ('in_transit', 'out_for_delivery') then 'on its way'
            when u.units is null and f.label_status in ('error', 'failure') then 'problem'
            when f.labels > 0 then 'not sent'
            else 'no label'
        end as stage
    from fct_returns as f
    left join units as u on u.shop = f.shop and u.return_id = f.return_id
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
    b.age_bucket, -- Days since the return was submitted, in days of the shop's time zone.
    b.stage, -- no label, not sent, on its way, problem, partly delivered (some of its units) or delivered, by every sign of arrival in fct_expected_units.
    coalesce(b.return_type, '(none)') as return_type, -- standard or warranty, or '(none)'.
    coalesce(b.currency, '(none)') as currency, -- Currency of the amounts, or '(none)'.
    count(*) as returns, -- Returns waiting.
    cast(sum(b.units_returned) as bigint) as units, -- Units on them.
    coalesce(sum(b.returned_value), 0) as returned_value, -- What they are worth.
    coalesce(sum(b.refunded), 0) as refund_due, -- Refunds that were chosen, whether paid or not.
    coalesce(sum(b.refunded_evidenced), 0) as refunded_evidenced, -- Of them, with a date of a refund.
    count(case when b.refunded_at is not null then 1 end) as already_refunded, -- Of the returns, refunded already.
    min(b.submitted_at) as oldest_submitted_at -- When the oldest of them was submitted.
from bucketed as b
group by b.shop, b.state, b.age_bucket, b.stage, coalesce(b.return_type, '(none)'), coalesce(b.currency, '(none)')
