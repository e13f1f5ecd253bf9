-- One row per unit on a return that is open or in review, and whether it has arrived: by its package, its notice, its inspection.
-- grain: one row per unit of an open or review return; units the shopper keeps are left out
-- key: shop, return_id, line_item_id
-- answers: Which units of this return are still to come, and where is their package?
-- answers: What tells that a unit has arrived?
with waiting as (
    select
        r.shop,
        r.id as return_id,
        r.state,
        r.created_at,
        r.currency,
        r.type,
        r.carrier,
        r.destination_id,
        lower(trim(r.label_status)) as label_status,
        lower(trim(r.return_method_state)) as return_method_state
    from returns as r
    where r._deleted_at is null and r.state in ('open', 'review')
),
units as (
    select
        w.*,
        l.line_item_id,
        coalesce(l.price, 0) - coalesce(l.discount, 0) + coalesce(l.tax, 0) as returned_value,
        coalesce(l.condition_inspected_at, l.disposition_inspected_at) is not null
        or coalesce(lower(trim(l.condition_condition_category)) not in ('', 'n/a'), false)
        or coalesce(lower(trim(l.disposition_disposition_outcome)) not in ('', 'n/a'), false) as is_inspected
    from waiting as w
    join return_line_items as l on l.shop = w.shop and l.return_id = w.return_id
    where coalesce(lower(trim(l.outcome)), '') <> 'keep'
),
labels as (
    select
        b.shop,
        b.return_id,
        b.label_index,
        b.carrier,
        b.updated_at,
        count(*) over (partition by b.shop, b.return_id) > 1 as is_one_of_several,
        case
            when lower(trim(b.status)) = 'delivered' then 'delivered'
            when lower(trim(b.status)) in ('in_transit', 'out_for_delivery') then 'on its way'
            when lower(trim(b.status)) in ('error', 'failure') then 'problem'
            else 'not sent'
        end as stage,
        case
            when cast(b.line_items as text) like '[%'
            then replace(replace(replace(replace(cast(b.line_items as text), '[', ','), ']', ','), '"', ''), ' ', '')
        end as unit_ids /* between commas; null when the API does not say */
    from return_labels as b
    join waiting as w on w.shop = b.shop and w.return_id = b.return_id
),
ranked as (
    select
        u.shop,
        u.return_id,
        u.line_item_id,
        b.label_index,
        b.carrier,
        b.stage,
        b.is_one_of_several,
        row_number() over (
            partition by u.shop, u.return_id, u.line_item_id
            order by
                case b.stage when 'on its way' then 0 when 'delivered' then 1 when 'not sent' then 2 else 3 end,
                case when b.updated_at is null then 1 else 0 end,
                b.updated_at desc,
                b.label_index desc
        ) as place
    from units as u
    join labels as b on b.shop = u.shop and b.return_id = u.return_id
    where b.unit_ids is null or strpos(b.unit_ids, concat(',', u.line_item_id, ',')) > 0
),
packages as (
    select k.shop, k.return_id, k.line_item_id, k.label_index, k.carrier, k.stage, k.is_one_of_several
    from ranked as k
    where k.place = 1
),
notices as ( /* numbered here, as is_newest would have to number those of all returns */
    select
        n.shop,
        n.return_id,
        n.line_item_id,
        n.delivered_at,
        n.label_status,
        n.return_method_state,
        n.destination_id,
        row_number() over (
            partition by n.shop, n.return_id, n.line_item_id
            order by coalesce(n.updated_at, n.submitted_at) desc, n.notice_id desc
        ) as place
    from fct_return_notices as n
    join waiting as w on w.shop = n.shop and w.return_id = n.return_id
),
told as (
    select
        n.shop,
        n.return_id,
        n.line_item_id,
        max(case when n.delivered_at is not null then 1 else 0 end) as delivered,
        max(case when n.label_status = 'delivered' then 1 else 0 end) as label_delivered,
        max(case when n.return_method_state = 'delivered' then 1 else 0 end) as handed_in,
        max(case when n.place = 1 then n.destination_id end) as destination_id
    from notices as n
    group by n.shop, n.return_id, n.line_item_id
),
judged as (
    select
        u.*,
        p.label_index,
        p.stage as package_stage,
        case when p.label_index is null then u.carrier else p.carrier end as package_carrier,
        coalesce(t.destination_id, u.destination_id) as unit_destination_id,
        case
            when u.is_inspected then 'inspection'
            when t.delivered = 1 then 'notice'
            when p.stage = 'on its way' then null
            when p.stage = 'delivered' or (p.label_index is null and u.label_status = 'delivered') then 'label'
            when p.is_one_of_several then null /* the notices and the drop-off may tell of another package */
            when t.label_delivered = 1 then 'notice'
            when t.handed_in = 1 or u.return_method_state = 'delivered' then 'drop-off'
        end as evidence
    from units as u
    left join packages as p on p.shop = u.shop and p.return_id = u.return_id and p.line_item_id = u.line_item_id
    left join told as t on t.shop = u.shop and t.return_id = u.return_id and t.line_item_id = u.line_item_id
)
select
    j.shop, -- The shop, as configured.
    j.shop || ':' || j.return_id || ':' || j.line_item_id as line_key, -- Shop, return and unit in one column; joins fct_return_lines.
    j.shop || ':' || j.return_id as return_key, -- Shop and return in one column; joins fct_returns.
    j.return_id, -- The return.
    j.line_item_id, -- Loop's id of the unit.
    j.state, -- open or review.
    case when lower(trim(j.type)) not in ('', 'n/a') then j.type end as return_type, -- standard or warranty.
    j.created_at as submitted_at, -- When the return was submitted.
    cast(j.created_at at time zone $zone_of_j as date) as submitted_date, -- That day in the shop's time zone.
    case when lower(trim(j.currency)) not in ('', 'n/a') then j.currency end as currency, -- Currency of the value.
    j.returned_value, -- What the unit is worth: price, less discount, with tax.
    j.evidence is not null as has_arrived, -- True when something tells that the unit has arrived.
    j.evidence as arrival_evidence, -- What tells it: inspection (also one that found it missing), notice (the shipping notice), label (a package that can hold it is delivered, and none is on its way) or drop-off (the return method's state; like the state of the label in a notice, it tells nothing where the return has several packages). Neither restocking nor processing tells it.
    case
        when j.evidence is not null then 'delivered'
        when j.package_stage is not null then j.package_stage
        when j.label_status in ('in_transit', 'out_for_delivery') then 'on its way'
        when j.label_status in ('error', 'failure') then 'problem'
        when j.label_status in ('new', 'pre_transit', 'pending') then 'not sent'
        else 'no label'
    end as stage, -- delivered (as soon as something tells so), on its way, problem, not sent or no label: of the package it is in; of the latest label where the return lists no label for it.
    j.label_index, -- The label of that package; null when the return lists none for the unit.
    case when lower(trim(j.package_carrier)) not in ('', 'n/a') then j.package_carrier end as carrier, -- Its carrier.
    case when lower(trim(j.unit_destination_id)) not in ('', 'n/a') then j.unit_destination_id end as destination_id -- Where the unit goes, by its notice, else by the return.
from judged as j
