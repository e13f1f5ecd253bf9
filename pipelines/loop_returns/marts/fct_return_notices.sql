-- One row per unit in a shipping notice, with the return it belongs to: when it was ordered, delivered and closed, and where it goes.
-- grain: one row per shipping notice of a unit whose return can be told, though the warehouse need not have it
-- key: shop, notice_id, line_item_id
-- materialized: table
-- answers: Which shipping notices belong to this return, and what do they say?
-- answers: Where do a return and its shipping notices differ?
with placed as ( /* its own with keeps DuckDB from reading columns that nobody asks for */
    with by_return as ( /* shops in which the id of a notice is shown to be its return's: the return of that id is of the same order */
        select n.shop
        from advanced_shipping_notices as n
        join returns as r on r.shop = n.shop and r.id = n.id
        where n._deleted_at is null
        group by n.shop
        having 2 * count(
            case
                when n.order_id = r.order_id and lower(trim(r.order_id)) not in ('', 'n/a') then 1
                when n.order_name = r.order_name and lower(trim(r.order_name)) not in ('', 'n/a') then 1
            end
        ) > count(*)
    ),
    others as ( /* notices of the other shops */
        select
            n.*,
            case when lower(trim(n.order_id)) not in ('', 'n/a') then n.order_id end as calc_order_id,
            case when lower(trim(n.order_name)) not in ('', 'n/a') then n.order_name end as calc_order_name
        from advanced_shipping_notices as n
        left join by_return as b on b.shop = n.shop
        where n._deleted_at is null and b.shop is null
    ),
    candidates as ( /* the unit and its order tell; of two returns of one order, the latest that was there already */
        select
            n.*,
            r.id as calc_return_id,
            row_number() over (
                partition by n.shop, n.id, n.return_line_item_id
                order by case when r.created_at <= n.created_at then 0 else 1 end, r.created_at desc, r.id desc
            ) as calc_place
        from others as n
        join return_line_items as l on l.shop = n.shop and l.line_item_id = n.return_line_item_id
        join returns as r on r.shop = l.shop and r.id = l.return_id
        where
            coalesce(n.calc_order_id = case when lower(trim(r.order_id)) not in ('', 'n/a') then r.order_id end, true)
            or coalesce(n.calc_order_name = r.order_name, false)
    )
    select
        n.shop,
        n.id as notice_id,
        n.return_line_item_id as line_item_id,
        n.id as return_id,
        1 as place,
        n.state,
        n.outcome,
        n.created_at,
        n.updated_at,
        n.provider_created_at,
        n.date_delivered,
        n.closed_at,
        n.label_status,
        n.label_updated_at,
        n.return_method_state,
        n.service,
        n.restock_status,
        n.destination_id,
        n.destination_name,
        n.purchase_price
    from advanced_shipping_notices as n
    join by_return as b on b.shop = n.shop
    where n._deleted_at is null
    union all
    select
        n.shop,
        n.id as notice_id,
        n.return_line_item_id as line_item_id,
        n.calc_return_id as return_id,
        row_number() over (
            partition by n.shop, n.calc_return_id, n.return_line_item_id
            order by coalesce(n.updated_at, n.created_at) desc, n.id desc
        ) as place,
        n.state,
        n.outcome,
        n.created_at,
        n.updated_at,
        n.provider_created_at,
        n.date_delivered,
        n.closed_at,
        n.label_status,
        n.label_updated_at,
        n.return_method_state,
        n.service,
        n.restock_status,
        n.destination_id,
        n.destination_name,
        n.purchase_price
    from candidates as n
    where n.calc_place = 1
)
select
    p.shop, -- The shop, as configured.
    p.shop || ':' || p.notice_id || ':' || p.line_item_id as notice_key, -- Shop, notice and unit in one column.
    p.shop || ':' || p.return_id as return_key, -- Shop and return in one column; joins fct_returns.
    p.notice_id, -- Id of the notice in the report.
    p.line_item_id, -- The unit.
    p.return_id, -- The return: that of the notice's id, in a shop whose notices and returns have the same ids; else the return that has the unit and is of the notice's order. fct_returns has no row for it when Loop no longer has it, or it was never read.
    p.place = 1 as is_newest, -- True for the newest notice of the unit on that return.
    case when lower(trim(p.state)) not in ('', 'n/a') then p.state end as state, -- State of the return, by the notice.
    case when lower(trim(p.outcome)) not in ('', 'n/a') then p.outcome end as outcome, -- What the shopper gets, by the notice.
    p.created_at as submitted_at, -- When the return was submitted, by the notice.
    p.updated_at, -- When Loop last changed the notice.
    p.provider_created_at as ordered_at, -- When the order was placed.
    p.date_delivered as delivered_at, -- When the carrier delivered the unit.
    p.closed_at, -- When the return was closed, by the notice.
    case when lower(trim(p.label_status)) not in ('', 'n/a') then lower(trim(p.label_status)) end as label_status, -- State of the label, by the notice.
    p.label_updated_at as scanned_at, -- Last time the carrier reported something.
    case when lower(trim(p.return_method_state)) not in ('', 'n/a') then lower(trim(p.return_method_state)) end as return_method_state, -- State of the drop-off.
    case when lower(trim(p.service)) not in ('', 'n/a') then p.service end as service, -- The carrier's service level.
    case when lower(trim(p.restock_status)) not in ('', 'n/a') then p.restock_status end as restock_status, -- Whether the unit is back in stock; its words are not documented.
    case when lower(trim(p.destination_id)) not in ('', 'n/a') then p.destination_id end as destination_id, -- Where the unit goes.
    case when lower(trim(p.destination_name)) not in ('', 'n/a') then p.destination_name end as destination_name, -- Name of that place.
    p.purchase_price -- What the unit was bought for.
from placed as p
