-- What shipping costs after fees, by month of submission and method.
select
    shop,
    coalesce(currency, '(none)') as currency,
    method,
    month,
    cast(sum(returns) as bigint) as returns,
    cast(sum(labels) as bigint) as labels,
    cast(sum(labels_priced) as bigint) as priced,
    {sum:label_cost} as cost,
    {sum:handling_fees} as fees,
    {sum:net_cost} as net,
    {sum:label_cost_void} as void_cost
from {rpt_shipping_costs}
where month >= date_trunc('month', {since})
group by shop, coalesce(currency, '(none)'), method, month
order by shop, currency, method, month
