-- Returns that are open or in review.
select
    shop,
    coalesce(currency, '(none)') as currency,
    state,
    age_bucket as age,
    stage,
    cast(sum(returns) as bigint) as returns,
    cast(sum(units) as bigint) as units,
    {sum:returned_value} as returned,
    {sum:refund_due} as refund_due
from {rpt_return_aging}
group by shop, coalesce(currency, '(none)'), state, age_bucket, stage
order by shop, currency, age, stage, state
