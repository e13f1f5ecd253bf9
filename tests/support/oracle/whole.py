"""All marts of a group of shops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.oracle import arrivals, exchanges, items, links, money, months, others, paid, parcels, rates
from tests.support.oracle.parsed import known
from tests.support.oracle.shops import DONE

if TYPE_CHECKING:
    from tests.support.oracle.parsed import Row
    from tests.support.oracle.shops import Group, Shop

BY_SHOP = (
    links.fct_return_notices, links.rpt_notice_mismatches,
    money.fct_returns, money.rpt_returns_daily, money.rpt_customer_returns,
    items.fct_return_lines, items.rpt_product_returns, items.rpt_return_reasons, items.dim_return_reasons,
    items.dim_products, items.dim_customers,
    exchanges.fct_exchange_lines, exchanges.fct_exchange_chains, exchanges.rpt_exchange_retention,
    parcels.fct_return_shipments, parcels.rpt_carrier_performance, arrivals.fct_expected_units,
    others.dim_destinations, others.fct_return_timeline, others.rpt_sync_resources,
    months.fct_return_states, months.rpt_return_states, months.rpt_month_end,
)  # fmt: skip
BY_GROUP = (
    arrivals.rpt_inbound_forecast, arrivals.rpt_return_aging, parcels.rpt_shipping_costs,
    paid.fct_refunds, paid.rpt_refund_reconciliation,
    rates.rpt_return_rates, rates.rpt_group_daily, rates.rpt_shopper_cohorts,
)  # fmt: skip


def everything(group: Group) -> dict[str, list[Row]]:
    """What each mart must hold."""
    for shop in group.shops:
        links.link(shop)
    rows = {of.__name__: [row for shop in group.shops for row in of(shop)] for of in BY_SHOP}
    rows |= {of.__name__: [row for shop in group.shops for row in of(shop, group)] for of in BY_GROUP}
    return rows | {
        "dim_date": items.dim_date(group.shops),
        "dim_shops": [_shop(shop) for shop in group.shops],
        "rpt_sync_freshness": [_freshness(shop) for shop in group.shops],
    }


def _shop(shop: Shop) -> Row:
    return {"shop": shop.name, "observed_from": shop.observed_from, "read_up_to": shop.read_up_to}


def _freshness(shop: Shop) -> Row:
    good = [run for run in shop.runs if run.exit_code in DONE]
    latest = max(shop.runs, key=lambda run: run.started_at, default=None)
    ended = {what: known(run.finished_at for run in good if run.command == what) for what in ("sync", "reconcile")}
    return {
        "shop": shop.name,
        "synced_up_to": max(known(run.synced_up_to or run.cursor_after for run in shop.runs), default=None),
        "notices_up_to": max(known(run.notices_up_to for run in shop.runs), default=None),
        "last_good_sync_at": max(ended["sync"], default=None),
        "last_reconciled_at": max(ended["reconcile"], default=None),
        "last_run_at": latest and latest.started_at,
        "last_command": latest and latest.command,
        "last_outcome": latest and latest.outcome,
        "last_error": latest and latest.error_message,
        "runs": len(shop.runs),
        "runs_failed": sum(run.outcome in ("failed", "killed", "interrupted") for run in shop.runs),
        "returns": len(shop.returns),
        "returns_deleted": len(shop.gone),
        "newest_return_at": max(ret.submitted for ret in shop.returns),
        "newest_change_at": max(ret.updated for ret in shop.returns),
    }
