-- One row per shipping label of a return, with its carrier, where it stands, when it arrived, and how Happy Returns sent the return on.
-- grain: one row per label of a return
-- key: shop, return_id, label_index
-- answers: Which packages are on their way, and which labels were never used?
-- answers: When did a package arrive, and how long did it take, from the return and from the first scan?
with labels as (
    select
        b.shop,
        b.return_id,
        b.label_index,
        case when lower(trim(b.tracking_number)) not in ('', 'n/a') then b.tracking_number end as tracking_number,
        b.rate,
        b.updated_at,
        case when lower(trim(b.carrier)) not in ('', 'n/a') then b.carrier end as carrier,
        case when lower(trim(b.status)) not in ('', 'n/a') then lower(trim(b.status)) end as status,
        case
            when cast(b.line_items as text) like '[%'
            then replace(replace(replace(replace(cast(b.line_items as text), '[', ','), ']', ','), '"', ''), ' ', '')
        end as unit_ids /* between commas; null when the API does not say */
    from return_labels as b
),
several as ( /* returns with more than one label: only there a notice can belong to one or another */
    select distinct b.shop, b.return_id
    from return_labels as b
    where b.label_index > 0
),
told as ( /* a notice names its label by the tracking number only, which is empty where personal data is dropped */
    select
        b.shop,
        b.return_id,
        b.label_index,
        n.notice_id,
        n.line_item_id,
        n.delivered_at,
        n.scanned_at,
        n.label_status,
        n.service,
        n.destination_name,
        1 as place
    from labels as b
    join fct_return_notices as n on n.shop = b.shop and n.return_id = b.return_id
    left join several as s on s.shop = b.shop and s.return_id = b.return_id
    where s.shop is null and (b.unit_ids is null or strpos(b.unit_ids, concat(',', n.line_item_id, ',')) > 0)
    union all
    select
        b.shop,
        b.return_id,
        b.label_index,
        n.notice_id,
        n.line_item_id,
        n.delivered_at,
        n.scanned_at,
        n.label_status,
        n.service,
        n.destination_name,
        row_number() over (
            partition by b.shop, n.notice_id, n.line_item_id, b.return_id
            order by
                case when b.updated_at = n.scanned_at then 0 else 1 end,
                case when b.updated_at is null then 1 else 0 end,
                b.updated_at desc,
                b.label_index desc
        ) as place
    from several as s
    join labels as b on b.shop = s.shop and b.return_id = s.return_id
    join fct_return_notices as n on n.shop = b.shop and n.return_id = b.return_id
    where b.unit_ids is null or strpos(b.unit_ids, concat(',', n.line_item_id, ',')) > 0
),
notices as (
    select
        t.shop,
        t.return_id,
        t.label_index,
        min(t.delivered_at) as delivered_at,
        max(t.service) as service,
        max(t.destination_name) as destination_name,
        min(case when t.label_status in ('in_transit', 'out_for_delivery') then t.scanned_at end) as first_scanned_at
    from told as t
    where t.place = 1
    group by t.shop, t.return_id, t.label_index
),
reports as ( /* of carriers that it is on its way: what runs saw replaced, and what replaced it */
    select c.shop, c.source, c.return_id, c.line_item_id, c.from_updated_at as reported_at
    from return_label_changes as c
    where lower(trim(c.from_status)) in ('in_transit', 'out_for_delivery')
    union all
    select c.shop, c.source, c.return_id, c.line_item_id, c.updated_at as reported_at
    from return_label_changes as c
    where lower(trim(c.to_status)) in ('in_transit', 'out_for_delivery')
),
scans as (
    select t.shop, t.return_id, t.label_index, r.reported_at
    from told as t
    join reports as r
        on r.shop = t.shop
        and r.source = 'advanced_shipping_notices'
        and r.return_id = t.notice_id
        and r.line_item_id = t.line_item_id
    where t.place = 1
    union all /* a return shows its latest label only, so with several it is not known which */
    select b.shop, b.return_id, b.label_index, r.reported_at
    from labels as b
    join reports as r on r.shop = b.shop and r.source = 'returns' and r.return_id = b.return_id
    left join several as s on s.shop = b.shop and s.return_id = b.return_id
    where s.shop is null
    union all
    select n.shop, n.return_id, n.label_index, n.first_scanned_at as reported_at
    from notices as n
    where n.first_scanned_at is not null
    union all
    select b.shop, b.return_id, b.label_index, b.updated_at as reported_at
    from labels as b
    where b.status in ('in_transit', 'out_for_delivery')
),
firsts as (
    select s.shop, s.return_id, s.label_index, min(s.reported_at) as first_scanned_at
    from scans as s
    group by s.shop, s.return_id, s.label_index
),
happy as ( /* shipments of Happy Returns that hold units of a return; the latest first */
    select
        i.shop,
        i.return_id,
        i.loop_shipment_id,
        h.created_at,
        max(case when lower(trim(i.carrier)) not in ('', 'n/a') then i.carrier end) as carrier,
        max(case when lower(trim(i.tracking_number)) not in ('', 'n/a') then i.tracking_number end) as tracking_number,
        max(case when lower(trim(i.shipping_box_barcode)) not in ('', 'n/a') then i.shipping_box_barcode end) as box_barcode,
        count(*) over (partition by i.shop, i.return_id) as shipments,
        row_number() over (
            partition by i.shop, i.return_id
            order by case when h.created_at is null then 1 else 0 end, h.created_at desc, i.loop_shipment_id desc
        ) as place
    from happy_returns_shipment_items as i
    left join happy_returns_shipments as h on h.shop = i.shop and h.loop_shipment_id = i.loop_shipment_id
    where i._deleted_at is null and h._deleted_at is null
    group by i.shop, i.return_id, i.loop_shipment_id, h.created_at
),
joined as (
    select
        b.*,
        h.shipments as happy_returns_shipments,
        h.loop_shipment_id,
        h.carrier as sent_on_carrier,
        h.tracking_number as sent_on_tracking_number,
        h.box_barcode,
        h.created_at as sent_on_at,
        t.first_scanned_at,
        n.service,
        n.destination_name,
        coalesce(n.delivered_at, case when b.status = 'delivered' then b.updated_at end) as delivered_at
    from labels as b
    left join notices as n on n.shop = b.shop and n.return_id = b.return_id and n.label_index = b.label_index
    left join happy as h on h.shop = b.shop and h.return_id = b.return_id and h.place = 1
    left join firsts as t on t.shop = b.shop and t.return_id = b.return_id and t.label_index = b.label_index
)
select
    j.shop, -- The shop, as configured.
    j.shop || ':' || j.return_id || ':' || cast(j.label_index as text) as label_key, -- Shop, return and position in one column.
    f.return_key, -- Shop and return in one column; joins fct_returns.
    j.return_id, -- The return.
    j.label_index, -- Position of the label in the return, from 0.
    f.state, -- State of the return.
    f.is_void, -- True when the return is cancelled or expired.
    f.return_type, -- standard or warranty.
    f.submitted_at, -- When the return was submitted.
    f.submitted_date, -- That day in the shop's time zone.
    f.ordered_at, -- When the order was placed; null when not known.
    f.ordered_date, -- That day in the shop's time zone.
    j.carrier, -- The carrier.
    j.service, -- The carrier's service level, by the shipping notices of the label's units.
    j.tracking_number, -- The tracking number, as the setting `pii` lets it land.
    j.status, -- State of the label: new, pre_transit, in_transit, out_for_delivery, delivered, error, …
    case
        when j.delivered_at is not null then 'delivered'
        when j.status in ('in_transit', 'out_for_delivery') then 'on its way'
        when j.status in ('error', 'failure') then 'problem'
        when j.status in ('new', 'pre_transit', 'pending') then 'not sent'
        else 'unknown'
    end as stage, -- not sent, on its way, delivered, problem or unknown.
    case when j.unit_ids = ',,' then 0 else cast(length(j.unit_ids) - length(replace(j.unit_ids, ',', '')) - 1 as integer) end as units, -- Units the label is for; null when the API does not say.
    j.updated_at as scanned_at, -- Last time the carrier reported something.
    j.first_scanned_at, -- When the carrier first had it on its way, as far as runs saw; null when none saw it on its way. Later than it was when no run came in between.
    j.delivered_at, -- When the package arrived: the date in its units' notices, else the last scan of a delivered label.
    case when j.delivered_at >= f.submitted_at then cast(round(cast(date_diff('second', f.submitted_at at time zone 'UTC', j.delivered_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_to_deliver, -- Days from submitting to delivery, the shopper's own included; null until delivered, and when that is before submitting.
    case when j.delivered_at >= j.first_scanned_at then cast(round(cast(date_diff('second', j.first_scanned_at at time zone 'UTC', j.delivered_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_in_transit, -- Days from that first scan to delivery: the carrier's own, without the shopper's; null when either is not known.
    coalesce(j.delivered_at < f.submitted_at, false) as is_impossible, -- True when it was delivered before the return was submitted, so that the days are null.
    f.currency, -- Currency of the return; the API does not say in which currency a label is priced.
    j.rate as label_rate, -- Price of the label as the API gives it; its unit is not documented.
    f.destination_id, -- Where the return goes.
    f.destination_key, -- Shop and that place in one column; joins dim_destinations.
    j.destination_name, -- Name of that place, by the shipping notice.
    coalesce(j.happy_returns_shipments, 0) as happy_returns_shipments, -- Shipments in which Happy Returns sent units of the return on to the merchant; they are of the return, so the same on each of its labels.
    j.loop_shipment_id as happy_returns_shipment_id, -- Loop's id of the latest of them; null where there is none.
    j.sent_on_carrier, -- Who carries that shipment.
    j.sent_on_tracking_number, -- Its tracking number, which is no shopper's.
    j.box_barcode, -- Barcode of the box in it that holds units of the return; one of several.
    j.sent_on_at -- When Loop was told of that shipment.
from joined as j
join fct_returns as f on f.shop = j.shop and f.return_id = j.return_id
