-- Returns, value, retained revenue and refunds by day, once each by the day on which they were submitted, ordered, refunded and closed.
-- grain: one row per day, date basis, return type and currency; pick one `date_basis`, or everything counts twice
-- key: shop, date_basis, day, return_type, currency
-- answers: How do returns, refunds and the retained share develop?
-- answers: Of the orders placed in a month, what came back? (date_basis = 'ordered', as in Loop's own dashboard)
-- answers: How much was refunded, or closed, on a day? (date_basis = 'refunded' or 'closed')
-- answers: How long did delivery, refund and closing take, and for how many returns is that known?
with bases as (
    select 'submitted' as date_basis
    union all
    select 'ordered' as date_basis
    union all
    select 'refunded' as date_basis
    union all
    select 'closed' as date_basis
),
dated as (
    select
        f.*,
        b.date_basis,
        case b.date_basis
            when 'submitted' then f.submitted_date
            when 'ordered' then f.ordered_date
            when 'refunded' then f.refunded_date
            else f.closed_date
        end as day
    from fct_returns as f
    cross join bases as b
)
select
    d.shop, -- The shop, as configured.
    d.date_basis, -- submitted: the day of the return. ordered, refunded, closed: the day of the order, the first refund, the closing; returns for which that is not known are missing there.
    d.day, -- The day, in the shop's time zone.
    coalesce(d.return_type, '(none)') as return_type, -- standard or warranty, or '(none)'.
    coalesce(d.currency, '(none)') as currency, -- Currency of the amounts, or '(none)'.
    count(case when not d.is_void then 1 end) as returns, -- Returns, without cancelled and expired ones.
    count(case when d.state = 'open' then 1 end) as returns_open, -- Of them, still open.
    count(case when d.state = 'review' then 1 end) as returns_in_review, -- Of them, waiting for the merchant.
    count(case when d.state = 'closed' then 1 end) as returns_closed, -- Of them, closed.
    count(case when d.state = 'cancelled' then 1 end) as returns_cancelled, -- Cancelled returns.
    count(case when d.state = 'expired' then 1 end) as returns_expired, -- Returns that were never sent back.
    count(case when not d.is_void and d.has_exchange then 1 end) as returns_with_exchange, -- Returns with an exchange.
    count(case when not d.is_void and d.has_refund then 1 end) as returns_with_refund, -- Returns with a refund.
    count(case when not d.is_void and d.has_credit then 1 end) as returns_with_credit, -- Returns with store credit.
    count(case when not d.is_void and d.has_upsell then 1 end) as returns_with_upsell, -- Returns with an upsell.
    cast(coalesce(sum(case when not d.is_void then d.units_returned end), 0) as bigint) as units_returned, -- Units returned.
    coalesce(sum(case when not d.is_void then d.returned_value end), 0) as returned_value, -- Worth of what was returned.
    coalesce(sum(case when not d.is_void then d.retained_revenue end), 0) as retained_revenue, -- Of that, kept as exchange or store credit.
    coalesce(sum(case when not d.is_void then d.retained_as_exchange end), 0) as retained_as_exchange, -- Of that, exchanges.
    coalesce(sum(case when not d.is_void then d.retained_as_credit end), 0) as retained_as_credit, -- Of that, store credit.
    cast(round(cast(coalesce(sum(case when not d.is_void then d.retained_revenue end), 0) / nullif(sum(case when not d.is_void then d.returned_value end), 0) as decimal(28, 9)) + 0.000000001, 4) as decimal(18, 4)) as retained_ratio, -- Retained revenue by returned value.
    coalesce(sum(case when not d.is_void then d.refunded end), 0) as refunded, -- Refunds chosen, whether paid or not.
    coalesce(sum(case when not d.is_void then d.refunded_evidenced end), 0) as refunded_evidenced, -- Of them, with a date of a refund.
    count(case when d.is_void and d.refunded_at is not null then 1 end) as void_refunded, -- Cancelled and expired returns that have a date of a refund all the same; their amounts are in the next column only.
    coalesce(sum(case when d.is_void then d.refunded_evidenced end), 0) as void_refunded_evidenced, -- What was chosen as refund for them.
    coalesce(sum(case when not d.is_void then d.upsell end), 0) as upsell, -- Extra that shoppers paid.
    coalesce(sum(case when not d.is_void then d.handling_fee end), 0) as handling_fees, -- Fees kept.
    cast(round(cast(avg(case when not d.is_void then d.days_to_deliver end) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as avg_days_to_deliver, -- Mean days to delivery.
    count(case when not d.is_void then d.days_to_deliver end) as returns_delivered, -- Returns for which that is known.
    cast(round(cast(avg(case when not d.is_void then d.days_to_refund end) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as avg_days_to_refund, -- Mean days to the refund.
    count(case when not d.is_void then d.days_to_refund end) as returns_refunded, -- Returns for which that is known.
    cast(round(cast(avg(case when not d.is_void then d.days_to_close end) as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) as avg_days_to_close, -- Mean days to closing.
    count(case when not d.is_void then d.days_to_close end) as returns_close_known, -- Returns for which that is known.
    count(case when not d.is_void and d.impossible_durations > 0 then 1 end) as returns_impossible -- Returns that were ordered after, or delivered, refunded or closed before they were submitted; these days are in no mean.
from dated as d
where d.day is not null
group by d.shop, d.date_basis, d.day, coalesce(d.return_type, '(none)'), coalesce(d.currency, '(none)')
