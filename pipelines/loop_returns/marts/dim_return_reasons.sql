-- One row per reason that shoppers gave, with the reason above it, and since when it is in use.
-- grain: one row per pair of reasons
-- key: shop, parent_reason, reason
-- answers: Which reasons can shoppers choose, and which of them are still in use?
select
    l.shop, -- The shop, as configured.
    l.reason_key, -- Shop and both reasons in one column; joins fct_return_lines.
    l.top_reason as parent_reason, -- The reason one level up, else the one chosen; '(none given)' without either.
    coalesce(l.reason, '(none given)') as reason, -- The reason the shopper chose, or '(none given)'.
    min(l.submitted_at) as first_used_at, -- When it was first given.
    max(l.submitted_at) as last_used_at, -- When it was last given.
    count(*) as units -- Units for which it was given, those of cancelled and expired returns too.
from fct_return_lines as l
group by l.shop, l.reason_key, l.top_reason, coalesce(l.reason, '(none given)')
