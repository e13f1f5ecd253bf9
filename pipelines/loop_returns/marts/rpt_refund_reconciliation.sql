-- Returns with a refund that was chosen or made, and whether the two fit together. Amounts paid are known where the setting `refunds` names a table of them, or return details were read.
-- grain: one row per return with a refund; cancelled and expired returns only where money went back
-- key: shop, return_id
-- answers: Which returns were closed and never paid, paid and never closed, or paid although nothing came back?
-- answers: Which returns have more than one refund, or were paid twice or another amount than was chosen?
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
        coalesce(b.provider_created_at, b.created_at) as refunded_at
    from return_refunds as b
),
listed as ( /* a refund that Loop recorded twice is one refund */
    select
        b.shop,
        b.return_id,
        max(b.provider_refund_id) as provider_refund_id,
        min(b.refunded_at) as first_at,
        max(b.refunded_at) as last_at
    from records as b
    group by b.shop, b.return_id, coalesce(b.provider_refund_id, b.refund_id)
),
made as (
    select
        b.shop,
        b.return_id,
        count(*) as refunds,
        case when count(coalesce(a.amount, e.amount)) = count(*) then sum(coalesce(a.amount, e.amount)) end as paid,
        case when count(a.amount) = count(*) then 'refunds' when count(a.amount) = 0 then 'return_details' else 'both' end as amount_source,
        min(b.first_at) as first_at,
        max(b.last_at) as last_at
    from listed as b
    left join amounts as a on a.shop = b.shop and a.refund_id = b.provider_refund_id
    left join detailed as e on e.shop = b.shop and e.return_id = b.return_id and e.provider_refund_id = b.provider_refund_id
    group by b.shop, b.return_id
),
inspections as (
    select
        l.shop,
        l.return_id,
        min(coalesce(l.condition_inspected_at, l.disposition_inspected_at)) as inspected_at
    from return_line_items as l
    where
        l.condition_inspected_at is not null
        or l.disposition_inspected_at is not null
        or lower(trim(l.condition_condition_category)) not in ('', 'n/a')
        or lower(trim(l.disposition_disposition_outcome)) not in ('', 'n/a')
    group by l.shop, l.return_id
),
joined as (
    select
        f.shop,
        f.return_id,
        f.state,
        f.is_void,
        f.return_type,
        f.outcome,
        f.submitted_at,
        f.delivered_at,
        f.closed_at,
        f.currency,
        r.updated_at,
        coalesce(r.refund, 0) as chosen,
        r.outcomes_processed_at_refund_processed as processed_at,
        coalesce(r.refund_before_inspection, false) as before_inspection,
        coalesce(b.refunds, 0) as refunds,
        b.paid,
        case when b.paid is not null then b.amount_source end as amount_source,
        coalesce(b.first_at, r.outcomes_processed_at_refund_processed) as first_at,
        coalesce(b.last_at, r.outcomes_processed_at_refund_processed) as last_at,
        b.refunds is not null or r.outcomes_processed_at_refund_processed is not null as is_paid,
        i.inspected_at,
        f.delivered_at is not null
        or i.return_id is not null
        or coalesce(lower(trim(r.return_method_state)) = 'delivered', false) as is_received,
        k.read_up_to
    from fct_returns as f
    join returns as r on r.shop = f.shop and r.id = f.return_id
    left join made as b on b.shop = f.shop and b.return_id = f.return_id
    left join inspections as i on i.shop = f.shop and i.return_id = f.return_id
    left join dim_shops as k on k.shop = f.shop
)
select
    j.shop, -- The shop, as configured.
    j.shop || ':' || j.return_id as return_key, -- Shop and return in one text, for tools that need a single key.
    j.return_id, -- The return.
    case
        when j.is_paid and j.before_inspection and not j.is_received
            and (j.is_void or j.first_at < j.read_up_to - interval '672 hours') then 'paid and never received'
        when j.is_paid and j.is_void then 'paid though cancelled or expired'
        when j.refunds > 1 and j.chosen > 0 and j.paid >= 2 * j.chosen then 'paid twice'
        when j.refunds > 1 and j.paid is null then 'more than one refund'
        when j.is_paid and j.chosen <= 0 then 'paid though none was chosen'
        when j.paid <> j.chosen then 'differs'
        when j.is_paid and j.state <> 'closed' and j.before_inspection and not j.is_received then 'paid before inspection'
        when j.is_paid and j.state <> 'closed' then 'paid without closing'
        when j.is_paid then 'fine'
        when j.state = 'closed' and coalesce(j.closed_at, j.updated_at) < j.read_up_to - interval '72 hours' then 'closed without pay'
        else 'waiting'
    end as status, -- The first of these that fits. paid and never received: paid before inspection, and the return was cancelled or expired, or nothing is known to have arrived (delivered, dropped off, inspected) 28 days later. paid though cancelled or expired. paid twice: more than one refund, together twice what was chosen or more. more than one refund: may be right, the amounts are not known. paid though none was chosen. differs: another amount was paid. paid before inspection: goods under way. paid without closing. fine: paid and closed. closed without pay: no date of a refund 3 days after closing. waiting: not closed, or not yet 3 days.
    j.state, -- State of the return.
    j.is_void, -- True when the return is cancelled or expired.
    j.return_type, -- standard or warranty.
    j.outcome, -- The outcome in Loop's words.
    j.currency, -- Currency of the amount.
    j.chosen as refund_chosen, -- The refund that was chosen, by the return.
    j.paid as refund_paid, -- What was paid: each refund by the table that the setting `refunds` names, else by the return's details; null where neither has one of them.
    j.amount_source, -- Which of the two tells it: refunds (the setting's table), return_details, or both; null where it is not known.
    j.paid - j.chosen as difference, -- Paid less chosen; null where that is not known.
    j.refunds, -- Shopify refunds of the return; two records of the same one count once.
    j.first_at as first_refund_at, -- When the first was made; where none is listed, when Loop processed the refund; null when neither is known.
    j.last_at as last_refund_at, -- When the last was made.
    j.processed_at as refund_processed_at, -- When Loop processed the refund.
    j.before_inspection as refund_before_inspection, -- True when the refund went out before inspection.
    j.submitted_at, -- When the return was submitted.
    j.delivered_at, -- When the first package arrived; null when that is not known.
    j.inspected_at, -- When a unit was first inspected; null when none was.
    j.closed_at, -- When the return was closed; null when no notice tells.
    cast(round(cast(date_diff('second', j.submitted_at at time zone 'UTC', j.first_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_to_refund, -- Days from submitting to the first refund.
    cast(round(cast(date_diff('second', j.delivered_at at time zone 'UTC', j.first_at at time zone 'UTC') / 86400.0 as decimal(18, 9)), 2) as decimal(18, 2)) as days_from_delivery_to_refund, -- Days from delivery to the first refund; below zero when the money went first.
    j.read_up_to -- Up to when the warehouse knows the shop; the days of grace end there.
from joined as j
where j.is_paid or (j.chosen > 0 and not j.is_void)
