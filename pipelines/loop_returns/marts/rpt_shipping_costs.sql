-- What shipping returns costs after the handling fees that shoppers bear. Fees are per return, so there is no such figure by carrier.
-- grain: one row per month of submission, method of return, return type and currency
-- key: shop, month, method, return_type, currency
-- answers: What does it cost to bring a return back, in labels less handling fees?
-- answers: Which method of return is the cheapest?
with labels as (
    select b.shop, b.return_id, count(*) as labels, count(b.rate) as priced, sum(b.rate) as rates
    from return_labels as b
    group by b.shop, b.return_id
),
returned as (
    select
        f.shop,
        cast(date_trunc('month', f.submitted_at at time zone $zone_of_f) as date) as month,
        coalesce(
            case when lower(trim(r.return_method_provider)) not in ('', 'n/a') then r.return_method_provider end, case when lower(trim(r.return_method)) not in ('', 'n/a') then r.return_method end, '(none given)'
        ) as method,
        coalesce(f.return_type, '(none given)') as return_type,
        coalesce(f.currency, '(none given)') as currency,
        f.is_void,
        coalesce(b.labels, case when r.label_rate is not null then 1 else 0 end) as labels,
        case when b.priced > 0 then b.priced when r.label_rate is not null then 1 else 0 end as priced,
        cast(coalesce(b.rates, r.label_rate, 0) / $label_rates_in_one as decimal(18, 4)) as cost,
        coalesce(f.handling_fee, 0) as fee
    from fct_returns as f
    join returns as r on r.shop = f.shop and r.id = f.return_id
    left join labels as b on b.shop = f.shop and b.return_id = f.return_id
    where f.submitted_at is not null
),
summed as (
    select
        r.shop,
        r.month,
        r.method,
        r.return_type,
        r.currency,
        count(case when not r.is_void then 1 end) as returns,
        sum(case when not r.is_void then r.labels else 0 end) as labels,
        sum(case when not r.is_void then r.priced else 0 end) as labels_priced,
        sum(case when not r.is_void then r.cost else 0 end) as label_cost,
        sum(case when not r.is_void then r.fee else 0 end) as handling_fees,
        sum(case when r.is_void then r.cost else 0 end) as label_cost_void
    from returned as r
    group by r.shop, r.month, r.method, r.return_type, r.currency
)
select
    s.shop, -- The shop, as configured.
    s.month, -- First day of the month in which the returns were submitted, in the shop's time zone.
    s.method, -- Who runs the way of return, such as happy_returns, or the way in one word; (none given) where Loop names neither.
    s.return_type, -- standard or warranty.
    s.currency, -- Currency of the returns and their fees; labels are taken to be priced in it, which the API does not say.
    s.returns, -- Returns, without cancelled and expired ones.
    cast(s.labels as bigint) as labels, -- Labels of these returns.
    cast(s.labels_priced as bigint) as labels_priced, -- Of them, those with a price; the rest counts as free.
    cast(s.label_cost as decimal(18, 4)) as label_cost, -- What these labels cost, by the setting `label_rate_unit`.
    cast(s.handling_fees as decimal(18, 4)) as handling_fees, -- Fees kept from shoppers for these returns.
    cast(s.label_cost - s.handling_fees as decimal(18, 4)) as net_cost, -- Labels less fees; below zero where fees exceed them.
    round(cast((s.label_cost - s.handling_fees) / nullif(s.returns, 0) as decimal(18, 8)), 4) as net_cost_per_return, -- That by the returns.
    cast(s.label_cost_void as decimal(18, 4)) as label_cost_void -- Prices of the labels of cancelled and expired returns, which are not in the cost: whether unused labels are charged depends on the carrier.
from summed as s
