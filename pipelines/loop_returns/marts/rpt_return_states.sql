-- How long returns stay in each state, and how many come back out of it, by the month in which they were submitted.
-- grain: one row per month of submission, state and return type
-- key: shop, month, state, return_type
-- answers: How many days do returns spend open, and in review?
-- answers: What share of closed returns is opened again?
with dated as (
    select
        s.*,
        cast(date_trunc('month', s.submitted_at at time zone $zone_of_s) as date) as calc_month,
        coalesce(s.return_type, '(none given)') as calc_type
    from fct_return_states as s
    where s.submitted_at is not null
)
select
    d.shop, -- The shop, as configured.
    d.calc_month as month, -- First day of the month in which the returns were submitted, in the shop's time zone.
    d.state, -- open, closed, cancelled, expired or review.
    d.calc_type as return_type, -- standard or warranty.
    count(distinct d.return_id) as returns, -- Returns that were in the state.
    count(*) as stays, -- Times that a return came into it.
    count(case when d.is_current then 1 end) as stays_current, -- Of them, those that are in it now.
    count(case when d.left_at >= d.entered_at then 1 end) as stays_measured, -- Of them, those that are over and whose beginning is known and not after their end: the days below are theirs.
    count(case when d.left_at < d.entered_at then 1 end) as stays_impossible, -- Of them, those that ended before they began, it says; they are in no mean.
    round(cast(avg(case when d.left_at >= d.entered_at then d.days end) as decimal(18, 6)), 2) as avg_days, -- Mean days in the state.
    round(cast(percentile_cont(0.5) within group (order by case when d.left_at >= d.entered_at then cast(d.days as double) end) as decimal(18, 6)), 2) as median_days, -- The middle one.
    count(case when d.is_reopened then 1 end) as stays_reopened, -- Stays in closed, cancelled or expired that ended with open or review.
    count(distinct case when d.is_reopened then d.return_id end) as returns_reopened, -- Returns for which that is so.
    round(
        cast(
            cast(count(distinct case when d.is_reopened then d.return_id end) as decimal(18, 4)) / count(distinct d.return_id)
            as decimal(18, 8)
        ),
        4
    ) as share_reopened -- They by the returns that were in the state; 0 for open and review.
from dated as d
group by d.shop, d.calc_month, d.state, d.calc_type
