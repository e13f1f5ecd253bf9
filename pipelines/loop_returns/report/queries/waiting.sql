-- Returns that are open or in review.
select
    shop,
    coalesce(currency, '(none)') as currency,
    state,
    age_bucket as age,
    stage,
    returns,
    units,
    returned_value as returned,
    refund_due
from {rpt_return_aging}
order by shop, currency, age, stage, state
