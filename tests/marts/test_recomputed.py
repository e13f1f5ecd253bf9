"""Month ends and exchange chains of a random shop are what plain Python makes of the raw rows, return by return."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from tests.support.golden_shop import at, ret
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    import dlt

Rows = list[dict[str, Any]]
OVER = ("cancelled", "expired")
MONTHS = [
    (date(2026, 1, 31), at("02-01 00:00")),
    (date(2026, 2, 28), at("03-01 00:00")),
    (date(2026, 3, 31), at("04-01 00:00")),
]


def random_history(rng: random.Random) -> tuple[Rows, Rows]:
    """200 returns with up to four changes of state each, and when they were paid; the first sync was before them all."""
    returns: Rows = []
    changes: Rows = []
    for number in range(200):
        one, moment = f"R{number}", at("01-01 00:00") + timedelta(hours=rng.randrange(24 * 100))
        row = ret(one, "open", "refund", "01-01 00:00") | {"created_at": moment, "refund": str(rng.choice((0, 10, 25)))}
        row |= {"gift_card": str(rng.choice((0, 7))), "currency": rng.choice(("USD", "EUR"))}
        for name in ("refund", "gift_card"):
            if rng.random() < 0.6:
                row[f"outcomes_processed_at_{name}_processed"] = moment + timedelta(hours=rng.randrange(24 * 60))
        for _ in range(rng.randrange(5)):
            state = rng.choice([one for one in ("open", "review", "closed", *OVER) if one != row["state"]])
            moment += timedelta(hours=rng.randrange(1, 24 * 20))
            change = {"from_state": row["state"], "to_state": state, "updated_at": moment, "observed_at": moment}
            changes.append({"shop": "north", "return_id": one} | change)
            row["state"] = state
        returns.append(row)
    return returns, changes


def as_of(returns: Rows, changes: Rows, end: datetime, currency: str) -> tuple[Any, ...]:
    """How the shop stood just before a moment: returns by state, refunds and store credit that were owed."""
    states: Counter[str] = Counter()
    owed = {"refund": Decimal(0), "gift_card": Decimal(0)}
    for row in returns:
        if row["currency"] != currency or row["created_at"] >= end:
            continue
        own = sorted((one for one in changes if one["return_id"] == row["id"]), key=lambda one: one["updated_at"])
        state = own[0]["from_state"] if own else row["state"]
        for one in own:
            if one["updated_at"] < end:
                state = one["to_state"]
        states[state] += 1
        for name in owed:
            paid = row.get(f"outcomes_processed_at_{name}_processed")
            if state not in OVER and (paid is None or paid >= end):
                owed[name] += Decimal(row[name])
    return (*(states[state] for state in ("open", "review", "closed", *OVER)), owed["refund"], owed["gift_card"])


@pytest.mark.parametrize("seed", [1, 2])
def test_month_ends(seed: int, tmp_path_factory: pytest.TempPathFactory):
    """Every month's numbers are what a look at each return's own history gives."""
    pipeline: dlt.Pipeline = duckdb_pipeline(tmp_path_factory.mktemp("month_ends"))
    returns, changes = random_history(random.Random(seed))
    runs = [
        {"shop": "north", "run_id": when, "command": "sync", "exit_code": 0, "synced_up_to": at(when)}
        for when in ("01-01 00:00", "04-02 00:00")
    ]
    load(pipeline, {"returns": returns, "return_state_changes": changes, "_loop_sync_runs": runs})
    marts.refresh(pipeline)
    found = select(
        pipeline,
        "SELECT month_end, currency, returns_open, returns_in_review, returns_closed, returns_cancelled, returns_expired,"
        " refunds_owed, credit_owed FROM rpt_month_end WHERE month_end < '2026-04-01'",
    )
    expected = [
        (day, currency, *as_of(returns, changes, end, currency)) for day, end in MONTHS for currency in ("EUR", "USD")
    ]
    assert sorted(found) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_exchange_chains(seed: int, tmp_path_factory: pytest.TempPathFactory):
    """Every chain has the returns, the length and the money that following each exchange order by hand gives."""
    rng = random.Random(seed)
    returns: Rows = []
    items: Rows = []
    for number in range(300):
        sent = [item["exchange_order_id"] for item in items if item["exchange_order_id"]]
        order = rng.choice(sent) if sent and rng.random() < 0.5 else f"P{number}"
        state, moment = rng.choice(("open", "closed", "closed", "cancelled")), at("01-01 00:00") + timedelta(hours=number)
        money = {"return_total": "50", "return_credit_total": "30", "refund": str(rng.randrange(20))}
        returns.append(
            ret(f"R{number}", state, "exchange", "01-01 00:00", provider_order_id=order, **money) | {"created_at": moment}
        )
        for n in range(rng.randrange(3)):  # all items of a return are sent in one order, or wait for it
            placed = f"E{number}" if rng.random() < 0.8 else None
            items.append(
                {"shop": "north", "return_id": f"R{number}", "exchange_id": f"{number}-{n}", "exchange_order_id": placed}
            )
    pipeline: dlt.Pipeline = duckdb_pipeline(tmp_path_factory.mktemp("chains"))
    load(pipeline, {"returns": returns, "return_exchanges": items})
    marts.refresh(pipeline)
    counted = {row["id"]: row for row in returns if row["state"] not in OVER}
    orders = {item["exchange_order_id"]: item["return_id"] for item in items if item["return_id"] in counted}
    orders.pop(None, None)
    expected = []
    for one in set(orders.values()):
        if counted[one]["provider_order_id"] in orders:
            continue
        steps = [[one]]
        while following := [two for two, row in counted.items() if orders.get(row["provider_order_id"]) in steps[-1]]:
            steps.append(following)
        later = [two for step in steps[1:] for two in step]
        refunded = sum((Decimal(counted[two]["refund"]) for two in later), Decimal(0))
        expected.append((one, not later, len(later), len(steps), refunded, 30 - refunded))
    found = select(
        pipeline,
        "SELECT return_id, is_kept, returns_later, chain_length, refunded_later, retained_after FROM fct_exchange_chains",
    )
    assert sorted(found) == sorted(expected)
    assert max(row[3] for row in found) > 3
