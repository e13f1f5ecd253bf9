-- Days in each state, and what came back out of it, by month of submission.
select
    shop,
    coalesce(currency, '(none)') as currency,
    state,
    cast(date_trunc('month', submitted_date) as date) as month,
    count(*) as stays,
    count(case when is_current then 1 end) as current,
    count(days) as measured,
    {sum:days} as days,
    count(case when state in ('closed', 'cancelled', 'expired') and next_state in ('open', 'review') then 1 end) as reopened
from {fct_return_states}
where cast(date_trunc('month', submitted_date) as date) >= date_trunc('month', {since})
group by shop, coalesce(currency, '(none)'), state, cast(date_trunc('month', submitted_date) as date)
order by shop, currency, state, month
