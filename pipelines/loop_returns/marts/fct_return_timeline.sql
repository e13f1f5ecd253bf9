-- What happened to a return, in order of time: one row per event, with the table that tells it. Texts of notes are not in it.
-- grain: one row per event of a return whose time is known
-- key: shop, return_id, event_number
-- answers: What happened to this return, when, and what tells so?
-- answers: What came between the delivery of a return and its refund?
with own as ( /* times in the row of the return */
    select
        r.shop,
        r.id as return_id,
        case e.event
            when 'submitted' then r.created_at
            when 'edited' then r.edited_at
            when 'refund processed' then r.outcomes_processed_at_refund_processed
            when 'credit issued' then r.outcomes_processed_at_gift_card_processed
            when 'exchange ordered' then r.outcomes_processed_at_exchange_processed
            when 'processed' then r.outcomes_processed_at_return_processed
        end as occurred_at,
        e.event,
        case when e.event = 'submitted' and lower(trim(r.outcome)) not in ('', 'n/a') then r.outcome end as detail
    from returns as r
    cross join (
        select 'submitted' as event
        union all
        select 'edited'
        union all
        select 'refund processed'
        union all
        select 'credit issued'
        union all
        select 'exchange ordered'
        union all
        select 'processed'
    ) as e
),
changes as (
    select c.shop, c.source, c.return_id, c.line_item_id, c.from_updated_at as occurred_at, c.from_status as status
    from return_label_changes as c
    union all
    select c.shop, c.source, c.return_id, c.line_item_id, c.updated_at as occurred_at, c.to_status as status
    from return_label_changes as c
),
reports as ( /* of carriers; the same one may stand in several tables */
    select c.shop, c.return_id, c.occurred_at, c.status, cast(null as text) as carrier, 'return_label_changes' as source
    from changes as c
    where c.source = 'returns'
    union all
    select n.shop, n.return_id, c.occurred_at, c.status, cast(null as text) as carrier, 'return_label_changes' as source
    from fct_return_notices as n
    join changes as c on c.shop = n.shop and c.return_id = n.notice_id and c.line_item_id = n.line_item_id
    where c.source = 'advanced_shipping_notices'
    union all
    select n.shop, n.return_id, n.scanned_at as occurred_at, n.label_status as status, cast(null as text) as carrier, 'advanced_shipping_notices' as source
    from fct_return_notices as n
    union all
    select
        b.shop,
        b.return_id,
        b.updated_at as occurred_at,
        b.status,
        case when lower(trim(b.carrier)) not in ('', 'n/a') then b.carrier end as carrier,
        'return_labels' as source
    from return_labels as b
),
detailed as ( /* by return details: a refund may be paid in several parts, and the same part may be there twice */
    select p.shop, p.return_id, p.provider_refund_id, case when count(p.amount) = count(*) then sum(p.amount) end as amount, max(p.currency) as currency
    from (
        select distinct
            f.shop,
            f.return_id,
            f.provider_refund_id,
            f.gateway,
            case when lower(trim(f.currency)) = lower(trim(r.currency)) and lower(trim(f.currency)) not in ('', 'n/a') then f.amount end as amount,
            case when lower(trim(r.currency)) not in ('', 'n/a') then r.currency end as currency
        from return_detail_refunds as f
        join returns as r on r.shop = f.shop and r.id = f.return_id
        where lower(trim(f.provider_refund_id)) not in ('', 'n/a')
    ) as p
    group by p.shop, p.return_id, p.provider_refund_id
),
refunded as (
    select
        b.shop,
        b.return_id,
        case when lower(trim(b.provider_refund_id)) not in ('', 'n/a') then b.provider_refund_id end as provider_refund_id,
        case when lower(trim(b.provider_refund_id)) not in ('', 'n/a') then '' else b.refund_id end as record,
        coalesce(b.provider_created_at, b.created_at) as occurred_at
    from return_refunds as b
),
events as (
    select o.shop, o.return_id, o.occurred_at, o.event, 'returns' as source, o.detail
    from own as o
    union all
    select
        c.shop,
        c.return_id,
        c.updated_at as occurred_at,
        'state changed' as event,
        'return_state_changes' as source,
        concat(coalesce(c.from_state, '?'), ' → ', c.to_state) as detail
    from return_state_changes as c
    union all
    select
        p.shop,
        p.return_id,
        p.occurred_at,
        'carrier report' as event,
        min(p.source) as source,
        concat(max(p.carrier) || ': ', min(lower(trim(p.status)))) as detail
    from reports as p
    where lower(trim(p.status)) not in ('', 'n/a')
    group by p.shop, p.return_id, p.occurred_at, lower(trim(p.status))
    union all
    select distinct n.shop, n.return_id, n.delivered_at as occurred_at, 'delivered' as event, 'advanced_shipping_notices' as source, cast(null as text) as detail
    from fct_return_notices as n
    union all
    select distinct n.shop, n.return_id, n.closed_at as occurred_at, 'closed' as event, 'advanced_shipping_notices' as source, cast(null as text) as detail
    from fct_return_notices as n
    union all
    select
        l.shop,
        l.return_id,
        coalesce(l.condition_inspected_at, l.disposition_inspected_at) as occurred_at,
        'inspected' as event,
        'return_line_items' as source,
        concat('units: ', cast(count(*) as text)) as detail
    from return_line_items as l
    group by l.shop, l.return_id, coalesce(l.condition_inspected_at, l.disposition_inspected_at)
    union all
    select b.shop, b.return_id, min(b.occurred_at) as occurred_at, 'refund made' as event, 'return_refunds' as source, max(rtrim(rtrim(cast(cast(p.amount as decimal(18, 4)) as text), '0'), '.') || ' ' || p.currency) as detail
    from refunded as b
    left join detailed as p on p.shop = b.shop and p.return_id = b.return_id and p.provider_refund_id = b.provider_refund_id
    group by b.shop, b.return_id, b.provider_refund_id, b.record
    union all
    select t.shop, t.return_id, t.created_at as occurred_at, 'note' as event, 'return_notes' as source, t.note_id as detail
    from return_notes as t
    where t._deleted_at is null
    union all
    select q.shop, q.return_id, q.created_at as occurred_at, 'label requested' as event, 'label_requests' as source, lower(trim(q.status)) as detail
    from label_requests as q
    where q._deleted_at is null
    union all
    select distinct h.shop, i.return_id, h.created_at as occurred_at, 'sent on' as event, 'happy_returns_shipments' as source, h.loop_shipment_id as detail
    from happy_returns_shipments as h
    join happy_returns_shipment_items as i on i.shop = h.shop and i.loop_shipment_id = h.loop_shipment_id
    where h._deleted_at is null and i._deleted_at is null
),
numbered as (
    select
        e.*,
        row_number() over (
            partition by e.shop, e.return_id
            order by e.occurred_at, case when e.event = 'submitted' then 0 else 1 end, e.event, e.source, e.detail
        ) as event_number
    from events as e
    join returns as r on r.shop = e.shop and r.id = e.return_id
    where r._deleted_at is null and e.occurred_at is not null
)
select
    n.shop, -- The shop, as configured.
    n.shop || ':' || n.return_id || ':' || cast(n.event_number as text) as event_key, -- Shop, return and event in one text, for tools that need a single key. Another one where an earlier event becomes known.
    n.shop || ':' || n.return_id as return_key, -- Shop and return in one text; joins fct_returns.
    n.return_id, -- The return.
    cast(n.event_number as bigint) as event_number, -- 1 for the first event of the return, 2 for the next.
    n.occurred_at, -- When it happened.
    cast(n.occurred_at at time zone $zone_of_n as date) as occurred_date, -- That day in the shop's time zone.
    n.event, -- submitted, edited, processed, refund processed, credit issued, exchange ordered (times of the return); state changed (as a run saw it); carrier report (status of a label, also as a run saw it); delivered, closed (shipping notices); inspected; refund made (Shopify's); note; label requested; sent on (a shipment of Happy Returns).
    n.source, -- The table that tells it; of several that tell the same report of a carrier, one.
    n.detail -- More about it: the outcome, the states, carrier and status, the amount, how many units were inspected, the note's id, the request's status, the shipment. Null where there is nothing more.
from numbered as n
