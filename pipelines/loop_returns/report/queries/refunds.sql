-- Returns with a refund, by day of submission and whether the refund fits; the 50 with most money that do not have a row each.
with placed as (
    select
        shop,
        coalesce(currency, '(none)') as currency,
        status,
        cast(submitted_at at time zone 'UTC' as date) as day,
        return_id,
        state,
        refund_chosen,
        refund_paid,
        difference,
        case
            when status not in ('fine', 'waiting', 'paid before inspection')
                then row_number() over (
                    partition by shop, currency, status order by refund_chosen desc, submitted_at desc, return_id
                )
        end as place
    from {rpt_refund_reconciliation}
    where cast(submitted_at at time zone 'UTC' as date) >= {since}
)
select
    shop,
    currency,
    status,
    case when place <= 50 then return_id end as return_id,
    case when place <= 50 then state end as state,
    day,
    count(*) as returns,
    {sum:refund_chosen} as chosen,
    {sum:refund_paid} as paid,
    count(refund_paid) as paid_known,
    {sum:difference} as difference
from placed
group by shop, currency, status, case when place <= 50 then return_id end, case when place <= 50 then state end, day
order by shop, currency, status, return_id, day
