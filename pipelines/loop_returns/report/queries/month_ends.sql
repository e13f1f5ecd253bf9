-- How things stood at the end of each month.
select
    shop,
    coalesce(currency, '(none)') as currency,
    month_end as day,
    known,
    cast(sum(returns_open) as bigint) as open,
    cast(sum(returns_in_review) as bigint) as review,
    cast(sum(returns_refund_owed) as bigint) as owing,
    cast(sum(refunds_owed) as decimal(18, 4)) as refunds_owed,
    cast(sum(credit_owed) as decimal(18, 4)) as credit_owed,
    cast(sum(exchanges_owed) as decimal(18, 4)) as exchanges_owed,
    cast(sum(owed) as decimal(18, 4)) as owed
from {rpt_month_end}
where month_end >= {since}
group by shop, coalesce(currency, '(none)'), month_end, known
order by shop, currency, day
