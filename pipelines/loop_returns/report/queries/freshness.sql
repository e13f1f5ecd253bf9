-- How fresh each shop is.
select shop, synced_up_to, last_reconciled_at, last_outcome, returns, returns_deleted
from {rpt_sync_freshness}
order by shop
