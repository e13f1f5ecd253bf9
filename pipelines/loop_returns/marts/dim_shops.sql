-- One row per shop, since when runs have observed it, and up to when the warehouse knows it.
-- grain: one row per shop
-- key: shop
-- answers: Since when, and up to when, is a shop known?
with moments as ( /* a time that is still to come was a wrong clock's */
    select
        s.shop,
        case when s.command = 'sync' and s.exit_code in (0, 3) then coalesce(s.synced_up_to, s.finished_at) end as observed_from,
        case when s.synced_up_to <= current_timestamp then s.synced_up_to end as read_up_to
    from _loop_sync_runs as s
    union all
    select
        r.shop,
        cast(null as timestamptz) as observed_from,
        case when r.updated_at <= current_timestamp then r.updated_at end as read_up_to
    from returns as r
)
select
    m.shop, -- The shop, as configured.
    min(m.observed_from) as observed_from, -- The first good sync: from then on changes of state were seen; null when none is on record.
    max(m.read_up_to) as read_up_to -- Up to when the returns are known: the last sync, or the latest change of a return.
from moments as m
group by m.shop
