-- Units by day of submission and reason, without cancelled and expired returns.
select
    shop,
    coalesce(currency, '(none)') as currency,
    {country} as country,
    top_reason as parent_reason,
    coalesce(reason, '(none given)') as reason,
    submitted_date as day,
    count(*) as units,
    {sum:returned_value} as returned,
    {sum:refunded} as refunded
from {fct_return_lines}
where not is_void and submitted_date >= {since}
group by shop, coalesce(currency, '(none)'), {country}, top_reason, coalesce(reason, '(none given)'), submitted_date
order by shop, currency, country, parent_reason, reason, day
