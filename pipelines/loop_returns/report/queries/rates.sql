-- What was sold and what of it came back, by month of the order and product.
select
    shop,
    coalesce(currency, '(none)') as currency,
    coalesce(product_id, '(none)') as product,
    month,
    cast(sum(units_sold) as bigint) as sold,
    cast(sum(units_returned) as bigint) as returned,
    {sum:revenue} as revenue,
    {sum:revenue_returned} as revenue_returned,
    cast(coalesce(sum(case when units_returned_30 is not null then units_sold end), 0) as bigint) as sold_30,
    cast(coalesce(sum(units_returned_30), 0) as bigint) as returned_30,
    cast(coalesce(sum(case when units_returned_60 is not null then units_sold end), 0) as bigint) as sold_60,
    cast(coalesce(sum(units_returned_60), 0) as bigint) as returned_60,
    cast(coalesce(sum(case when units_returned_90 is not null then units_sold end), 0) as bigint) as sold_90,
    cast(coalesce(sum(units_returned_90), 0) as bigint) as returned_90
from {rpt_return_rates}
where month >= date_trunc('month', {since})
group by shop, coalesce(currency, '(none)'), coalesce(product_id, '(none)'), month
order by shop, currency, product, month
