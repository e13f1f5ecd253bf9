-- How many returns reached a step within so many days, by day of submission; `more` is what took longer than 60.
with steps as (
    select r.*, 'Delivered' as step, days_to_deliver as days from {fct_returns} as r where days_to_deliver is not null
    union all
    select r.*, 'Refunded' as step, days_to_refund as days from {fct_returns} as r where days_to_refund is not null
    union all
    select r.*, 'Closed' as step, days_to_close as days from {fct_returns} as r where days_to_close is not null
)
select
    shop,
    coalesce(currency, '(none)') as currency,
    {country} as country,
    {destination} as destination,
    step,
    submitted_date as day,
    count(case when days <= 3 then 1 end) as to_3,
    count(case when days > 3 and days <= 5 then 1 end) as to_5,
    count(case when days > 5 and days <= 7 then 1 end) as to_7,
    count(case when days > 7 and days <= 10 then 1 end) as to_10,
    count(case when days > 10 and days <= 14 then 1 end) as to_14,
    count(case when days > 14 and days <= 21 then 1 end) as to_21,
    count(case when days > 21 and days <= 30 then 1 end) as to_30,
    count(case when days > 30 and days <= 60 then 1 end) as to_60,
    count(case when days > 60 then 1 end) as more
from steps
where not is_void and submitted_date >= {since}
group by shop, coalesce(currency, '(none)'), {country}, {destination}, step, submitted_date
order by shop, currency, country, destination, step, day
