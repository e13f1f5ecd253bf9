-- One row per Shopify refund of a return: when it was made, and how that fits the return. The amount is known where the setting `refunds` names a table of them, or return details were read.
-- grain: one row per refund that Loop lists for a return
-- key: shop, return_id, refund_id
-- answers: When did money go back, for which returns, and how long after they were submitted, delivered and closed?
-- answers: Which of a return's refunds was the first, and which came later?
with amounts as ( /* a refund may be paid in several transactions */
    select
        cast(a.shop as varchar) as shop,
        cast(a.refund_id as varchar) as refund_id,
        sum(cast(a.amount as decimal(18, 4))) as amount
    from refunds as a
    group by cast(a.shop as varchar), cast(a.refund_id as varchar)
),
detailed as ( /* by return details: a refund may be paid in several parts, and the same part may be there twice */
    select p.shop, p.return_id, p.provider_refund_id, case when count(p.amount) = count(*) then sum(p.amount) end as amount
    from (
        select distinct
            f.shop,
            f.return_id,
            f.provider_refund_id,
            f.gateway,
            case when lower(trim(f.currency)) = lower(trim(r.currency)) and lower(trim(f.currency)) not in ('', 'n/a') then f.amount end as amount
        from return_detail_refunds as f
        join returns as r on r.shop = f.shop and r.id = f.return_id
        where lower(trim(f.provider_refund_id)) not in ('', 'n/a')
    ) as p
    group by p.shop, p.return_id, p.provider_refund_id
),
records as (
    select
        b.shop,
        b.return_id,
        b.refund_id,
        case when lower(trim(b.provider_refund_id)) not in ('', 'n/a') then b.provider_refund_id end as provider_refund_id,
        coalesce(b.provider_created_at, b.created_at) as refunded_at,
        b.created_at
    from return_refunds as b
),
numbered as (
    select
        b.*,
        row_number() over (
            partition by b.shop, b.return_id
            order by case when b.refunded_at is null then 1 else 0 end, b.refunded_at, b.refund_id
        ) as number
    from records as b
),
dated as (
    select
        b.*,
        row_number() over (
            partition by b.shop, b.return_id, coalesce(b.provider_refund_id, b.refund_id) order by b.number
        ) as record
    from numbered as b
)
select
    d.shop, -- The shop, as configured.
    d.shop || ':' || d.return_id || ':' || d.refund_id as refund_key, -- Shop, return and refund in one text, for tools that need a single key.
    d.return_id, -- The return.
    d.refund_id, -- Loop's id of the refund.
    d.provider_refund_id, -- The Shopify refund: the key to join Shopify refunds, which have the amount.
    cast(d.number as bigint) as refund_number, -- 1 for the return's first refund, 2 for the next.
    d.refunded_at, -- When Shopify made the refund; where that is missing, when Loop recorded it.
    cast(d.refunded_at at time zone $zone_of_d as date) as refunded_date, -- That day in the shop's time zone.
    d.created_at as recorded_at, -- When Loop recorded it.
    r.status as return_status, -- How the return's refunds fit the return; see rpt_refund_reconciliation.
    r.state, -- State of the return.
    r.is_void, -- True when the return is cancelled or expired.
    r.return_type, -- standard or warranty.
    r.outcome, -- The outcome in Loop's words.
    r.currency, -- Currency of the amount.
    case when d.number = 1 then r.refund_chosen end as refund_chosen, -- The refund that was chosen, once for each return: on its first refund, null on the others.
    case when d.record = 1 then coalesce(a.amount, e.amount) end as refund_paid, -- What was paid: by the table that the setting `refunds` names, else by the return's details; null where neither has the refund, and where Loop recorded the same Shopify refund a second time.
    case when d.record <> 1 then null when a.amount is not null then 'refunds' when e.amount is not null then 'return_details' end as amount_source, -- Which of the two tells it: refunds (the setting's table) or return_details; null where neither does.
    r.submitted_at, -- When the return was submitted.
    r.delivered_at, -- When the first package arrived; null when that is not known.
    r.closed_at, -- When the return was closed; null when no notice tells.
    cast(round(cast(date_diff('second', r.submitted_at at time zone 'UTC', d.refunded_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_from_submission, -- Days from submitting to this refund.
    cast(round(cast(date_diff('second', r.delivered_at at time zone 'UTC', d.refunded_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_from_delivery, -- Days from delivery to this refund; below zero when the money went first.
    cast(round(cast(date_diff('second', r.closed_at at time zone 'UTC', d.refunded_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_from_closing -- Days from closing to this refund; below zero when the money went first.
from dated as d
join rpt_refund_reconciliation as r on r.shop = d.shop and r.return_id = d.return_id
left join amounts as a on a.shop = d.shop and a.refund_id = d.provider_refund_id
left join detailed as e on e.shop = d.shop and e.return_id = d.return_id and e.provider_refund_id = d.provider_refund_id
