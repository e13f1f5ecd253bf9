-- Returns and what was owed to shoppers as they stood at the end of each month, from the history of states that runs have observed.
-- grain: one row per month that is over, return type and currency; its numbers are null where no run had observed the shop by then
-- key: shop, month_end, return_type, currency
-- answers: How many returns were open, in review and closed at the end of a month?
-- answers: What was owed at the end of a month: refunds chosen and not paid, store credit chosen and not issued, exchanges not sent?
with owed as ( /* grouped, as PostgreSQL takes the states for a few rows and would join the items to them row by row */
    select
        r.shop,
        r.id as return_id,
        max(coalesce(r.refund, 0)) as refund,
        max(coalesce(r.gift_card, 0)) as credit,
        max(coalesce(r.exchange_total, 0)) as exchange,
        max(r.outcomes_processed_at_gift_card_processed) as credited_at,
        max(case when lower(trim(r.gift_card_order_id)) not in ('', 'n/a') or lower(trim(r.gift_card_order_name)) not in ('', 'n/a') then 1 end) as has_credit_order,
        max(r.outcomes_processed_at_exchange_processed) as exchanged_at,
        count(e.shop) as items,
        count(case when lower(trim(e.exchange_order_id)) not in ('', 'n/a') then 1 end) as items_ordered
    from returns as r
    left join return_exchanges as e on e.shop = r.shop and e.return_id = r.id
    group by r.shop, r.id
),
stays as ( /* what has an order and no date was ordered when the return was submitted, for all that is known */
    select
        s.shop,
        s.return_id,
        s.state,
        coalesce(s.return_type, '(none given)') as return_type,
        coalesce(s.currency, '(none given)') as currency,
        coalesce(s.entered_at, s.submitted_at) as entered_at,
        s.left_at,
        o.refund,
        o.credit,
        o.exchange,
        s.refunded_at,
        coalesce(o.credited_at, case when o.has_credit_order = 1 then s.submitted_at end) as credited_at,
        coalesce(o.exchanged_at, case when o.items > 0 and o.items = o.items_ordered then s.submitted_at end) as exchanged_at
    from fct_return_states as s
    join owed as o on o.shop = s.shop and o.return_id = s.return_id
    where s.submitted_at is not null
),
spans as ( /* what counts from a moment on until another, that one not included */
    select s.shop, s.return_type, s.currency, s.state as kind, s.entered_at as begins_at, s.left_at as ends_at, cast(1 as decimal(18, 4)) as amount
    from stays as s
    union all
    select s.shop, s.return_type, s.currency, 'refund' as kind, s.entered_at as begins_at, least(coalesce(s.left_at, s.refunded_at), coalesce(s.refunded_at, s.left_at)) as ends_at, s.refund as amount
    from stays as s
    where s.state not in ('cancelled', 'expired') and s.refund > 0
    union all
    select s.shop, s.return_type, s.currency, 'credit' as kind, s.entered_at as begins_at, least(coalesce(s.left_at, s.credited_at), coalesce(s.credited_at, s.left_at)) as ends_at, s.credit as amount
    from stays as s
    where s.state not in ('cancelled', 'expired') and s.credit > 0
    union all
    select s.shop, s.return_type, s.currency, 'exchange' as kind, s.entered_at as begins_at, least(coalesce(s.left_at, s.exchanged_at), coalesce(s.exchanged_at, s.left_at)) as ends_at, s.exchange as amount
    from stays as s
    where s.state not in ('cancelled', 'expired') and s.exchange > 0
),
steps as ( /* each span adds its amount in the month in which it begins, and takes it away in that in which it ends */
    select p.shop, p.return_type, p.currency, p.kind, cast(date_trunc('month', p.begins_at at time zone $zone_of_p) as date) as month, p.amount, 1 as begun, 0 as ended
    from spans as p
    where p.ends_at is null or p.ends_at > p.begins_at
    union all
    select p.shop, p.return_type, p.currency, p.kind, cast(date_trunc('month', p.ends_at at time zone $zone_of_p) as date) as month, -p.amount as amount, 0 as begun, 1 as ended
    from spans as p
    where p.ends_at > p.begins_at
),
changes as (
    select
        t.shop,
        t.return_type,
        t.currency,
        t.month,
        sum(case when t.kind = 'open' then t.amount else 0 end) as opens,
        sum(case when t.kind = 'review' then t.amount else 0 end) as reviews,
        sum(case when t.kind = 'closed' then t.amount else 0 end) as closes,
        sum(case when t.kind = 'cancelled' then t.amount else 0 end) as cancels,
        sum(case when t.kind = 'expired' then t.amount else 0 end) as expiries,
        sum(case when t.kind = 'refund' then t.amount else 0 end) as refunds,
        sum(case when t.kind = 'refund' then t.begun - t.ended else 0 end) as refund_returns,
        sum(case when t.kind = 'credit' then t.amount else 0 end) as credits,
        sum(case when t.kind = 'exchange' then t.amount else 0 end) as exchanges
    from steps as t
    group by t.shop, t.return_type, t.currency, t.month
),
digits as (
    select 0 as d union all select 1 union all select 2 union all select 3 union all select 4
    union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
),
numbers as (
    select a.d + 10 * b.d + 100 * c.d as n
    from digits as a
    cross join digits as b
    cross join digits as c
),
firsts as (
    select c.shop, c.return_type, c.currency, min(c.month) as month
    from changes as c
    group by c.shop, c.return_type, c.currency
),
months as ( /* every month from the first on, also those in which nothing changed */
    select f.shop, f.return_type, f.currency, cast(f.month + n.n * interval '1 month' as date) as month
    from firsts as f
    cross join numbers as n
    join dim_shops as k on k.shop = f.shop
    where cast(f.month + (n.n + 1) * interval '1 month' as date) <= cast(k.read_up_to at time zone $zone_of_k as date)
),
sums as (
    select
        m.shop,
        m.return_type,
        m.currency,
        cast(m.month + interval '1 month' as date) as next_month,
        sum(coalesce(c.opens, 0)) over w as opens,
        sum(coalesce(c.reviews, 0)) over w as reviews,
        sum(coalesce(c.closes, 0)) over w as closes,
        sum(coalesce(c.cancels, 0)) over w as cancels,
        sum(coalesce(c.expiries, 0)) over w as expiries,
        sum(coalesce(c.refunds, 0)) over w as refunds,
        sum(coalesce(c.refund_returns, 0)) over w as refund_returns,
        sum(coalesce(c.credits, 0)) over w as credits,
        sum(coalesce(c.exchanges, 0)) over w as exchanges
    from months as m
    left join changes as c on c.shop = m.shop and c.return_type = m.return_type and c.currency = m.currency and c.month = m.month
    window w as (partition by m.shop, m.return_type, m.currency order by m.month rows unbounded preceding)
),
judged as (
    select
        s.*,
        s.next_month - 1 as month_end,
        coalesce(cast(o.observed_from at time zone $zone_of_o as timestamp) <= cast(s.next_month as timestamp), false) as is_known
    from sums as s
    left join dim_shops as o on o.shop = s.shop
)
select
    j.shop, -- The shop, as configured.
    j.month_end, -- Last day of the month; the numbers are those of its last moment, in the shop's time zone.
    j.return_type, -- standard or warranty, or '(none given)'.
    j.currency, -- Currency of the amounts.
    case when j.is_known then 'observed' else 'before the first sync' end as known, -- observed, or before the first sync: then nobody knows how the shop stood, and all numbers are null.
    cast(case when j.is_known then j.opens end as bigint) as returns_open, -- Returns that were open.
    cast(case when j.is_known then j.reviews end as bigint) as returns_in_review, -- Returns that waited for the merchant.
    cast(case when j.is_known then j.closes end as bigint) as returns_closed, -- Returns that were closed by then.
    cast(case when j.is_known then j.cancels end as bigint) as returns_cancelled, -- Returns that were cancelled by then.
    cast(case when j.is_known then j.expiries end as bigint) as returns_expired, -- Returns that had expired by then.
    cast(case when j.is_known then j.refund_returns end as bigint) as returns_refund_owed, -- Returns with a refund that was chosen and not paid.
    cast(case when j.is_known then j.refunds end as decimal(18, 4)) as refunds_owed, -- Refunds chosen, as the returns say today, that were not paid then; of open, review and closed returns. Closed ones without any date of a refund stay in it.
    cast(case when j.is_known then j.credits end as decimal(18, 4)) as credit_owed, -- Store credit chosen and not issued then; with an order and no date it counts as issued from the start. What shoppers did not spend of issued credit only the commerce platform knows.
    cast(case when j.is_known then j.exchanges end as decimal(18, 4)) as exchanges_owed, -- Worth of exchange items that were chosen and not ordered then; with orders and no date they count as ordered from the start.
    cast(case when j.is_known then j.refunds + j.credits + j.exchanges end as decimal(18, 4)) as owed -- The three together.
from judged as j
