-- Labels with a problem, of returns that are open or in review; the 50 that are so for longest have a row each.
with placed as (
    select
        shop,
        coalesce(currency, '(none)') as currency,
        return_id,
        state,
        submitted_date as day,
        row_number() over (partition by shop, currency order by submitted_at, return_id) as place
    from {fct_return_shipments}
    where stage = 'problem' and state in ('open', 'review')
)
select
    shop,
    currency,
    case when place <= 50 then return_id end as return_id,
    case when place <= 50 then state end as state,
    case when place <= 50 then day end as day,
    count(*) as labels
from placed
group by
    shop, currency, case when place <= 50 then return_id end, case when place <= 50 then state end,
    case when place <= 50 then day end
order by shop, currency, day, return_id
