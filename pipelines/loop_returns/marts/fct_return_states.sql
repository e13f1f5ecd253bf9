-- One row per stay of a return in a state, from the history that runs have observed. Loop keeps none, so what came before is not known.
-- grain: one row per return and stay in a state
-- key: shop, return_id, stay
-- answers: How long does a return stay open, or in review?
-- answers: Which returns were reopened after they had been closed?
with changes as (
    select
        c.shop,
        c.return_id,
        c.from_state,
        c.to_state,
        c.updated_at,
        c.observed_at,
        row_number() over (partition by c.shop, c.return_id order by c.updated_at, c.observed_at, c.to_state) as number
    from return_state_changes as c
),
firsts as ( /* the state in which a return was first seen */
    select
        f.shop,
        f.return_id,
        f.submitted_at,
        f.refunded_at,
        f.closed_at,
        f.submitted_date,
        f.state as state_now,
        f.return_type,
        f.outcome,
        f.currency,
        c.updated_at as changed_at,
        coalesce(c.from_state, case when c.number is null then f.state end) as state
    from fct_returns as f
    left join changes as c on c.shop = f.shop and c.return_id = f.return_id and c.number = 1
),
notices as ( /* since when a return that was first seen closed has been so */
    select f.shop, f.return_id, f.closed_at
    from firsts as f
    where f.state = 'closed' and f.closed_at >= f.submitted_at and (f.changed_at is null or f.closed_at <= f.changed_at)
),
stays as (
    select c.shop, c.return_id, c.to_state as state, c.updated_at as entered_at, c.observed_at, 'observed' as entry_known_by, c.number
    from changes as c
    where c.to_state is not null
    union all
    select
        f.shop,
        f.return_id,
        f.state,
        case when f.state in ('open', 'review') then f.submitted_at else n.closed_at end as entered_at,
        cast(null as timestamptz) as observed_at,
        case
            when f.state in ('open', 'review') then 'submission'
            when n.closed_at is not null then 'notice'
            else 'nothing'
        end as entry_known_by,
        0 as number
    from firsts as f
    left join notices as n on n.shop = f.shop and n.return_id = f.return_id
    where f.state is not null
    union all
    select n.shop, n.return_id, 'open' as state, f.submitted_at as entered_at, cast(null as timestamptz) as observed_at, 'submission' as entry_known_by, -1 as number
    from notices as n
    join firsts as f on f.shop = n.shop and f.return_id = n.return_id
),
ordered as (
    select
        s.*,
        row_number() over (partition by s.shop, s.return_id order by s.number) as stay,
        lead(s.entered_at) over (partition by s.shop, s.return_id order by s.number) as left_at,
        lead(s.state) over (partition by s.shop, s.return_id order by s.number) as next_state
    from stays as s
)
select
    o.shop, -- The shop, as configured.
    o.shop || ':' || o.return_id || ':' || cast(o.stay as varchar) as stay_key, -- Shop, return and stay in one text, for tools that need a single key.
    o.return_id, -- The return.
    cast(o.stay as bigint) as stay, -- 1 for the first state that is known of the return, 2 for the next.
    o.state, -- open, closed, cancelled, expired or review.
    o.entered_at, -- When the return came into the state: its `updated_at` when a run saw the change, so never too early. Null where nothing tells.
    o.entry_known_by, -- observed: a run saw the change. submission: first seen open or in review, or closed with a date of closing; taken to have been so since it was submitted. notice: the shipping notice's date of closing. nothing.
    o.observed_at, -- When a run saw the change; null for what it did not see.
    o.left_at, -- When it came into the next state; null while it is in this one.
    o.next_state, -- That state; null while it is in this one.
    o.next_state is null as is_current, -- True for the state in which the return is.
    o.state in ('closed', 'cancelled', 'expired') and coalesce(o.next_state in ('open', 'review'), false) as is_reopened, -- True when the return was over and came back to open or review.
    cast(round(cast(date_diff('second', o.entered_at at time zone 'UTC', o.left_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days, -- Days it stayed in the state; null while it is in it, and where the beginning is not known.
    f.state_now, -- The state in which the return is.
    f.return_type, -- standard or warranty.
    f.outcome, -- The outcome in Loop's words.
    f.currency, -- Currency of the return.
    f.submitted_at, -- When the return was submitted.
    f.submitted_date, -- That day in the shop's time zone.
    f.refunded_at -- When money first went back, as in fct_returns.
from ordered as o
join firsts as f on f.shop = o.shop and f.return_id = o.return_id
