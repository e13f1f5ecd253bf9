"""What the report asks: one query for each table that goes into the page, all of them on marts and on the ledger.

Sums and counts by day, so that the page can add up any range of days; means and medians could not be added up. The text is
plain SQL that every destination understands. `{name}` stands for a table, `{since}` for the first day.
"""

# ruff: noqa: S608 # the statements are made of constants of this module

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP_PRODUCTS: Final = 20  # of each month, by shop and currency; a large catalogue would make a heavy page
RUNS_SHOWN: Final = 12  # by shop
CLOSING_DAYS: Final = (3, 5, 7, 10, 14, 21, 30, 60)  # upper ends of the groups of days to close; a last group has no end


@dataclass(frozen=True)
class Query:
    """A query, and for each of its columns what it holds.

    Kinds: `count`, `money`, `days` (a number of days), `day`, `time`, `flag`, `text`, `json`, and names of word lists
    (`shop`, `currency`, …): of those the page keeps each word once.
    """

    columns: Mapping[str, str]
    sql: str


_DAILY: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "returns": "count", "cancelled": "count", "expired": "count",
        "units": "count", "returned": "money", "retained": "money", "as_exchange": "money", "as_credit": "money",
        "refunded": "money", "upsell": "money",
    },
    """
select shop, day, currency, returns, returns_cancelled, returns_expired, units_returned, returned_value, retained_revenue,
       retained_as_exchange, retained_as_credit, refunded, upsell
from {rpt_returns_daily}
where date_basis = 'submitted' and day >= {since}
""",
)  # fmt: skip

_KINDS: Final = "(case when has_exchange then 1 else 0 end + case when has_refund then 1 else 0 end \
+ case when has_credit then 1 else 0 end)"
_ENDS: Final = (-1_000_000, *CLOSING_DAYS, 1_000_000)
_GROUPS: Final = ",\n       ".join(
    f"count(case when days_to_close > {low} and days_to_close <= {high} then 1 end)" for low, high in pairwise(_ENDS)
)

_STEPS: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "exchange": "count", "credit": "count", "refund": "count",
        "mixed": "count", "other": "count", "deliver_days": "days", "delivered": "count", "refund_days": "days",
        "paid": "count", "close_days": "days", "closed": "count",
        **{f"close_{number}": "count" for number in range(len(CLOSING_DAYS) + 1)},
    },
    f"""
select shop, submitted_date, currency,
       count(case when {_KINDS} = 1 and has_exchange then 1 end),
       count(case when {_KINDS} = 1 and has_credit then 1 end),
       count(case when {_KINDS} = 1 and has_refund then 1 end),
       count(case when {_KINDS} > 1 then 1 end),
       count(case when {_KINDS} = 0 then 1 end),
       sum(days_to_deliver), count(days_to_deliver),
       sum(days_to_refund), count(days_to_refund),
       sum(days_to_close), count(days_to_close),
       {_GROUPS}
from {{fct_returns}}
where not is_void and submitted_date >= {{since}}
group by shop, submitted_date, currency
""",
)  # fmt: skip

_REASONS: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "parent": "reason", "reason": "reason",
        "units": "count", "returned": "money", "refunded": "money",
    },
    """
select shop, submitted_date, currency, coalesce(parent_reason, '(none given)'), coalesce(reason, '(none given)'),
       count(*), sum(returned_value), sum(refunded)
from {fct_return_lines}
where not is_void and submitted_date >= {since}
group by shop, submitted_date, currency, coalesce(parent_reason, '(none given)'), coalesce(reason, '(none given)')
""",
)  # fmt: skip

_PRODUCT_KEY: Final = "coalesce({0}product_id, '') || '/' || coalesce({0}variant_id, '') || '/' || coalesce({0}sku, '')"
_TOP: Final = f"""
with monthly as (
    select shop, currency, {_PRODUCT_KEY.format("")} as product, row_number() over (
        partition by shop, currency, extract(year from submitted_date), extract(month from submitted_date)
        order by count(*) desc, {_PRODUCT_KEY.format("")}) as place
    from {{fct_return_lines}}
    where not is_void and submitted_date >= {{since}}
    group by shop, currency, extract(year from submitted_date), extract(month from submitted_date), {_PRODUCT_KEY.format("")}
),
top_ones as (select distinct shop, coalesce(currency, '') as currency, product from monthly where place <= {TOP_PRODUCTS})
"""

_CATALOGUE: Final = Query(
    {"shop": "shop", "product": "product", "title": "title", "sku": "text", "main_reason": "reason", "units": "count"},
    f"""{_TOP}
select p.shop, t.product, coalesce(p.title, p.sku, p.product_id, '(no title)'), p.sku, p.main_reason, p.units_returned
from {{rpt_product_returns}} as p
join top_ones as t
    on t.shop = p.shop and t.currency = coalesce(p.currency, '') and t.product = {_PRODUCT_KEY.format("p.")}
order by p.units_returned desc
""",
)

_PRODUCTS: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "product": "product", "units": "count", "swapped": "count",
        "returned": "money",
    },
    f"""{_TOP}
select l.shop, l.submitted_date, l.currency, t.product, count(*),
       count(case when l.outcome = 'exchange' or l.exchange_variant_id is not null then 1 end), sum(l.returned_value)
from {{fct_return_lines}} as l
join top_ones as t
    on t.shop = l.shop and t.currency = coalesce(l.currency, '') and t.product = {_PRODUCT_KEY.format("l.")}
where not l.is_void and l.submitted_date >= {{since}}
group by l.shop, l.submitted_date, l.currency, t.product
""",
)  # fmt: skip

_CARRIERS: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "carrier": "carrier", "labels": "count",
        "delivered": "count", "on_the_way": "count", "problems": "count", "not_sent": "count", "void": "count",
        "days": "days", "measured": "count",
    },
    """
select shop, submitted_date, currency, coalesce(carrier, '(unknown)'), count(*),
       count(case when stage = 'delivered' then 1 end),
       count(case when stage = 'on its way' then 1 end),
       count(case when stage = 'problem' then 1 end),
       count(case when stage = 'not sent' and not is_void then 1 end),
       count(case when stage <> 'delivered' and is_void then 1 end),
       sum(days_to_deliver), count(days_to_deliver)
from {fct_return_shipments}
where submitted_date >= {since}
group by shop, submitted_date, currency, coalesce(carrier, '(unknown)')
""",
)  # fmt: skip

_COMING: Final = Query(
    {
        "shop": "shop", "day": "day", "currency": "currency", "place": "place", "stage": "stage", "overdue": "flag",
        "returns": "count", "units": "count", "returned": "money",
    },
    """
select shop, expected_date, currency, coalesce(destination_name, destination_id, 'place not known'), stage, is_overdue,
       sum(returns), sum(units), sum(returned_value)
from {rpt_inbound_forecast}
group by shop, expected_date, currency, coalesce(destination_name, destination_id, 'place not known'), stage, is_overdue
""",
)  # fmt: skip

_WAITING: Final = Query(
    {
        "shop": "shop", "currency": "currency", "state": "stage", "age": "age", "stage": "stage", "returns": "count",
        "units": "count", "returned": "money", "refund_due": "money",
    },
    """
select shop, currency, state, age_bucket, stage, returns, units, returned_value, refund_due
from {rpt_return_aging}
""",
)  # fmt: skip

_FRESHNESS: Final = Query(
    {
        "shop": "shop", "synced_up_to": "time", "last_good_sync_at": "time", "last_reconciled_at": "time",
        "last_outcome": "text", "runs": "count", "runs_failed": "count", "returns": "count", "deleted": "count",
        "newest_return_at": "time",
    },
    """
select shop, synced_up_to, last_good_sync_at, last_reconciled_at, last_outcome, runs, runs_failed, returns, returns_deleted,
       newest_return_at
from {rpt_sync_freshness}
""",
)  # fmt: skip

_RUNS: Final = Query(
    {
        "shop": "shop", "place": "count", "command": "text", "started_at": "time", "outcome": "text", "seconds": "count",
        "requests": "count", "rows_new": "json", "rows_changed": "json", "drift": "json", "checks": "json",
        "error": "text",
    },
    f"""
with ranked as (
    select r.*,
           row_number() over (partition by shop order by started_at desc, run_id desc) as place,
           row_number() over (
               partition by shop, command, case when exit_code in (0, 3) then 1 else 0 end
               order by started_at desc, run_id desc) as place_of_command
    from {{_loop_sync_runs}} as r
)
select shop, place, command, started_at, outcome, seconds, requests, rows_new, rows_changed, drift, checks, error_message
from ranked
where place <= {RUNS_SHOWN} or (command = 'reconcile' and exit_code in (0, 3) and place_of_command = 1)
order by shop, place
""",
)  # fmt: skip

QUERIES: Final[Mapping[str, Query]] = {
    "daily": _DAILY, "steps": _STEPS, "reasons": _REASONS, "catalogue": _CATALOGUE, "products": _PRODUCTS,
    "carriers": _CARRIERS, "coming": _COMING, "waiting": _WAITING, "freshness": _FRESHNESS, "runs": _RUNS,
}  # fmt: skip
