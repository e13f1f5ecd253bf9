-- What Loop lets the key of each shop read: rows of each resource, when it was last read, and whether the key lacks its scope.
-- grain: one row per shop and resource
-- key: shop, resource
-- answers: Which of Loop's resources does the warehouse have, and how old are they?
-- answers: What may the shop's key not read?
with counts as (
    select t.shop, 'returns' as table_name, count(*) as held, count(t._deleted_at) as gone from returns as t group by t.shop
    union all
    select t.shop, 'advanced_shipping_notices', count(*), count(t._deleted_at) from advanced_shipping_notices as t group by t.shop
    union all
    select t.shop, 'destinations', count(*), count(t._deleted_at) from destinations as t group by t.shop
    union all
    select t.shop, 'allowlist_items', count(*), count(t._deleted_at) from allowlist_items as t group by t.shop
    union all
    select t.shop, 'blocklist_items', count(*), count(t._deleted_at) from blocklist_items as t group by t.shop
    union all
    select t.shop, 'label_requests', count(*), count(t._deleted_at) from label_requests as t group by t.shop
    union all
    select t.shop, 'happy_returns_shipments', count(*), count(t._deleted_at) from happy_returns_shipments as t group by t.shop
    union all
    select t.shop, 'webhook_subscriptions', count(*), count(t._deleted_at) from webhook_subscriptions as t group by t.shop
    union all
    select t.shop, 'return_notes', count(*), count(t._deleted_at) from return_notes as t group by t.shop
    union all
    select t.shop, 'return_details', count(*), count(t._deleted_at) from return_details as t group by t.shop
),
resources as (
    select 'returns' as resource, 'returns' as table_name
    union all
    select 'advanced_shipping_notices', 'advanced_shipping_notices'
    union all
    select 'destinations', 'destinations'
    union all
    select 'allowlist_items', 'allowlist_items'
    union all
    select 'blocklist_items', 'blocklist_items'
    union all
    select 'label_requests', 'label_requests'
    union all
    select 'happy_returns_shipments', 'happy_returns_shipments'
    union all
    select 'webhooks', 'webhook_subscriptions'
    union all
    select 'return_notes', 'return_notes'
    union all
    select 'return_details', 'return_details'
),
runs as ( /* other commands read some days of a resource */
    select
        s.shop,
        s.finished_at,
        replace(cast(s.resources as text), ' ', '') as said,
        s.exit_code in (0, 3) as is_good,
        row_number() over (
            partition by s.shop, case when s.exit_code in (0, 3) then 1 else 0 end
            order by s.started_at desc, s.run_id desc
        ) as place
    from _loop_sync_runs as s
    where s.command = 'sync'
),
reads as (
    select
        r.shop,
        e.resource,
        max(case when r.said like '%"' || e.resource || '":"read"%' then r.finished_at end) as last_read_at,
        max(case when r.is_good and r.place = 1 and r.said like '%"' || e.resource || '":"refused"%' then 1 else 0 end) as refused
    from runs as r
    cross join resources as e
    group by r.shop, e.resource
)
select
    s.shop, -- The shop, as configured.
    e.resource, -- Its name, as `--only` takes it.
    e.table_name, -- The table that its rows are in.
    coalesce(c.held, 0) - coalesce(c.gone, 0) as row_count, -- Rows that Loop still has.
    coalesce(c.gone, 0) as rows_deleted, -- Rows that Loop no longer has.
    r.last_read_at, -- When a sync ended that had read all of it that was due, however that sync ended; null when none did.
    coalesce(r.refused, 0) = 1 as lacks_scope -- True when the latest good sync was refused it, as the key lacks the scope.
from dim_shops as s
cross join resources as e
left join counts as c on c.shop = s.shop and c.table_name = e.table_name
left join reads as r on r.shop = s.shop and r.resource = e.resource
