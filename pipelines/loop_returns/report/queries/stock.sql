-- Exchange items that could not be had, of returns that are not over.
select
    shop,
    coalesce(currency, '(none)') as currency,
    count(*) as units,
    count(distinct return_id) as returns,
    {sum:exchanged_value} as amount,
    min(submitted_date) as oldest
from {fct_exchange_lines}
where out_of_stock and not is_placed and state in ('open', 'review')
group by shop, coalesce(currency, '(none)')
order by shop, currency
