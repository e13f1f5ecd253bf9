-- Returns by the day they were submitted and by what the shopper takes, without cancelled and expired ones.
with kinds as (
    select
        r.*,
        case when has_exchange then 1 else 0 end + case when has_credit then 1 else 0 end
            + case when has_refund then 1 else 0 end as takes
    from {fct_returns} as r
    where not is_void and submitted_date >= {since}
),
named as (
    select
        k.*,
        case
            when takes = 0 then 'None yet'
            when takes > 1 then 'Several'
            when has_exchange then 'Exchange'
            when has_credit then 'Store credit'
            else 'Refund'
        end as takes_what
    from kinds as k
)
select
    shop,
    submitted_date as day,
    coalesce(currency, '(none)') as currency,
    takes_what as outcome,
    count(*) as returns,
    cast(sum(units_returned) as bigint) as units,
    coalesce(sum(returned_value), 0) as returned,
    coalesce(sum(retained_revenue), 0) as retained,
    coalesce(sum(retained_as_exchange), 0) as as_exchange,
    coalesce(sum(retained_as_credit), 0) as as_credit,
    coalesce(sum(refunded), 0) as refunded,
    coalesce(sum(days_to_close), 0) as close_days,
    count(days_to_close) as closed
from named
group by shop, submitted_date, coalesce(currency, '(none)'), takes_what
order by shop, currency, day, outcome
