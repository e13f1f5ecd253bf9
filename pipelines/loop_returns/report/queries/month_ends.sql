-- How things stood at the end of each month.
select
    shop,
    coalesce(currency, '(none)') as currency,
    month_end as day,
    known,
    returns_open as open,
    returns_in_review as review,
    returns_refund_owed as owing,
    refunds_owed,
    credit_owed,
    exchanges_owed,
    owed
from {rpt_month_end}
where month_end >= {since}
order by shop, currency, day
