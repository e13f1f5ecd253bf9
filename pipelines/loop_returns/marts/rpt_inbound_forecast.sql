-- Units that are still to arrive, by the day they are expected, the place they go to and how far they are.
-- grain: one row per expected day, destination, carrier, stage, return type and currency; only units of open and review returns that have not arrived
-- key: forecast_key
-- answers: How many units will the warehouse receive in the next days?
-- answers: Which packages are overdue?
with known as (
    select f.shop, f.carrier, f.days_to_deliver as days
    from fct_returns as f
    where not f.is_void and f.days_to_deliver is not null
),
paces as (
    select k.shop, k.carrier, percentile_cont(0.5) within group (order by cast(k.days as double)) as days
    from known as k
    where k.carrier is not null
    group by k.shop, k.carrier
),
shop_paces as (
    select k.shop, percentile_cont(0.5) within group (order by cast(k.days as double)) as days
    from known as k
    group by k.shop
),
places as (
    select n.shop, n.destination_id, max(n.destination_name) as destination_name
    from advanced_shipping_notices as n
    where n._deleted_at is null and n.destination_id is not null and lower(trim(n.destination_name)) not in ('', 'n/a')
    group by n.shop, n.destination_id
),
coming as (
    select
        u.shop,
        u.return_id,
        u.submitted_date + cast(ceil(coalesce(p.days, sp.days)) as integer) as expected_date,
        coalesce(u.destination_id, '(none)') as destination_id,
        coalesce(u.carrier, '(none)') as carrier,
        case when u.stage = 'no label' then 'not sent' else u.stage end as stage,
        coalesce(u.return_type, '(none)') as return_type,
        coalesce(u.currency, '(none)') as currency,
        u.returned_value
    from fct_expected_units as u
    left join paces as p on p.shop = u.shop and p.carrier = u.carrier
    left join shop_paces as sp on sp.shop = u.shop
    where not u.has_arrived
)
select
    c.shop, -- The shop, as configured.
    c.shop || ':' || coalesce(cast(c.expected_date as text), '(none)') || ':' || c.destination_id || ':' || c.carrier || ':' || c.stage || ':' || c.return_type || ':' || c.currency as forecast_key, -- All that tells the rows apart, in one column.
    c.expected_date, -- Day of the return plus the carrier's middle delivery time (else the shop's), in the shop's time zone; null when nothing has ever been delivered.
    c.destination_id, -- Where the goods go, or '(none)'.
    max(p.destination_name) as destination_name, -- Name of that place, by the shipping notices.
    c.carrier, -- The carrier of the package they are in; '(none)' when there is no label yet.
    c.stage, -- not sent, on its way or problem, as in fct_expected_units; not sent also when there is no label yet.
    c.return_type, -- standard or warranty, or '(none)'.
    c.currency, -- Currency of the value, or '(none)'.
    coalesce(c.expected_date < cast(current_timestamp at time zone $zone_of_c as date), false) as is_overdue, -- True when that day has passed, in the shop's time zone.
    count(distinct c.return_id) as returns, -- Returns with such units; one in two packages can be in two rows.
    count(*) as units, -- Units to come; units the shopper keeps are left out.
    sum(c.returned_value) as returned_value -- What they are worth.
from coming as c
left join places as p on p.shop = c.shop and p.destination_id = c.destination_id
group by c.shop, c.expected_date, c.destination_id, c.carrier, c.stage, c.return_type, c.currency
