-- What the destinations are called.
select shop, destination_id, max(destination_name) as name
from {fct_return_notices}
where destination_id is not null
group by shop, destination_id
order by shop, destination_id
