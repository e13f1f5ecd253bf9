-- How fresh the mirror of each shop is, and how its last runs went.
-- grain: one row per shop
-- key: shop
-- answers: Up to when does the warehouse say what the shop says?
-- answers: When did the last run go well, and what did the latest one say?
with ranked as (
    select
        r.*,
        row_number() over (
            partition by r.shop
            order by case when r.started_at > current_timestamp then 1 else 0 end, r.started_at desc, r.run_id desc
        ) as calc_newest
    from _loop_sync_runs as r
),
runs as (
    select
        r.shop,
        max(case when r.calc_newest = 1 then r.command end) as last_command,
        max(case when r.calc_newest = 1 then r.outcome end) as last_outcome,
        max(case when r.calc_newest = 1 then r.started_at end) as last_run_at,
        max(case when r.calc_newest = 1 then r.error_message end) as last_error,
        max(case when r.exit_code in (0, 3) and r.command = 'sync' then r.finished_at end) as last_good_sync_at,
        max(case when coalesce(r.synced_up_to, r.cursor_after) <= current_timestamp then coalesce(r.synced_up_to, r.cursor_after) end) as synced_up_to,
        max(case when r.notices_up_to <= current_timestamp then r.notices_up_to end) as notices_up_to,
        max(case when r.exit_code in (0, 3) and r.command = 'reconcile' then r.finished_at end) as last_reconciled_at,
        count(case when r.outcome in ('failed', 'killed', 'interrupted') then 1 end) as runs_failed,
        count(*) as runs
    from ranked as r
    group by r.shop
),
held as (
    select
        r.shop,
        count(case when r._deleted_at is null then 1 end) as returns,
        count(r._deleted_at) as returns_deleted,
        max(case when r._deleted_at is null then r.created_at end) as newest_return_at,
        max(case when r._deleted_at is null then r.updated_at end) as newest_change_at
    from returns as r
    group by r.shop
),
shops as (
    select runs.shop from runs
    union
    select held.shop from held
)
select
    s.shop, -- The shop, as configured.
    runs.synced_up_to, -- Everything Loop changed in returns before this moment is in the warehouse.
    cast(date_diff('second', runs.synced_up_to at time zone 'UTC', current_timestamp at time zone 'UTC') / 3600.0 as decimal(18, 2)) as hours_behind, -- Hours since then.
    runs.notices_up_to, -- The same of the shipping notices; earlier where later syncs left them out, null where none has read them.
    runs.last_good_sync_at, -- When the last sync ended well.
    runs.last_reconciled_at, -- When reconcile last compared the warehouse with the shop.
    runs.last_run_at, -- When the latest run of any kind started.
    runs.last_command, -- What it was.
    runs.last_outcome, -- How it went.
    runs.last_error, -- What it said when it failed.
    coalesce(runs.runs, 0) as runs, -- Runs on record.
    coalesce(runs.runs_failed, 0) as runs_failed, -- Of them, failed, killed or interrupted.
    coalesce(held.returns, 0) as returns, -- Returns in the warehouse.
    coalesce(held.returns_deleted, 0) as returns_deleted, -- Returns that Loop no longer has.
    held.newest_return_at, -- When the latest return was submitted.
    held.newest_change_at -- When a return last changed.
from shops as s
left join runs on runs.shop = s.shop
left join held on held.shop = s.shop
