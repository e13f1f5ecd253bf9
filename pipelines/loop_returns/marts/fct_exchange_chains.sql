-- One row per return that led to an exchange order, with the returns of what was sent in exchange, and of what was sent for those.
-- grain: one row per chain of exchanges, by its first return; cancelled and expired returns neither begin nor continue one
-- key: shop, return_id
-- answers: Did the exchange stick, or did it come back as well?
-- answers: What of the retained value is left when the returns that followed are counted?
with recursive held as (
    select
        f.shop,
        f.return_id,
        f.provider_order_id,
        f.return_type,
        f.customer,
        f.currency,
        f.submitted_at,
        f.returned_value,
        f.retained_revenue,
        coalesce(r.refund, 0) as refund,
        r.outcomes_processed_at_exchange_processed as placed_at
    from fct_returns as f
    join returns as r on r.shop = f.shop and r.id = f.return_id
    where not f.is_void
),
placed as ( /* an exchange order belongs to one return */
    select e.shop, e.exchange_order_id, min(e.return_id) as return_id
    from return_exchanges as e
    join held as h on h.shop = e.shop and h.return_id = e.return_id
    where lower(trim(e.exchange_order_id)) not in ('', 'n/a')
    group by e.shop, e.exchange_order_id
),
links as (
    select p.shop, p.return_id, h.return_id as next_return_id
    from placed as p
    join held as h on h.shop = p.shop and h.provider_order_id = p.exchange_order_id
    where h.return_id <> p.return_id
),
roots as (
    select distinct p.shop, p.return_id
    from placed as p
    left join links as l on l.shop = p.shop and l.next_return_id = p.return_id
    where l.return_id is null
),
steps as ( /* each return has one return before it at most, so this comes to an end */
    select o.shop, o.return_id as first_id, o.return_id, 0 as step
    from roots as o
    union all
    select t.shop, t.first_id, l.next_return_id as return_id, t.step + 1 as step
    from steps as t
    join links as l on l.shop = t.shop and l.return_id = t.return_id
),
later as (
    select
        t.shop,
        t.first_id,
        count(*) as returns_later,
        max(t.step) as longest,
        min(h.submitted_at) as next_at,
        sum(case when h.currency is not distinct from i.currency then h.returned_value end) as returned_later,
        sum(case when h.currency is not distinct from i.currency then h.refund end) as refunded_later
    from steps as t
    join held as h on h.shop = t.shop and h.return_id = t.return_id
    join held as i on i.shop = t.shop and i.return_id = t.first_id
    where t.step > 0
    group by t.shop, t.first_id
),
placed_orders as (
    select t.shop, t.first_id, count(*) as exchange_orders, min(case when t.step = 0 then p.exchange_order_id end) as first_order_id
    from steps as t
    join placed as p on p.shop = t.shop and p.return_id = t.return_id
    group by t.shop, t.first_id
)
select
    h.shop, -- The shop, as configured.
    h.shop || ':' || h.return_id as chain_key, -- Shop and first return in one text, for tools that need a single key.
    h.return_id, -- The first return: the one of an ordinary order.
    o.first_order_id as exchange_order_id, -- The Shopify order of its exchange; the first by id where there are several.
    h.return_type, -- standard or warranty, of the first return.
    h.customer, -- The shopper, as in fct_returns.
    h.currency, -- Currency of the first return, and of every amount of the row.
    h.submitted_at, -- When the first return was submitted.
    coalesce(h.placed_at, h.submitted_at) as exchanged_at, -- When Loop placed the exchange order; where it does not say, when the return was submitted.
    l.returns_later is null as is_kept, -- True while nothing sent in exchange has come back.
    coalesce(l.returns_later, 0) as returns_later, -- Returns of what was sent in exchange, and of what was sent for those.
    cast(coalesce(l.longest, 0) + 1 as bigint) as chain_length, -- Returns that follow on one another; 1 when nothing came back.
    o.exchange_orders, -- Exchange orders of the chain.
    l.next_at as next_return_at, -- When the first of the later returns was submitted.
    cast(round(cast(date_diff('second', coalesce(h.placed_at, h.submitted_at) at time zone 'UTC', l.next_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_to_next_return, -- Days from the exchange to that return.
    coalesce(h.returned_value, 0) as returned_value, -- What was returned first is worth.
    coalesce(h.retained_revenue, 0) as retained_revenue, -- Of that, kept as exchange or store credit, as the first return says.
    coalesce(l.returned_later, 0) as returned_later, -- What the later returns are worth; those in another currency are counted above, and are in no amount.
    coalesce(l.refunded_later, 0) as refunded_later, -- Refunds chosen in the later returns of the same currency.
    coalesce(h.retained_revenue, 0) - coalesce(l.refunded_later, 0) as retained_after, -- Retained less those refunds; below zero where more went back than was retained, as after an upsell.
    coalesce(coalesce(h.placed_at, h.submitted_at) < k.read_up_to - interval '1440 hours', false) as is_settled -- True when the exchange was 60 days ago when the shop was last read: long enough to come back.
from held as h
join placed_orders as o on o.shop = h.shop and o.first_id = h.return_id
left join later as l on l.shop = h.shop and l.first_id = h.return_id
left join dim_shops as k on k.shop = h.shop
