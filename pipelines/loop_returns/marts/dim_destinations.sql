-- One row per place that returns go to. Those that Loop's list does not have are named by the shipping notices.
-- grain: one row per destination that Loop lists, or that a return or a shipping notice names
-- key: shop, destination_id
-- answers: What are the destinations of the facts called, and where are they?
-- answers: Which destinations do returns still name that Loop no longer lists?
with told as ( /* by notices, the newest first */
    select
        n.shop,
        n.destination_id,
        case when lower(trim(n.destination_name)) not in ('', 'n/a') then n.destination_name end as name,
        case when lower(trim(n.destination_city)) not in ('', 'n/a') then n.destination_city end as city,
        case when lower(trim(n.destination_state)) not in ('', 'n/a') then n.destination_state end as state,
        row_number() over (
            partition by n.shop, n.destination_id
            order by case when n.updated_at is null then 1 else 0 end, n.updated_at desc, n.id, n.return_line_item_id
        ) as place
    from advanced_shipping_notices as n
    where n._deleted_at is null
),
ids as (
    select d.shop, d.id as destination_id
    from destinations as d
    union
    select r.shop, r.destination_id
    from returns as r
    where r._deleted_at is null
    union
    select t.shop, t.destination_id
    from told as t
)
select
    i.shop, -- The shop, as configured.
    i.shop || ':' || i.destination_id as destination_key, -- Shop and destination in one text; joins fct_returns and fct_return_shipments.
    i.destination_id, -- Loop's id of the destination.
    case when lower(trim(d.type)) not in ('', 'n/a') then d.type end as type, -- warehouse or donate; null where Loop's list does not have it.
    coalesce(case when lower(trim(d.name)) not in ('', 'n/a') then d.name end, t.name) as name, -- What the merchant calls it; else its name by the newest shipping notice that names the destination.
    d.enabled as is_enabled, -- Whether returns are sent there; null where Loop's list does not have it.
    d.id is not null and d._deleted_at is null as is_listed, -- True when Loop's list had it when it was last read; false also where the list was never read.
    case when lower(trim(d.provider_location_id)) not in ('', 'n/a') then d.provider_location_id end as provider_location_id, -- The Shopify location.
    coalesce(case when lower(trim(d.address_city)) not in ('', 'n/a') then d.address_city end, t.city) as city, -- Its city; else by the same notice.
    coalesce(case when lower(trim(d.address_state)) not in ('', 'n/a') then d.address_state end, t.state) as state, -- Its state or region; else by the same notice.
    case when lower(trim(d.address_country_code)) not in ('', 'n/a') then d.address_country_code end as country_code -- Its country, ISO 3166-1 alpha-2; notices do not have it.
from ids as i
left join destinations as d on d.shop = i.shop and d.id = i.destination_id
left join told as t on t.shop = i.shop and t.destination_id = i.destination_id and t.place = 1
where lower(trim(i.destination_id)) not in ('', 'n/a')
