-- Units by day and product, of the ten products that came back most in each month; all of a large catalogue would be too much.
with lines as (
    select
        l.*,
        coalesce(currency, '(none)') || '/' || coalesce(product_id, '(none)') || '/'
            || coalesce(variant_id, '(none)') || '/' || coalesce(sku, '(none)') as product
    from {fct_return_lines} as l
    where not is_void and submitted_date >= {since}
),
monthly as (
    select
        shop,
        product,
        row_number() over (
            partition by shop, currency, extract(year from submitted_date), extract(month from submitted_date)
            order by count(*) desc, product
        ) as place
    from lines
    group by shop, currency, product, extract(year from submitted_date), extract(month from submitted_date)
),
top as (select distinct shop, product from monthly where place <= 10),
named as (
    select
        p.*,
        currency || '/' || product_id || '/' || variant_id || '/' || sku as product,
        row_number() over (
            partition by shop, currency, product_id, variant_id, sku order by units_returned desc, return_type
        ) as place
    from {rpt_product_returns} as p
)
select
    l.shop,
    l.submitted_date as day,
    coalesce(l.currency, '(none)') as currency,
    coalesce(n.title, nullif(n.product_id, '(none)'), '(no title)') || coalesce(' · ' || nullif(n.sku, '(none)'), '') as product,
    n.main_reason,
    count(*) as units,
    count(case when l.outcome = 'exchange' or l.exchange_variant_id is not null then 1 end) as swapped,
    coalesce(sum(l.returned_value), 0) as returned
from lines as l
join top as t on t.shop = l.shop and t.product = l.product
join named as n on n.shop = l.shop and n.product = l.product and n.place = 1
group by l.shop, l.submitted_date, l.currency, n.product, n.title, n.product_id, n.sku, n.main_reason
order by l.shop, currency, day, units desc
