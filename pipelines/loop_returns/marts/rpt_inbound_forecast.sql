-- Units that are still to arrive, by the day they are expected, the place they go to and how far they are.
-- grain: one row per expected day, destination, carrier, stage and currency; only open and review returns not yet delivered
-- key: shop, expected_date, destination_id, carrier, stage, currency
-- answers: How many units will the warehouse receive in the next days?
-- answers: Which packages are overdue?
with known as (
    select
        f.shop,
        f.return_id,
        f.state,
        f.submitted_date,
        f.destination_id,
        f.carrier,
        f.label_status,
        f.currency,
        f.days_to_deliver
    from fct_returns as f
    where not f.is_void
),
paces as (
    select k.shop, k.carrier, percentile_cont(0.5) within group (order by k.days_to_deliver) as days
    from known as k
    where k.days_to_deliver is not null and k.carrier is not null
    group by k.shop, k.carrier
),
shop_paces as (
    select k.shop, percentile_cont(0.5) within group (order by k.days_to_deliver) as days
    from known as k
    where k.days_to_deliver is not null
    group by k.shop
),
places as (
    select n.shop, n.destination_id, max(n.destination_name) as destination_name
    from advanced_shipping_notices as n
    where n._deleted_at is null and n.destination_id is not null
    group by n.shop, n.destination_id
),
coming as (
    select
        k.shop,
        k.return_id,
        k.submitted_date + cast(ceil(coalesce(p.days, sp.days)) as integer) as expected_date,
        k.destination_id,
        k.carrier,
        case
            when k.label_status in ('in_transit', 'out_for_delivery') then 'on its way'
            when k.label_status in ('error', 'failure') then 'problem'
            else 'not sent'
        end as stage,
        k.currency,
        count(*) as units,
        sum(coalesce(l.price, 0) - coalesce(l.discount, 0) + coalesce(l.tax, 0)) as returned_value
    from known as k
    join return_line_items as l on l.shop = k.shop and l.return_id = k.return_id
    left join paces as p on p.shop = k.shop and p.carrier = k.carrier
    left join shop_paces as sp on sp.shop = k.shop
    where k.state in ('open', 'review') and k.days_to_deliver is null and coalesce(l.outcome, '') <> 'keep'
    group by
        k.shop,
        k.return_id,
        k.submitted_date + cast(ceil(coalesce(p.days, sp.days)) as integer),
        k.destination_id,
        k.carrier,
        k.label_status,
        k.currency
)
select
    c.shop, -- The shop, as configured.
    c.expected_date, -- Day of the return plus the carrier's middle delivery time (else the shop's), UTC; null when nothing has ever been delivered.
    c.destination_id, -- Where the goods go.
    max(p.destination_name) as destination_name, -- Name of that place, by the shipping notices.
    c.carrier, -- The carrier; null when there is no label yet.
    c.stage, -- not sent, on its way or problem.
    c.currency, -- Currency of the value.
    coalesce(c.expected_date < cast(current_timestamp at time zone 'UTC' as date), false) as is_overdue, -- True when that day has passed, UTC.
    count(*) as returns, -- Returns.
    cast(sum(c.units) as bigint) as units, -- Units to come; units the shopper keeps are left out.
    sum(c.returned_value) as returned_value -- What they are worth.
from coming as c
left join places as p on p.shop = c.shop and p.destination_id = c.destination_id
group by c.shop, c.expected_date, c.destination_id, c.carrier, c.stage, c.currency
