-- What each shopper has returned: how often, how much, what was retained and what refunded.
-- grain: one row per shopper and currency; returns without a shopper are left out
-- key: shop, customer, currency
-- answers: Who returns most, and who always takes the money?
-- answers: How many shoppers returned more than once?
select
    f.shop, -- The shop, as configured.
    f.customer, -- The shopper's e-mail address or its fingerprint, by the setting `pii`; there are no rows with `pii = drop`.
    coalesce(f.currency, '(none)') as currency, -- Currency of the amounts, or '(none)'.
    count(case when not f.is_void then 1 end) as returns, -- Returns, without cancelled and expired ones.
    count(case when f.is_void then 1 end) as returns_void, -- Cancelled and expired returns.
    count(case when not f.is_void and f.return_type = 'warranty' then 1 end) as returns_warranty, -- Of the returns, warranty claims.
    count(distinct case when not f.is_void then f.provider_order_id end) as orders, -- Orders they belong to, those of cancelled and expired returns left out.
    cast(coalesce(sum(case when not f.is_void then f.units_returned end), 0) as bigint) as units_returned, -- Units returned.
    coalesce(sum(case when not f.is_void then f.returned_value end), 0) as returned_value, -- What they are worth.
    coalesce(sum(case when not f.is_void then f.retained_revenue end), 0) as retained_revenue, -- Of that, kept as exchange or store credit.
    cast(round(cast(coalesce(sum(case when not f.is_void then f.retained_revenue end), 0) / nullif(sum(case when not f.is_void then f.returned_value end), 0) as decimal(28, 9)) + 0.000000001, 4) as decimal(18, 4)) as retained_ratio, -- Retained revenue by returned value.
    coalesce(sum(case when not f.is_void then f.refunded end), 0) as refunded, -- Refunds chosen, whether paid or not.
    coalesce(sum(case when not f.is_void then f.refunded_evidenced end), 0) as refunded_evidenced, -- Of them, with a date of a refund.
    count(case when not f.is_void and f.has_refund and not f.has_exchange and not f.has_credit then 1 end) as refund_only_returns, -- Returns where all the shopper took was money.
    min(case when not f.is_void then f.submitted_at end) as first_return_at, -- When the first return was submitted, without cancelled and expired ones.
    max(case when not f.is_void then f.submitted_at end) as last_return_at -- When the latest return was submitted, without them.
from fct_returns as f
where f.customer is not null
group by f.shop, f.customer, coalesce(f.currency, '(none)')
