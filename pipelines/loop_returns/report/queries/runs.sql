-- The last twelve runs of each shop, and the last reconcile that ended well, however long ago.
with ranked as (
    select
        r.*,
        row_number() over (partition by shop order by started_at desc, run_id desc) as place,
        row_number() over (
            partition by shop, command, case when exit_code in (0, 3) then 1 else 0 end
            order by started_at desc, run_id desc
        ) as place_of_command
    from {_loop_sync_runs} as r
)
select shop, command, started_at, outcome, seconds, rows_new, rows_changed, drift, checks, error_message
from ranked
where place <= 12 or (command = 'reconcile' and exit_code in (0, 3) and place_of_command = 1)
order by started_at desc, shop
