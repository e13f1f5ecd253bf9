-- Where a return and its shipping notices say different things about a unit: state, outcome, price, or that it exists at all.
-- grain: one row per unit, notice and thing that differs
-- key: shop, line_item_id, notice_id, mismatch, return_id
-- answers: Where does Loop contradict itself between its list of returns and its report of shipping notices?
-- answers: Which units of a return have no notice, and which notices have no unit?
with lines as (
    select f.shop, f.return_id, l.line_item_id, f.return_type, f.state, f.outcome, l.price, f.currency, f.submitted_at, f.updated_at
    from return_line_items as l
    join fct_returns as f on f.shop = l.shop and f.return_id = l.return_id
),
covered as ( /* the shops whose notices are read, and since when */
    select n.shop, min(n.created_at) as first_at
    from advanced_shipping_notices as n
    where n._deleted_at is null
    group by n.shop
),
pairs as (
    select
        l.shop,
        l.return_id,
        l.line_item_id,
        n.notice_id,
        l.return_type,
        l.state as return_state,
        n.state as notice_state,
        l.outcome as return_outcome,
        n.outcome as notice_outcome,
        l.price as return_price,
        n.purchase_price as notice_price,
        l.currency,
        l.updated_at as return_updated_at,
        n.updated_at as notice_updated_at
    from lines as l
    join fct_return_notices as n
        on n.shop = l.shop and n.return_id = l.return_id and n.line_item_id = l.line_item_id
),
found as (
    select
        p.shop,
        p.return_id,
        p.line_item_id,
        p.notice_id,
        'state' as mismatch,
        p.return_state as return_says,
        p.notice_state as notice_says,
        p.return_type,
        p.currency,
        p.return_updated_at,
        p.notice_updated_at
    from pairs as p
    where lower(p.return_state) <> lower(p.notice_state)
    union all
    select
        p.shop,
        p.return_id,
        p.line_item_id,
        p.notice_id,
        'outcome' as mismatch,
        p.return_outcome as return_says,
        p.notice_outcome as notice_says,
        p.return_type,
        p.currency,
        p.return_updated_at,
        p.notice_updated_at
    from pairs as p
    where lower(p.return_outcome) <> lower(p.notice_outcome)
    union all
    select
        p.shop,
        p.return_id,
        p.line_item_id,
        p.notice_id,
        'price' as mismatch,
        cast(cast(p.return_price as decimal(18, 4)) as varchar) as return_says,
        cast(cast(p.notice_price as decimal(18, 4)) as varchar) as notice_says,
        p.return_type,
        p.currency,
        p.return_updated_at,
        p.notice_updated_at
    from pairs as p
    where p.return_price <> p.notice_price
    union all
    select
        l.shop,
        l.return_id,
        l.line_item_id,
        '(none)' as notice_id,
        'notice missing' as mismatch,
        l.state as return_says,
        cast(null as varchar) as notice_says,
        l.return_type,
        l.currency,
        l.updated_at as return_updated_at,
        cast(null as timestamptz) as notice_updated_at
    from lines as l
    join covered as c on c.shop = l.shop
    left join pairs as p on p.shop = l.shop and p.return_id = l.return_id and p.line_item_id = l.line_item_id
    where p.notice_id is null and l.submitted_at >= c.first_at
    union all
    select
        n.shop,
        '(none)' as return_id,
        n.return_line_item_id as line_item_id,
        n.id as notice_id,
        'unit missing' as mismatch,
        cast(null as varchar) as return_says,
        case when lower(trim(n.state)) not in ('', 'n/a') then n.state end as notice_says,
        cast(null as varchar) as return_type,
        case when lower(trim(n.currency)) not in ('', 'n/a') then n.currency end as currency,
        cast(null as timestamptz) as return_updated_at,
        n.updated_at as notice_updated_at
    from advanced_shipping_notices as n
    left join pairs as p on p.shop = n.shop and p.notice_id = n.id and p.line_item_id = n.return_line_item_id
    where n._deleted_at is null and p.notice_id is null
)
select
    f.shop, -- The shop, as configured.
    f.shop || ':' || f.return_id || ':' || f.line_item_id || ':' || f.notice_id || ':' || f.mismatch as mismatch_key, -- All of the key in one text, for tools that need a single key.
    f.return_id, -- The return; (none) where a notice has no unit.
    f.line_item_id, -- Loop's id of the unit.
    f.notice_id, -- Id of the shipping notice; (none) where a unit has no notice.
    f.mismatch, -- state, outcome, price, notice missing (a unit submitted since the first notice that was read has none) or unit missing (a notice is about a unit that no return has).
    f.return_says, -- What the return says: its state where a notice is missing.
    f.notice_says, -- What the notice says: its state where the unit is missing.
    f.return_type, -- standard or warranty; null where a notice has no unit.
    f.currency, -- Currency of the prices.
    f.return_updated_at, -- When Loop last changed the return.
    f.notice_updated_at, -- When Loop last changed the notice.
    f.return_updated_at = f.notice_updated_at as is_same_moment -- True when both are of one moment: then Loop contradicts itself. False when one is newer: it may only be ahead. Null where one is missing.
from found as f
