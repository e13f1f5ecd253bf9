-- Units that are still to arrive.
select
    shop,
    coalesce(currency, '(none)') as currency,
    {destination} as destination,
    expected_date as day,
    stage,
    case when is_overdue then 1 else 0 end as overdue,
    cast(sum(returns) as bigint) as returns,
    cast(sum(units) as bigint) as units,
    {sum:returned_value} as returned
from {rpt_inbound_forecast}
group by shop, coalesce(currency, '(none)'), {destination}, expected_date, stage, case when is_overdue then 1 else 0 end
order by shop, currency, destination, day, stage
