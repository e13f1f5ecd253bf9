-- One row per return, with its order date, outcome, money, what was retained, and how long each step took.
-- grain: one row per return that Loop still has
-- key: shop, return_id
-- materialized: table
-- answers: What share of the returned value stayed as exchanges and store credit?
-- answers: How many days pass between submitting a return, its delivery, the refund and its closing?
-- answers: Which returns of this Shopify order were there, and what did the shopper get?
with lines as (
    select l.shop, l.return_id, count(*) as units
    from return_line_items as l
    group by l.shop, l.return_id
),
swaps as (
    select e.shop, e.return_id, count(*) as units
    from return_exchanges as e
    group by e.shop, e.return_id
),
notices as (
    select
        n.shop,
        n.return_id,
        min(n.ordered_at) as ordered_at,
        max(n.closed_at) as closed_at,
        min(n.delivered_at) as delivered_at
    from fct_return_notices as n
    group by n.shop, n.return_id
),
labels as (
    select
        b.shop,
        b.return_id,
        count(*) as labels,
        min(case when lower(b.status) = 'delivered' then b.updated_at end) as delivered_at
    from return_labels as b
    group by b.shop, b.return_id
),
paid_back as (
    select f.shop, f.return_id, min(coalesce(f.provider_created_at, f.created_at)) as refunded_at
    from return_refunds as f
    group by f.shop, f.return_id
),
refund_parts as ( /* of return details; the same part may be there twice */
    select distinct
        f.shop,
        f.return_id,
        case when lower(trim(f.provider_refund_id)) not in ('', 'n/a') then f.provider_refund_id end as provider_refund_id,
        case when lower(trim(f.provider_refund_id)) not in ('', 'n/a') then -1 else f.refund_index end as refund_index,
        f.gateway,
        f.amount,
        lower(trim(f.currency)) as currency
    from return_detail_refunds as f
),
refunds_paid as (
    select
        p.shop,
        p.return_id,
        case when count(p.amount) = count(*) and count(p.currency) = count(*) and min(p.currency) = max(p.currency) then sum(p.amount) end as amount,
        max(p.currency) as currency
    from refund_parts as p
    group by p.shop, p.return_id
),
joined as (
    select
        r.*,
        d.return_id is not null as calc_has_details,
        refunds_paid.return_id is not null as calc_has_parts,
        case when lower(trim(r.currency)) = refunds_paid.currency and refunds_paid.currency not in ('', 'n/a') then refunds_paid.amount end as calc_paid,
        case when lower(trim(d.presentment_currency)) not in ('', 'n/a') then d.presentment_currency end as calc_presented,
        d.presentment_return_total as calc_return_total,
        d.presentment_return_credit_total as calc_return_credit_total,
        d.presentment_refund as calc_refund,
        d.presentment_gift_card as calc_gift_card,
        d.presentment_exchange_total as calc_exchange_total,
        d.presentment_handling_fee as calc_handling_fee,
        lower(coalesce(r.outcome, '')) as calc_words,
        coalesce(lines.units, 0) as calc_units_returned,
        coalesce(swaps.units, 0) as calc_units_exchanged,
        coalesce(labels.labels, 0) as calc_labels,
        notices.ordered_at as calc_ordered_at,
        case when r.state not in ('open', 'review') then notices.closed_at end as calc_closed_at,
        coalesce(
            notices.delivered_at,
            labels.delivered_at,
            case when lower(r.label_status) = 'delivered' then r.label_updated_at end
        ) as calc_delivered_at,
        least(
            coalesce(paid_back.refunded_at, r.outcomes_processed_at_refund_processed),
            coalesce(r.outcomes_processed_at_refund_processed, paid_back.refunded_at)
        ) as calc_refunded_at
    from returns as r
    left join lines on lines.shop = r.shop and lines.return_id = r.id
    left join swaps on swaps.shop = r.shop and swaps.return_id = r.id
    left join notices on notices.shop = r.shop and notices.return_id = r.id
    left join labels on labels.shop = r.shop and labels.return_id = r.id
    left join return_details as d on d.shop = r.shop and d.return_id = r.id
    left join refunds_paid on refunds_paid.shop = r.shop and refunds_paid.return_id = r.id
    left join paid_back on paid_back.shop = r.shop and paid_back.return_id = r.id
    where r._deleted_at is null
)
select
    j.shop, -- The shop, as configured.
    j.shop || ':' || j.id as return_key, -- Shop and return in one column, for tools that join by one.
    j.id as return_id, -- Loop's id of the return (RMA number).
    j.state, -- open, closed, cancelled, expired or review.
    coalesce(j.state in ('cancelled', 'expired'), false) as is_void, -- True for cancelled and expired returns: no goods are to come, so reports leave their value out. Money can have gone back before, see refunded_evidenced.
    case when lower(trim(j.type)) not in ('', 'n/a') then j.type end as return_type, -- standard or warranty.
    case when lower(trim(j.outcome)) not in ('', 'n/a') then j.outcome end as outcome, -- The outcome in Loop's words, such as exchange+refund.
    j.calc_words like '%exchange%' or j.calc_words like '%upsell%' or coalesce(j.exchange_total, 0) > 0 or j.calc_units_exchanged > 0 as has_exchange, -- True when the shopper takes something else, alone or beside another outcome.
    j.calc_words like '%refund%' or coalesce(j.refund, 0) > 0 as has_refund, -- True when money goes back.
    j.calc_words like '%credit%' or j.calc_words like '%gift%' or coalesce(j.gift_card, 0) > 0 as has_credit, -- True when store credit is issued.
    j.calc_words like '%upsell%' or coalesce(j.upsell, 0) > 0 as has_upsell, -- True when the shopper paid extra for a dearer exchange.
    j.created_at as submitted_at, -- When the shopper submitted the return.
    cast(j.created_at at time zone $zone_of_j as date) as submitted_date, -- That day in the shop's time zone.
    cast(j.created_at at time zone 'UTC' as date) as submitted_date_utc, -- That day in UTC.
    j.calc_ordered_at as ordered_at, -- When the order was placed; null when no shipping notice was read for the return.
    cast(j.calc_ordered_at at time zone $zone_of_j as date) as ordered_date, -- That day in the shop's time zone.
    cast(j.calc_ordered_at at time zone 'UTC' as date) as ordered_date_utc, -- That day in UTC.
    j.updated_at, -- When Loop last changed the return.
    j.edited_at, -- When the merchant last edited it.
    j.calc_delivered_at as delivered_at, -- When the first package arrived: the notice's date, else the last scan of a delivered label.
    j.calc_refunded_at as refunded_at, -- When money first went back: the earlier of Shopify's refund (else of its record at Loop) and Loop's processing.
    cast(j.calc_refunded_at at time zone $zone_of_j as date) as refunded_date, -- That day in the shop's time zone.
    j.calc_closed_at as closed_at, -- When the return was closed; known from the shipping notices only. Null while it is open or in review, also after it was reopened.
    cast(j.calc_closed_at at time zone $zone_of_j as date) as closed_date, -- That day in the shop's time zone.
    case when lower(trim(j.provider_order_id)) not in ('', 'n/a') then j.provider_order_id end as provider_order_id, -- The Shopify order id: the key to join Shopify orders.
    case when lower(trim(j.order_name)) not in ('', 'n/a') then j.order_name end as order_name, -- The order's name on the commerce platform.
    case when lower(trim(j.order_id)) not in ('', 'n/a') then j.order_id end as loop_order_id, -- Loop's own id of the order.
    case when lower(trim(j.customer)) not in ('', 'n/a') then lower(trim(j.customer)) end as customer, -- The shopper's e-mail address in lower case, or its fingerprint, or nothing, by the setting `pii`.
    case when lower(trim(j.origin_country)) not in ('', 'n/a') then j.origin_country end as country, -- Country of the shopper.
    case when lower(trim(j.origin_country_code)) not in ('', 'n/a') then j.origin_country_code end as country_code, -- The same as ISO 3166-1 alpha-2.
    case when lower(trim(j.currency)) not in ('', 'n/a') then j.currency end as currency, -- Currency of every amount of the row.
    j.multi_currency, -- True when the order was placed in another currency.
    j.calc_units_returned as units_returned, -- Units on the return.
    j.calc_units_exchanged as units_exchanged, -- Units the shopper gets in exchange.
    j.return_product_total as returned_gross, -- Gross price of the returned units.
    j.return_discount_total as returned_discount, -- Discounts they had been given.
    j.return_tax_total as returned_tax, -- Tax on them.
    j.return_total as returned_value, -- What was returned is worth: gross, less discounts, with tax.
    j.return_credit_total as retained_revenue, -- The part of the returned value that stays as exchange or store credit; upsell is not in it.
    coalesce(j.return_credit_total, 0) - least(coalesce(j.exchange_credit_total, 0), coalesce(j.return_credit_total, 0)) as retained_as_credit, -- Of that, store credit: what the exchange did not take.
    least(coalesce(j.exchange_credit_total, 0), coalesce(j.return_credit_total, 0)) as retained_as_exchange, -- Of that, exchanges: the credit spent on them, at most what was retained.
    cast(round(cast(j.return_credit_total / nullif(j.return_total, 0) as decimal(28, 9)) + 0.000000001, 4) as decimal(18, 4)) as retained_ratio, -- Retained revenue by returned value; null when nothing of value was returned.
    j.refund as refunded, -- Refund that was chosen, whether it was paid or not.
    case when j.calc_refunded_at is not null then j.refund else 0 end as refunded_evidenced, -- The same amount where a date of a refund exists (refunded_at), else 0; for what was paid see refunded_paid.
    case when j.calc_has_parts then j.calc_paid when j.calc_has_details then 0 end as refunded_paid, -- What was paid back, by the return's details; null where they were not read, or an amount in them is missing or in another currency.
    j.refund_shipping_total as refunded_shipping, -- Shipping cost that was refunded.
    j.gift_card as store_credit, -- Store credit issued, bonus included.
    j.exchange_total as exchanged_value, -- Worth of the exchange items.
    j.upsell, -- Extra the shopper paid for dearer items.
    j.handling_fee, -- Fee the merchant kept.
    case when j.multi_currency then j.calc_presented when not j.multi_currency and lower(trim(j.currency)) not in ('', 'n/a') then j.currency end as presentment_currency, -- Currency that the shopper saw, of the next six amounts: the shop's, or, for an order in another one, that of the return's details; null, as they are, where these were not read.
    case when j.multi_currency then j.calc_return_total when not j.multi_currency then j.return_total end as presentment_returned_value, -- The same of the returned value.
    case when j.multi_currency then j.calc_return_credit_total when not j.multi_currency then j.return_credit_total end as presentment_retained_revenue, -- Of the retained revenue.
    case when j.multi_currency then j.calc_refund when not j.multi_currency then j.refund end as presentment_refunded, -- Of the refund that was chosen.
    case when j.multi_currency then j.calc_gift_card when not j.multi_currency then j.gift_card end as presentment_store_credit, -- Of the store credit.
    case when j.multi_currency then j.calc_exchange_total when not j.multi_currency then j.exchange_total end as presentment_exchanged_value, -- Of the exchange items.
    case when j.multi_currency then j.calc_handling_fee when not j.multi_currency then j.handling_fee end as presentment_handling_fee, -- Of the handling fee.
    case when lower(trim(j.carrier)) not in ('', 'n/a') then j.carrier end as carrier, -- Carrier of the latest label.
    case when lower(trim(j.label_status)) not in ('', 'n/a') then lower(trim(j.label_status)) end as label_status, -- State of the latest label.
    j.calc_labels as labels, -- Labels the return has.
    case when lower(trim(j.destination_id)) not in ('', 'n/a') then j.destination_id end as destination_id, -- Where the goods go.
    case when lower(trim(j.destination_id)) not in ('', 'n/a') then j.shop || ':' || j.destination_id end as destination_key, -- Shop and that place in one column; joins dim_destinations.
    j.refund_before_inspection, -- True when the refund went out before inspection.
    j.was_processed, -- True once Loop has processed the return.
    case when j.created_at >= j.calc_ordered_at then cast(round(cast(date_diff('second', j.calc_ordered_at at time zone 'UTC', j.created_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_from_order, -- Days from order to return; null when no order date is known, or it is later than the return.
    case when j.calc_delivered_at >= j.created_at then cast(round(cast(date_diff('second', j.created_at at time zone 'UTC', j.calc_delivered_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_to_deliver, -- Days from submitting to delivery; null until delivered, and when that is before submitting.
    case when j.calc_refunded_at >= j.created_at then cast(round(cast(date_diff('second', j.created_at at time zone 'UTC', j.calc_refunded_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_to_refund, -- Days from submitting to the refund; null until then, and when that is before submitting.
    case when j.calc_closed_at >= j.created_at then cast(round(cast(date_diff('second', j.created_at at time zone 'UTC', j.calc_closed_at at time zone 'UTC') / 86400.0 as decimal(18, 9)) + 0.000000001, 2) as decimal(18, 2)) end as days_to_close, -- Days from submitting to closing; null when no notice tells, while it is open or in review, and when that is before submitting.
    case when j.calc_ordered_at > j.created_at then 1 else 0 end
    + case when j.calc_delivered_at < j.created_at then 1 else 0 end
    + case when j.calc_refunded_at < j.created_at then 1 else 0 end
    + case when j.calc_closed_at < j.created_at then 1 else 0 end as impossible_durations -- How many of these four would be less than nothing; they are null, and in no mean.
from joined as j
