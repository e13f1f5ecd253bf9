-- Returns by day, once by that of the return and once by that of the order, without cancelled and expired ones.
with kinds as (
    select
        r.*,
        case when has_exchange then 1 else 0 end + case when has_credit then 1 else 0 end
            + case when has_refund then 1 else 0 end as takes
    from {fct_returns} as r
    where not is_void and (submitted_date >= {since} or ordered_date >= {since})
),
dated as (
    select 'submitted' as basis, submitted_date as day, k.* from kinds as k where submitted_date >= {since}
    union all
    select 'ordered' as basis, ordered_date as day, k.* from kinds as k where ordered_date >= {since}
)
select
    shop,
    coalesce(currency, '(none)') as currency,
    {country} as country,
    {destination} as destination,
    basis,
    day,
    count(*) as returns,
    count(case when takes = 1 and has_exchange then 1 end) as exchange,
    count(case when takes = 1 and has_credit then 1 end) as credit,
    count(case when takes = 1 and has_refund then 1 end) as refund,
    count(case when takes > 1 then 1 end) as several,
    count(case when takes = 0 then 1 end) as none_yet,
    cast(sum(units_returned) as bigint) as units,
    {sum:returned_value} as returned,
    {sum:retained_revenue} as retained,
    {sum:retained_as_exchange} as as_exchange,
    {sum:retained_as_credit} as as_credit,
    {sum:refunded} as refunded,
    {sum:refunded_evidenced} as evidenced,
    {sum:upsell} as upsell,
    {sum:handling_fee} as fees,
    {sum:days_to_close} as close_days,
    count(days_to_close) as closed
from dated
group by shop, coalesce(currency, '(none)'), {country}, {destination}, basis, day
order by basis desc, shop, currency, country, destination, day
