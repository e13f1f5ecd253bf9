-- Shipments by carrier and month of the return: delivered, on their way, with problems, never sent; days and label prices.
-- grain: one row per carrier, month, return type and currency; labels of cancelled and expired returns count as void unless delivered
-- key: shop, carrier, month, return_type, currency
-- answers: How long does each carrier take, and for how many packages is that known?
-- answers: How long does the carrier itself take, from its first scan on: the middle package, and nine of ten?
-- answers: How many labels are never used, and what do labels cost?
select
    s.shop, -- The shop, as configured.
    coalesce(s.carrier, '(unknown)') as carrier, -- The carrier.
    cast(date_trunc('month', s.submitted_date) as date) as month, -- First day of the month in which the return was submitted, in the shop's time zone.
    coalesce(s.return_type, '(none)') as return_type, -- standard or warranty, or '(none)'.
    coalesce(s.currency, '(none)') as currency, -- Currency of the returns, or '(none)'.
    count(*) as labels, -- Labels made.
    count(case when s.stage = 'delivered' then 1 end) as delivered, -- Of them, delivered.
    count(case when s.stage = 'on its way' and not s.is_void then 1 end) as on_the_way, -- Of them, on their way.
    count(case when s.stage = 'problem' and not s.is_void then 1 end) as problems, -- Of them, with an error reported.
    count(case when s.stage = 'not sent' and not s.is_void then 1 end) as not_sent, -- Of them, not sent yet.
    count(case when s.stage = 'unknown' and not s.is_void then 1 end) as unknown, -- Of them, with another state or none.
    count(case when s.stage <> 'delivered' and s.is_void then 1 end) as void, -- Of them, not delivered and of a cancelled or expired return. These six add up to the labels.
    cast(round(cast(avg(s.days_to_deliver) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as avg_days_to_deliver, -- Mean days from submitting to delivery, the shopper's own included.
    cast(
        round(cast(percentile_cont(0.5) within group (order by cast(s.days_to_deliver as double)) as decimal(18, 6)) + 0.0001, 2)
        as decimal(18, 2)
    ) as median_days_to_deliver, -- The middle one.
    max(s.days_to_deliver) as max_days_to_deliver, -- The longest.
    count(s.days_to_deliver) as measured, -- Labels for which the days are known.
    cast(
        round(cast(percentile_cont(0.5) within group (order by cast(s.days_in_transit as double)) as decimal(18, 6)) + 0.0001, 2)
        as decimal(18, 2)
    ) as median_days_in_transit, -- Days from the first scan that a run saw to delivery: half of the packages take no longer.
    cast(
        round(cast(percentile_cont(0.9) within group (order by cast(s.days_in_transit as double)) as decimal(18, 6)) + 0.0001, 2)
        as decimal(18, 2)
    ) as p90_days_in_transit, -- Nine of ten take no longer.
    count(s.days_in_transit) as measured_in_transit, -- Labels for which these days are known.
    count(case when s.is_impossible then 1 end) as impossible, -- Labels delivered before their return was submitted; they are in no mean.
    sum(s.label_rate) as label_rate_total, -- Sum of label prices as the API gives them; unit not documented.
    count(s.label_rate) as labels_with_rate -- Labels that have a price.
from fct_return_shipments as s
group by
    s.shop,
    coalesce(s.carrier, '(unknown)'),
    cast(date_trunc('month', s.submitted_date) as date),
    coalesce(s.return_type, '(none)'),
    coalesce(s.currency, '(none)')
