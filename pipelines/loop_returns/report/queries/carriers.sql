-- Labels by day of submission and carrier, and how far the packages are.
with staged as (
    select s.*, case when stage <> 'delivered' and is_void then 'void' else stage end as stands
    from {fct_return_shipments} as s
    where submitted_date >= {since}
)
select
    shop,
    coalesce(currency, '(none)') as currency,
    {destination} as destination,
    coalesce(carrier, '(unknown)') as carrier,
    submitted_date as day,
    count(*) as labels,
    count(case when stands = 'delivered' then 1 end) as delivered,
    count(case when stands = 'on its way' then 1 end) as on_its_way,
    count(case when stands = 'not sent' then 1 end) as not_sent,
    count(case when stands = 'problem' then 1 end) as problem,
    count(case when stands = 'void' then 1 end) as void,
    count(case when stands not in ('delivered', 'on its way', 'not sent', 'problem', 'void') then 1 end) as unknown,
    {sum:days_to_deliver} as deliver_days,
    count(days_to_deliver) as measured
from staged
group by shop, coalesce(currency, '(none)'), {destination}, coalesce(carrier, '(unknown)'), submitted_date
order by shop, currency, destination, carrier, day
