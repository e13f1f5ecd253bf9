-- One row per return that led to an exchange order, with the returns of what was sent in exchange, and of what was sent for those.
-- grain: one row per chain of exchanges, by its first return; cancelled and expired returns neither begin nor continue one
-- key: shop, return_id
-- answers: Did the exchange stick, or did it come back as well?
-- answers: What of the retained value is left when the returns that followed are counted?
with recursive held as ( /* with what dim_shops says, here where PostgreSQL knows how many rows there are */
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
        r.outcomes_processed_at_exchange_processed as placed_at,
        k.read_up_to
    from fct_returns as f
    join returns as r on r.shop = f.shop and r.id = f.return_id
    left join dim_shops as k on k.shop = f.shop
    where not f.is_void
),
placed as ( /* an exchange order belongs to one return */
    select e.shop, e.exchange_order_id, min(e.return_id) as return_id
    from return_exchanges as e
    join held as h on h.shop = e.shop and h.return_id = e.return_id
    where lower(trim(e.exchange_order_id)) not in ('', 'n/a')
    group by e.shop, e.exchange_order_id
),
placings as (
    select p.shop, p.return_id, count(*) as exchange_orders, min(p.exchange_order_id) as first_order_id
    from placed as p
    group by p.shop, p.return_id
),
members as (
    select h.*, coalesce(o.exchange_orders, 0) as exchange_orders, o.first_order_id
    from held as h
    left join placings as o on o.shop = h.shop and o.return_id = h.return_id
),
links as ( /* a return, and one of what it sent in exchange */
    select p.return_id as previous_id, m.*
    from placed as p
    join members as m on m.shop = p.shop and m.provider_order_id = p.exchange_order_id
    where m.return_id <> p.return_id
),
steps as ( /* each return has one return before it at most, so this comes to an end */
    select m.shop, m.return_id as first_id, m.currency as first_currency, 0 as step, m.return_id, m.return_type, m.customer, m.currency, m.submitted_at, m.returned_value, m.retained_revenue, m.refund, m.placed_at, m.read_up_to, m.exchange_orders, m.first_order_id
    from members as m
    left join links as l on l.shop = m.shop and l.return_id = m.return_id
    where m.exchange_orders > 0 and l.shop is null
    union all
    select t.shop, t.first_id, t.first_currency, t.step + 1 as step, l.return_id, l.return_type, l.customer, l.currency, l.submitted_at, l.returned_value, l.retained_revenue, l.refund, l.placed_at, l.read_up_to, l.exchange_orders, l.first_order_id
    from steps as t
    join links as l on l.shop = t.shop and l.previous_id = t.return_id
),
chains as ( /* nothing is joined any more: PostgreSQL takes what came out of steps for a few rows, and would do so row by row */
    select
        t.shop,
        t.first_id as return_id,
        max(case when t.step = 0 then t.return_type end) as return_type,
        max(case when t.step = 0 then t.customer end) as customer,
        max(t.first_currency) as currency,
        max(case when t.step = 0 then t.submitted_at end) as submitted_at,
        max(case when t.step = 0 then coalesce(t.placed_at, t.submitted_at) end) as exchanged_at,
        max(case when t.step = 0 then t.returned_value end) as returned_value,
        max(case when t.step = 0 then t.retained_revenue end) as retained_revenue,
        max(t.read_up_to) as read_up_to,
        max(case when t.step = 0 then t.first_order_id end) as first_order_id,
        cast(sum(t.exchange_orders) as bigint) as exchange_orders,
        count(*) - 1 as returns_later,
        max(t.step) as longest,
        min(case when t.step > 0 then t.submitted_at end) as next_at,
        sum(case when t.step > 0 and t.currency is not distinct from t.first_currency then t.returned_value end) as returned_later,
        sum(case when t.step > 0 and t.currency is not distinct from t.first_currency then t.refund end) as refunded_later
    from steps as t
    group by t.shop, t.first_id
)
select
    c.shop, -- The shop, as configured.
    c.shop || ':' || c.return_id as chain_key, -- Shop and first return in one text, for tools that need a single key.
    c.return_id, -- The first return: the one of an ordinary order.
    c.first_order_id as exchange_order_id, -- The Shopify order of its exchange; the first by id where there are several.
    c.return_type, -- standard or warranty, of the first return.
    c.customer, -- The shopper, as in fct_returns.
    c.currency, -- Currency of the first return, and of every amount of the row.
    c.submitted_at, -- When the first return was submitted.
    c.exchanged_at, -- When Loop placed the exchange order; where it does not say, when the return was submitted.
    c.returns_later = 0 as is_kept, -- True while nothing sent in exchange has come back.
    c.returns_later, -- Returns of what was sent in exchange, and of what was sent for those.
    cast(c.longest + 1 as bigint) as chain_length, -- Returns that follow on one another; 1 when nothing came back.
    c.exchange_orders, -- Exchange orders of the chain.
    c.next_at as next_return_at, -- When the first of the later returns was submitted.
    cast(round(cast(date_diff('second', c.exchanged_at at time zone 'UTC', c.next_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_to_next_return, -- Days from the exchange to that return.
    coalesce(c.returned_value, 0) as returned_value, -- What was returned first is worth.
    coalesce(c.retained_revenue, 0) as retained_revenue, -- Of that, kept as exchange or store credit, as the first return says.
    coalesce(c.returned_later, 0) as returned_later, -- What the later returns are worth; those in another currency are counted above, and are in no amount.
    coalesce(c.refunded_later, 0) as refunded_later, -- Refunds chosen in the later returns of the same currency.
    coalesce(c.retained_revenue, 0) - coalesce(c.refunded_later, 0) as retained_after, -- Retained less those refunds; below zero where more went back than was retained, as after an upsell.
    coalesce(c.exchanged_at < c.read_up_to - interval '1440 hours', false) as is_settled -- True when the exchange was 60 days ago when the shop was last read: long enough to come back.
from chains as c
