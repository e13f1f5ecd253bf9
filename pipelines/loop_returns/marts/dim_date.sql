-- One row per day, from the year before the first return to the year after the latest one, for tools that want a table of dates.
-- grain: one row per day
-- key: day
-- answers: Which month, quarter, week and weekday is a day?
with years as (
    select
        cast(min(extract(year from r.created_at at time zone 'UTC')) as integer) - 1 as first_year,
        cast(max(extract(year from r.created_at at time zone 'UTC')) as integer) + 1 as last_year
    from returns as r
    where extract(year from r.created_at at time zone 'UTC') between 2000 and 2099
),
digits as (
    select 0 as d union all select 1 union all select 2 union all select 3 union all select 4
    union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
),
numbers as (
    select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n
    from digits as a
    cross join digits as b
    cross join digits as c
    cross join digits as e
    cross join digits as f
    where f.d < 4
),
days as (
    select cast('1999-01-01' as date) + n.n as day
    from numbers as n
)
select
    d.day, -- The day.
    cast(extract(year from d.day) as integer) as year, -- Its year.
    cast(extract(quarter from d.day) as integer) as quarter, -- Quarter of the year, 1 to 4.
    cast(extract(month from d.day) as integer) as month, -- Month of the year, 1 to 12.
    cast(date_trunc('month', d.day) as date) as month_start, -- First day of its month: the `month` of the reports.
    cast(date_trunc('month', d.day) + interval '1 month' as date) - 1 as month_end, -- Last day of its month: the `month_end` of the reports.
    cast(date_trunc('week', d.day) as date) as week_start, -- The Monday of its week.
    cast(extract(week from d.day) as integer) as iso_week, -- Number of its week, ISO 8601.
    cast(date_diff('day', cast(date_trunc('week', d.day) as date), d.day) + 1 as integer) as weekday, -- Day of the week, 1 for Monday to 7 for Sunday.
    date_diff('day', cast(date_trunc('week', d.day) as date), d.day) > 4 as is_weekend -- True on Saturday and Sunday.
from days as d
join years as y on extract(year from d.day) between y.first_year and y.last_year
