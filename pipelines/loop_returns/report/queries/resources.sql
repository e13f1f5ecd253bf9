-- What the key of each shop may read, and how much of it there is.
select shop, resource, row_count, last_read_at, lacks_scope
from {rpt_sync_resources}
order by shop, last_read_at desc nulls last, resource
