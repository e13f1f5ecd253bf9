-- Shoppers by the month of their first order: who sent something of it back, and who ordered again. It has rows once the table that the setting `orders` names has a column `customer`.
-- grain: one row per month of the first order that the table has; exchange orders are no orders
-- key: shop, month
-- answers: Do shoppers who send back something of their first order order again as often as those who keep it?
with placed as (
    select
        cast(o.shop as varchar) as shop,
        cast(o.order_id as varchar) as order_id,
        lower(trim(cast(o.customer as varchar))) as customer,
        min(cast(o.ordered_at as timestamptz)) as ordered_at
    from orders as o
    group by cast(o.shop as varchar), cast(o.order_id as varchar), lower(trim(cast(o.customer as varchar)))
),
numbered as (
    select
        p.*,
        row_number() over (partition by p.shop, p.customer order by p.ordered_at, p.order_id) as number
    from placed as p
    where
        p.ordered_at is not null
        and p.customer not in ('', 'n/a')
        and not exists (select 1 as one from return_exchanges as e where e.shop = p.shop and e.exchange_order_id = p.order_id)
),
sent_back as (
    select distinct f.shop, f.provider_order_id
    from fct_returns as f
    where not f.is_void and f.units_returned > 0 and f.provider_order_id is not null
),
shoppers as (
    select
        a.shop,
        cast(date_trunc('month', a.ordered_at at time zone $zone_of_a) as date) as month,
        case when r.provider_order_id is not null then 1 else 0 end as has_returned,
        case when b.ordered_at is not null then 1 else 0 end as has_ordered_again,
        case when b.ordered_at < a.ordered_at + interval '2160 hours' then 1 else 0 end as in_90_days
    from numbered as a
    left join numbered as b on b.shop = a.shop and b.customer = a.customer and b.number = 2
    left join sent_back as r on r.shop = a.shop and r.provider_order_id = a.order_id
    where a.number = 1
),
totals as (
    select
        s.shop,
        s.month,
        count(*) as shoppers,
        sum(s.has_returned) as returning,
        sum(s.has_ordered_again) as again,
        sum(s.in_90_days) as again_90,
        sum(s.in_90_days * s.has_returned) as again_90_returning
    from shoppers as s
    group by s.shop, s.month
),
judged as (
    select
        t.*,
        coalesce(
            cast(t.month + interval '1 month' as date) + 90 <= cast(k.read_up_to at time zone $zone_of_k as date), false
        ) as is_over
    from totals as t
    left join dim_shops as k on k.shop = t.shop
)
select
    j.shop, -- The shop, as configured.
    j.month, -- First day of the month of the first order, in the shop's time zone.
    cast(j.shoppers as bigint) as shoppers, -- Shoppers whose first order this was, of those that the table names.
    cast(j.returning as bigint) as shoppers_returning, -- Of them, those who sent back something of that order so far, without cancelled and expired returns.
    cast(j.again as bigint) as shoppers_again, -- Of all, those who have ordered again.
    cast(case when j.is_over then j.again_90 end as bigint) as shoppers_again_90, -- Of all, those who ordered again within 90 days; null until so many days after the month.
    cast(case when j.is_over then j.again_90_returning end as bigint) as shoppers_returning_again_90, -- Of those who sent something back, the same.
    cast(round(cast(case when j.is_over then cast(j.again_90_returning as decimal(18, 4)) / nullif(j.returning, 0) end as decimal(18, 8)), 4) as decimal(18, 4)) as again_share_returning_90, -- Their share: of those who sent something back.
    cast(round(cast(case when j.is_over then cast(j.again_90 - j.again_90_returning as decimal(18, 4)) / nullif(j.shoppers - j.returning, 0) end as decimal(18, 8)), 4) as decimal(18, 4)) as again_share_keeping_90 -- The share of those who kept everything.
from judged as j
