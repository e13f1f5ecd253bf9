-- Where returns and shipping notices say different things about a unit: of one moment, or perhaps only because one is ahead.
select
    shop,
    coalesce(currency, '(none)') as currency,
    mismatch,
    count(*) as found,
    count(case when is_same_moment then 1 end) as same_moment,
    count(distinct return_id) as returns
from {rpt_notice_mismatches}
where mismatch in ('state', 'outcome', 'price')
group by shop, coalesce(currency, '(none)'), mismatch
order by shop, currency, mismatch
