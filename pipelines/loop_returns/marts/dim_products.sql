-- One row per variant that was returned or sent in exchange, with its latest title, SKU and barcode.
-- grain: one row per product and variant
-- key: shop, product_id, variant_id
-- answers: What are the products and variants of the facts called?
with units as (
    select
        l.shop,
        coalesce(case when lower(trim(l.product_id)) not in ('', 'n/a') then l.product_id end, '(none)') as product_id,
        coalesce(case when lower(trim(l.variant_id)) not in ('', 'n/a') then l.variant_id end, '(none)') as variant_id,
        case when lower(trim(l.title)) not in ('', 'n/a') then l.title end as title,
        case when lower(trim(l.sku)) not in ('', 'n/a') then l.sku end as sku,
        case when lower(trim(l.barcode)) not in ('', 'n/a') then l.barcode end as barcode,
        f.submitted_at,
        1 as returned,
        0 as exchanged
    from return_line_items as l
    join fct_returns as f on f.shop = l.shop and f.return_id = l.return_id
    union all
    select
        e.shop,
        coalesce(case when lower(trim(e.product_id)) not in ('', 'n/a') then e.product_id end, '(none)') as product_id,
        coalesce(case when lower(trim(e.variant_id)) not in ('', 'n/a') then e.variant_id end, '(none)') as variant_id,
        case when lower(trim(e.title)) not in ('', 'n/a') then e.title end as title,
        case when lower(trim(e.sku)) not in ('', 'n/a') then e.sku end as sku,
        cast(null as varchar) as barcode,
        f.submitted_at,
        0 as returned,
        1 as exchanged
    from return_exchanges as e
    join fct_returns as f on f.shop = e.shop and f.return_id = e.return_id
),
names as ( /* few rows for each variant, so that ranking them is quick */
    select
        u.shop,
        u.product_id,
        u.variant_id,
        u.title,
        u.sku,
        u.barcode,
        min(u.submitted_at) as first_at,
        max(u.submitted_at) as last_at,
        sum(u.returned) as returned,
        sum(u.exchanged) as exchanged
    from units as u
    group by u.shop, u.product_id, u.variant_id, u.title, u.sku, u.barcode
),
ranked as ( /* of each name the latest that is there: rank 1 among rows that have it */
    select
        n.*,
        row_number() over (
            partition by n.shop, n.product_id, n.variant_id, case when n.title is null then 1 else 0 end
            order by n.last_at desc, n.title
        ) as title_rank,
        row_number() over (
            partition by n.shop, n.product_id, n.variant_id, case when n.sku is null then 1 else 0 end
            order by n.last_at desc, n.sku
        ) as sku_rank,
        row_number() over (
            partition by n.shop, n.product_id, n.variant_id, case when n.barcode is null then 1 else 0 end
            order by n.last_at desc, n.barcode
        ) as barcode_rank
    from names as n
)
select
    r.shop, -- The shop, as configured.
    r.shop || ':' || r.product_id || ':' || r.variant_id as product_key, -- Shop, product and variant in one text, for tools that need a single key.
    r.product_id, -- The Shopify product; (none) where Loop names none.
    r.variant_id, -- The Shopify variant; (none) where Loop names none.
    max(case when r.title_rank = 1 then r.title end) as title, -- Product and variant in words, as last seen. Size and colour are no data of their own at Loop.
    max(case when r.sku_rank = 1 then r.sku end) as sku, -- Stock keeping unit, as last seen.
    max(case when r.barcode_rank = 1 then r.barcode end) as barcode, -- Barcode, as last seen.
    min(r.first_at) as first_seen_at, -- When the first return that names it was submitted.
    max(r.last_at) as last_seen_at, -- When the latest was.
    cast(sum(r.returned) as bigint) as units_returned, -- Units returned, those of cancelled and expired returns too.
    cast(sum(r.exchanged) as bigint) as units_exchanged -- Units sent or to be sent in exchange, those too.
from ranked as r
group by r.shop, r.product_id, r.variant_id
