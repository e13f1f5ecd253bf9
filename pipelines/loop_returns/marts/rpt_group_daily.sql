-- The money of rpt_returns_daily in one currency for all shops. It has rows once the setting `rates` names a table of currency rates.
-- grain: one row per day, date basis, return type and currency of the shop; pick one `date_basis`, or everything counts twice
-- key: shop, date_basis, day, return_type, currency
-- answers: What do all shops together return, keep and earn, in the group's currency?
with spans as ( /* a rate holds until the day of the next one */
    select
        upper(cast(r.currency as varchar)) as currency,
        cast(r.day as date) as day,
        cast(r.rate as decimal(18, 8)) as rate,
        lead(cast(r.day as date)) over (partition by upper(cast(r.currency as varchar)) order by cast(r.day as date)) as next_day
    from rates as r
    where r.rate is not null
),
priced as (
    select
        d.shop,
        d.date_basis,
        d.day,
        d.return_type,
        d.currency,
        s.day as rate_day,
        s.rate,
        d.returns,
        d.units_returned,
        cast(d.returned_value as decimal(18, 4)) as returned_value,
        cast(d.retained_revenue as decimal(18, 4)) as retained_revenue,
        cast(d.upsell as decimal(18, 4)) as upsell,
        cast(d.handling_fees as decimal(18, 4)) as handling_fees
    from rpt_returns_daily as d
    left join spans as s on s.currency = d.currency and s.day <= d.day and (s.next_day is null or s.next_day > d.day)
    where exists (select 1 as one from spans)
)
select
    p.shop, -- The shop, as configured.
    p.date_basis, -- submitted, ordered, refunded or closed, as in rpt_returns_daily.
    p.day, -- The day, in the shop's time zone.
    p.return_type, -- standard or warranty, or '(none)'.
    p.currency, -- Currency of the shop's amounts, which were converted.
    p.rate_day, -- Day of the rate: the latest that is not after the day. Null where there is none: then the amounts are null.
    p.rate, -- What one of that currency is worth in the group's.
    p.returns, -- Returns, without cancelled and expired ones.
    p.units_returned, -- Units returned.
    cast(round(p.returned_value * p.rate, 4) as decimal(18, 4)) as returned_value, -- Worth of what was returned, in the group's currency.
    cast(round(p.retained_revenue * p.rate, 4) as decimal(18, 4)) as retained_revenue, -- Of that, kept as exchange or store credit.
    cast(round(p.upsell * p.rate, 4) as decimal(18, 4)) as upsell, -- Extra that shoppers paid.
    cast(round(p.handling_fees * p.rate, 4) as decimal(18, 4)) as handling_fees -- Fees kept.
from priced as p
