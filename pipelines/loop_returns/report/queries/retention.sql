-- Exchanges by month: kept, or come back.
select
    shop,
    coalesce(currency, '(none)') as currency,
    month,
    cast(sum(exchanges) as bigint) as exchanges,
    cast(sum(exchanges_settled) as bigint) as settled,
    cast(sum(returned_again) as bigint) as returned_again,
    cast(sum(returns_later) as bigint) as returns_later,
    {sum:retained_revenue} as retained,
    {sum:refunded_later} as refunded_later,
    {sum:retained_after} as retained_after
from {rpt_exchange_retention}
where month >= date_trunc('month', {since})
group by shop, coalesce(currency, '(none)'), month
order by shop, currency, month
