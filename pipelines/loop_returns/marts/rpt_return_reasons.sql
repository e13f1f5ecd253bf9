-- Units, value and refunds by reason and month of the return.
-- grain: one row per month, pair of reasons, return type and currency; cancelled and expired returns are left out
-- key: shop, month, currency, return_type, parent_reason, reason
-- answers: Why do shoppers send things back, and how does that change?
-- answers: Which reasons end in refunds, and which in exchanges?
select
    l.shop, -- The shop, as configured.
    cast(date_trunc('month', l.submitted_date) as date) as month, -- First day of the month in which the return was submitted, in the shop's time zone.
    coalesce(l.currency, '(none)') as currency, -- Currency of the amounts, or '(none)'.
    coalesce(l.return_type, '(none)') as return_type, -- standard or warranty, or '(none)'.
    l.reason_key, -- Joins dim_return_reasons.
    l.top_reason as parent_reason, -- The reason one level up, else the one chosen; '(none given)' without either.
    coalesce(l.reason, '(none given)') as reason, -- The reason the shopper chose, or '(none given)'.
    count(*) as units_returned, -- Units returned.
    count(distinct l.return_id) as returns, -- Returns they came with.
    sum(l.returned_value) as returned_value, -- What they are worth.
    coalesce(sum(l.refunded), 0) as refunded, -- Refunds chosen for them, whether paid or not.
    coalesce(sum(l.refunded_evidenced), 0) as refunded_evidenced, -- Of them, of returns with a date of a refund.
    cast(round(cast(coalesce(sum(l.refunded), 0) / nullif(sum(l.returned_value), 0) as decimal(28, 9)) + 0.000000001, 4) as decimal(18, 4)) as refunded_ratio, -- Refunds chosen by returned value.
    count(l.comment_text) as comments -- Units to which the shopper wrote something.
from fct_return_lines as l
where not l.is_void
group by
    l.shop,
    cast(date_trunc('month', l.submitted_date) as date),
    coalesce(l.currency, '(none)'),
    coalesce(l.return_type, '(none)'),
    l.reason_key,
    l.top_reason,
    coalesce(l.reason, '(none given)')
