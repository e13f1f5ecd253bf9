-- Each product's first and last title, which begin alike, its variants, the one that came back most, and the main reason.
with given as (
    select
        shop,
        coalesce(product_id, '(none)') as product,
        coalesce(variant_id, '(none)') as variant,
        top_reason,
        count(*) as units,
        min(title) as first_title,
        max(title) as last_title
    from {fct_return_lines}
    where not is_void and submitted_date >= {since}
    group by shop, coalesce(product_id, '(none)'), coalesce(variant_id, '(none)'), top_reason
),
reasons as (
    select
        shop,
        product,
        top_reason,
        row_number() over (partition by shop, product order by sum(units) desc, top_reason) as place
    from given
    group by shop, product, top_reason
),
variants as (
    select
        shop,
        product,
        variant,
        sum(units) as units,
        min(first_title) as first_title,
        max(last_title) as last_title
    from given
    group by shop, product, variant
),
ranked as (
    select v.*, row_number() over (partition by shop, product order by units desc, variant) as place
    from variants as v
)
select
    v.shop,
    v.product,
    min(v.first_title) as title_from,
    max(v.last_title) as title_to,
    count(*) as variants,
    max(case when v.place = 1 then coalesce(v.last_title, v.variant) end) as variant,
    cast(max(v.units) as bigint) as variant_units,
    cast(sum(v.units) as bigint) as units,
    max(r.top_reason) as reason
from ranked as v
join reasons as r on r.shop = v.shop and r.product = v.product and r.place = 1
group by v.shop, v.product
order by v.shop, v.product
