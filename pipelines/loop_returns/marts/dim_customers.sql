-- One row per shopper who returned something, with the country of the latest return and when they first and last did so.
-- grain: one row per shopper; returns without a shopper are left out
-- key: shop, customer
-- answers: Who are the shoppers of the facts, where do they live, and since when do they return?
with ranked as (
    select
        f.shop,
        f.customer,
        f.country,
        f.country_code,
        f.submitted_at,
        f.is_void,
        row_number() over (
            partition by f.shop, f.customer, case when f.country_code is null or f.country_code = '' then 1 else 0 end
            order by f.submitted_at desc, f.return_id desc
        ) as country_rank
    from fct_returns as f
    where f.customer is not null and f.customer not in ('', 'n/a')
)
select
    r.shop, -- The shop, as configured.
    r.shop || ':' || r.customer as customer_key, -- Shop and shopper in one text, for tools that need a single key.
    r.customer, -- The shopper's e-mail address or its fingerprint, by the setting `pii`; there are no rows with `pii = drop`.
    max(case when r.country_rank = 1 then nullif(r.country_code, '') end) as country_code, -- Country of the shopper's latest return that names one, ISO 3166-1 alpha-2.
    max(case when r.country_rank = 1 and r.country_code <> '' then r.country end) as country, -- The same country in words.
    count(*) as returns, -- Returns, in every state.
    count(case when r.is_void then 1 end) as returns_void, -- Of them, cancelled and expired ones.
    min(r.submitted_at) as first_return_at, -- When the first return was submitted; cancelled and expired ones count.
    max(r.submitted_at) as last_return_at, -- When the latest was.
    count(case when not r.is_void then 1 end) > 1 as is_repeat -- True when more than one return was neither cancelled nor expired.
from ranked as r
group by r.shop, r.customer
