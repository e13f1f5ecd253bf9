-- Units by day and product, of the 200 products that came back most; the others together are `(other products)`.
with named as (
    select shop, coalesce(product_id, '(none)') as product
    from {fct_return_lines}
    where not is_void and submitted_date >= {since}
),
counted as (
    select shop, product as product_id, row_number() over (partition by shop order by count(*) desc, product) as place
    from named
    group by shop, product
),
lines as (
    select
        l.shop,
        coalesce(l.currency, '(none)') as currency,
        {country} as country,
        case when c.place <= 200 then c.product_id else '(other products)' end as product,
        l.submitted_date,
        l.ordered_date,
        case when l.outcome = 'exchange' or l.exchange_variant_id is not null then 1 end as swapped,
        l.returned_value,
        l.refunded
    from {fct_return_lines} as l
    left join counted as c on c.shop = l.shop and c.product_id = coalesce(l.product_id, '(none)')
    where not l.is_void and (l.submitted_date >= {since} or l.ordered_date >= {since})
),
dated as (
    select 'submitted' as basis, submitted_date as day, l.* from lines as l where submitted_date >= {since}
    union all
    select 'ordered' as basis, ordered_date as day, l.* from lines as l where ordered_date >= {since}
)
select
    shop,
    currency,
    country,
    basis,
    product,
    day,
    count(*) as units,
    count(swapped) as swapped,
    {sum:returned_value} as returned,
    {sum:refunded} as refunded
from dated
group by shop, currency, country, basis, product, day
order by basis desc, shop, currency, country, product, day
