"""What happens in the synthetic shop keeps it consistent and does what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loop_returns.sandbox import Shop

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop.generate(seed=2, returns=80, now=NOW)


def _by_id(shop: Shop) -> dict[str, dict[str, Any]]:
    return {body["id"]: body for body in shop.returns_snapshot()}


def _differing(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    return {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}


def _consistent(shop: Shop) -> None:
    lines: dict[str, dict[str, Any]] = {}
    for body in shop.returns_snapshot():
        refund = sum((Decimal(line["refund"]) for line in body["line_items"]), Decimal())
        assert Decimal(body["refund"]) == refund
        assert Decimal(body["return_total"]) == Decimal(body["return_credit_total"]) + refund + Decimal(body["handling_fee"])
        assert Decimal(body["exchange_total"]) == sum(Decimal(item["total"]) for item in body["exchanges"])
        assert sum(line["outcome"] == "exchange" for line in body["line_items"]) == len(body["exchanges"])
        assert all(Decimal(value) >= 0 for key, value in body.items() if key.endswith("_total") and value)
        own = {line["line_item_id"] for line in body["line_items"]}
        assert {str(number) for label in body["labels"] for number in label["line_items"]} <= own
        if body["labels"]:
            first = body["labels"][0]
            assert (first["status"], first["updated_at"]) == (body["label_status"], body["label_updated_at"])
        assert body["created_at"] <= body["updated_at"]
        lines |= {line["line_item_id"]: body for line in body["line_items"]}
    rows = shop.asn_snapshot()
    assert {row["return_line_item_id"] for row in rows} == set(lines)
    for row in rows:
        body = lines[row["return_line_item_id"]]
        assert (str(row["id"]), row["state"], row["outcome"]) == (body["id"], body["state"], body["outcome"])
        assert (row["closed_at"] is not None) == (body["state"] == "closed")


def test_a_long_life_leaves_a_consistent_shop(shop: Shop) -> None:
    """After hundreds of changes of every kind money, children, labels and ASN rows still fit together."""
    for turn in range(25):
        shop.live(20)
        shop.remove_line_items(1, all_of_it=True, silent=turn % 2 == 0)
        shop.delete_returns(1)
    _consistent(shop)
    states = {body["state"] for body in shop.returns_snapshot()}
    assert states == {"open", "closed", "cancelled", "expired", "review"}
    assert any(not body["line_items"] for body in shop.returns_snapshot())


def test_change_touches_those_it_names_and_stamps_them(shop: Shop) -> None:
    """Exactly the returned ids differ, each with an `updated_at` of its own, later than anything before."""
    before = _by_id(shop)
    changed = shop.change(15)
    after = _by_id(shop)
    assert _differing(before, after) == set(changed)
    stamps = [after[number]["updated_at"] for number in changed]
    assert len(set(stamps)) == 15
    assert min(stamps) > "2026-10-10T12:00:00.000Z"


def test_silent_changes_leave_updated_at(shop: Shop) -> None:
    """The content differs, the stamp does not."""
    before = _by_id(shop)
    changed = shop.change(15, silent=True)
    after = _by_id(shop)
    assert _differing(before, after) == set(changed)
    assert all(before[number]["updated_at"] == after[number]["updated_at"] for number in changed)


def test_bulk_change_shares_one_second(shop: Shop) -> None:
    """A nightly job stamps all of its returns alike."""
    changed = shop.bulk_change(50)
    assert len(changed) == 50
    assert len({shop.body(number)["updated_at"] for number in changed}) == 1


@pytest.mark.parametrize("touch", [True, False])
def test_labels_move_with_or_without_the_return(shop: Shop, *, touch: bool) -> None:
    """Status and `label_updated_at` move in the return and its ASN rows; `updated_at` only if asked for."""
    before = _by_id(shop)
    moved = shop.change_label(5, touch_return=touch)
    assert len(moved) == 5
    for number in moved:
        body = shop.body(number)
        assert body["label_status"] != before[number]["label_status"]
        assert body["label_updated_at"] > "2026-10-10T12:00:00.000Z"
        assert (body["updated_at"] != before[number]["updated_at"]) == touch
        rows = [row for row in shop.asn_snapshot() if str(row["id"]) == number]
        assert {row["label_status"] for row in rows} == {body["label_status"]}
    _consistent(shop)


def test_line_items_can_vanish_to_the_last(shop: Shop) -> None:
    """One line or all lines of a return are gone, it is marked as edited, and the ASN rows are gone too."""
    before = _by_id(shop)
    one = shop.remove_line_items(10)
    assert all(len(shop.body(n)["line_items"]) == len(before[n]["line_items"]) - 1 for n in one)
    assert all(shop.body(n)["edited_at"] == shop.body(n)["updated_at"] for n in one)
    emptied = shop.remove_line_items(3, all_of_it=True)
    assert all(shop.body(n)["line_items"] == [] and shop.body(n)["return_total"] == "0.00" for n in emptied)
    assert not {row["id"] for row in shop.asn_snapshot()} & {int(n) for n in emptied}
    _consistent(shop)


def test_returns_come_and_go(shop: Shop) -> None:
    """New ones are submitted now with new ids, deleted ones leave no trace anywhere."""
    before = set(_by_id(shop))
    added = shop.add_returns(4)
    assert set(_by_id(shop)) == before | set(added)
    assert not before & set(added)
    assert {shop.body(n)["state"] for n in added} == {"open"}
    deleted = shop.delete_returns(30)
    assert len(shop) == 80 + 4 - 30
    assert not set(deleted) & {str(row["id"]) for row in shop.asn_snapshot()}
    with pytest.raises(KeyError):
        shop.body(deleted[0])


def test_states_move_on_request(shop: Shop) -> None:
    """Closing stamps `closed_at` in the ASN rows, reopening takes it back."""
    (number,) = shop.add_returns(1)
    shop.move_state(number, "closed")
    closed = [row["closed_at"] for row in shop.asn_snapshot() if str(row["id"]) == number]
    assert set(closed) == {"2026-10-10T12:00:02Z"}
    shop.move_state(number, "open")
    assert {row["closed_at"] for row in shop.asn_snapshot() if str(row["id"]) == number} == {None}


def test_new_fields_appear_everywhere(shop: Shop) -> None:
    """An undeclared field, plain or nested or by return, is on old and new bodies, and `updated_at` stays."""
    before = _by_id(shop)
    shop.add_field("loyalty", {"tier": "gold"})
    shop.add_field("score", lambda number: int(number) if int(number) % 2 else number)
    shop.add_field("lot", "L1", where="line_item")
    shop.add_field("dock", 4, where="asn")
    added = shop.add_returns(1)
    for body in shop.returns_snapshot():
        assert body["loyalty"] == {"tier": "gold"}
        assert str(body["score"]) == body["id"]
        assert all(line["lot"] == "L1" for line in body["line_items"])
        assert body["id"] in added or body["updated_at"] == before[body["id"]]["updated_at"]
    assert {row["dock"] for row in shop.asn_snapshot()} == {4}


def test_snapshots_are_copies(shop: Shop) -> None:
    """Changing what was handed out does not change the shop."""
    number = shop.ids()[0]
    shop.body(number)["line_items"].clear()
    assert shop.body(number)["line_items"]


def test_the_clock_runs_or_stands(shop: Shop) -> None:
    """A fixed clock moves only by tick; the real one runs and can be moved on."""
    assert shop.now == NOW
    shop.tick(60)
    assert (shop.now - NOW).total_seconds() == 60
    running = Shop.generate(returns=1)
    running.tick(3600)
    before, shown, after = datetime.now(UTC), running.now, datetime.now(UTC)
    assert before <= shown - timedelta(seconds=3600) <= after
