-- Units by day and reason.
select
    shop,
    submitted_date as day,
    coalesce(currency, '(none)') as currency,
    top_reason as parent_reason,
    coalesce(reason, '(none given)') as reason,
    count(*) as units,
    coalesce(sum(returned_value), 0) as returned,
    coalesce(sum(refunded), 0) as refunded
from {fct_return_lines}
where not is_void and submitted_date >= {since}
group by
    shop, submitted_date, coalesce(currency, '(none)'), top_reason, coalesce(reason, '(none given)')
order by shop, currency, day, units desc
