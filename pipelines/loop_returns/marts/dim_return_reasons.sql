-- One row per reason that shoppers gave, with the reason above it, and since when it is in use.
-- grain: one row per pair of reasons
-- key: shop, parent_reason, reason
-- answers: Which reasons can shoppers choose, and which of them are still in use?
select
    l.shop, -- The shop, as configured.
    coalesce(l.parent_reason, '(none given)') as parent_reason, -- The reason one level up.
    coalesce(l.reason, '(none given)') as reason, -- The reason the shopper chose.
    min(l.submitted_at) as first_used_at, -- When it was first given.
    max(l.submitted_at) as last_used_at, -- When it was last given.
    count(*) as units -- Units for which it was given, those of cancelled and expired returns too.
from fct_return_lines as l
group by l.shop, coalesce(l.parent_reason, '(none given)'), coalesce(l.reason, '(none given)')
