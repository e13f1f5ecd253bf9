-- All shops in the group's currency, by day of submission; `unrated` are returns of days without a rate.
select
    shop,
    coalesce(currency, '(none)') as own_currency,
    day,
    cast(sum(returns) as bigint) as returns,
    cast(coalesce(sum(case when rate is null then returns end), 0) as bigint) as unrated,
    {sum:returned_value} as returned,
    {sum:retained_revenue} as retained,
    {sum:upsell} as upsell,
    {sum:handling_fees} as fees
from {rpt_group_daily}
where date_basis = 'submitted' and day >= {since}
group by shop, coalesce(currency, '(none)'), day
order by shop, own_currency, day
