-- Units, value and refunds by reason and month of the return.
-- grain: one row per month, pair of reasons and currency; cancelled and expired returns are left out
-- key: shop, month, currency, parent_reason, reason
-- answers: Why do shoppers send things back, and how does that change?
-- answers: Which reasons end in refunds, and which in exchanges?
select
    l.shop, -- The shop, as configured.
    cast(date_trunc('month', l.submitted_date) as date) as month, -- First day of the month in which the return was submitted, UTC.
    l.currency, -- Currency of the amounts.
    coalesce(l.parent_reason, '(none given)') as parent_reason, -- The reason one level up.
    coalesce(l.reason, '(none given)') as reason, -- The reason the shopper chose.
    count(*) as units_returned, -- Units returned.
    count(distinct l.return_id) as returns, -- Returns they came with.
    sum(l.returned_value) as returned_value, -- What they are worth.
    coalesce(sum(l.refunded), 0) as refunded, -- Refunded for them.
    cast(coalesce(sum(l.refunded), 0) / nullif(sum(l.returned_value), 0) as decimal(18, 4)) as refunded_ratio, -- Refunded by returned value.
    count(l.comment_text) as comments -- Units to which the shopper wrote something.
from fct_return_lines as l
where not l.is_void
group by
    l.shop,
    cast(date_trunc('month', l.submitted_date) as date),
    l.currency,
    coalesce(l.parent_reason, '(none given)'),
    coalesce(l.reason, '(none given)')
