-- How many returns reached a step within so many days; `up_to` is the upper end of a group, 999 for what took longer.
with steps as (
    select shop, submitted_date, currency, 'Delivered' as step, days_to_deliver as days
    from {fct_returns}
    where not is_void and submitted_date >= {since} and days_to_deliver is not null
    union all
    select shop, submitted_date, currency, 'Refunded' as step, days_to_refund as days
    from {fct_returns}
    where not is_void and submitted_date >= {since} and days_to_refund is not null
    union all
    select shop, submitted_date, currency, 'Closed' as step, days_to_close as days
    from {fct_returns}
    where not is_void and submitted_date >= {since} and days_to_close is not null
),
grouped as (
    select
        s.*,
        case
            when days <= 3 then 3
            when days <= 5 then 5
            when days <= 7 then 7
            when days <= 10 then 10
            when days <= 14 then 14
            when days <= 21 then 21
            when days <= 30 then 30
            when days <= 60 then 60
            else 999
        end as up_to
    from steps as s
)
select shop, submitted_date as day, coalesce(currency, '(none)') as currency, step, up_to, count(*) as returns
from grouped
group by shop, submitted_date, coalesce(currency, '(none)'), step, up_to
order by shop, currency, day, step, up_to
