-- How many exchanges were kept, and what of the retained value is left when later returns of the exchanged goods are counted.
-- grain: one row per month of the exchange, return type and currency
-- key: shop, month, return_type, currency
-- answers: What share of exchanges sticks?
-- answers: How much of the retained revenue is lost again to later refunds?
with dated as (
    select
        c.*,
        cast(date_trunc('month', c.exchanged_at at time zone $zone_of_c) as date) as calc_month,
        coalesce(c.return_type, '(none given)') as calc_type,
        coalesce(c.currency, '(none given)') as calc_currency,
        c.is_settled and c.next_return_at <= c.exchanged_at + interval '1440 hours' as calc_returned
    from fct_exchange_chains as c
    where c.exchanged_at is not null
)
select
    d.shop, -- The shop, as configured.
    d.calc_month as month, -- First day of the month in which the exchange order was placed, in the shop's time zone.
    d.calc_type as return_type, -- standard or warranty, of the first return.
    d.calc_currency as currency, -- Currency of the amounts.
    count(*) as exchanges, -- Returns of ordinary orders that led to an exchange order.
    count(case when d.is_settled then 1 end) as exchanges_settled, -- Of them, those whose exchange was 60 days ago when the shop was last read.
    count(case when d.calc_returned then 1 end) as returned_again, -- Of the settled, those of which something came back within 60 days.
    round(
        cast(
            1 - cast(count(case when d.calc_returned then 1 end) as decimal(18, 4))
            / nullif(count(case when d.is_settled then 1 end), 0) as decimal(18, 8)
        ),
        4
    ) as share_kept, -- Share of the settled that were kept; null while none is settled.
    count(case when d.chain_length > 2 then 1 end) as exchanged_repeatedly, -- Chains in which the exchange of an exchange came back.
    cast(sum(d.returns_later) as bigint) as returns_later, -- Later returns in all.
    sum(d.returned_value) as returned_value, -- What was returned first is worth.
    sum(d.retained_revenue) as retained_revenue, -- Of that, kept as exchange or store credit, as the first returns say.
    sum(d.refunded_later) as refunded_later, -- Refunds chosen in the later returns of the same currency.
    sum(d.retained_after) as retained_after -- Retained less those refunds, so far: the later returns of recent exchanges are still to come.
from dated as d
group by d.shop, d.calc_month, d.calc_type, d.calc_currency
