-- Labels by day, carrier and how far the package is.
with staged as (
    select s.*, case when stage <> 'delivered' and is_void then 'void' else stage end as stands
    from {fct_return_shipments} as s
    where submitted_date >= {since}
)
select
    shop,
    submitted_date as day,
    coalesce(currency, '(none)') as currency,
    coalesce(carrier, '(unknown)') as carrier,
    stands as stage,
    count(*) as labels,
    coalesce(sum(days_to_deliver), 0) as deliver_days,
    count(days_to_deliver) as measured
from staged
group by shop, submitted_date, coalesce(currency, '(none)'), coalesce(carrier, '(unknown)'), stands
order by shop, currency, day, labels desc
