-- Which countries returns come from and which destinations they go to, and how many.
select shop, country_code, destination_id, count(*) as returns
from {fct_returns}
where not is_void and submitted_date >= {since}
group by shop, country_code, destination_id
order by returns desc, country_code, destination_id
