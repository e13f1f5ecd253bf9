"""What Loop lets a key read beside returns and shipping notices is in the warehouse as the shop has it, traps included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import time_machine

from loop_returns.errors import AccessDeniedError
from loop_returns.extract.reading import LIMITS
from loop_returns.sandbox import SCOPES, Quirks, Shop
from loop_returns.tables.resources import BY_NAME
from tests.support.driving import NOW
from tests.support.others import COLUMNS, differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.ledger import Run
    from tests.support.driving import Driver

EACH = "return_notes, return_details"
LISTS = ("allowlist_items", "blocklist_items")
DAY = 86_400


@pytest.fixture
def mirror(drive: Callable[..., Driver]) -> Callable[..., Driver]:
    """Makes a driver whose runs read all cheap resources, of a small shop."""

    def make(returns: int = 12, *, quirks: Quirks | None = None, **more: Any) -> Driver:
        shop = Shop.generate(seed=4, returns=returns, days=200, now=NOW)
        return drive(shop, quirks=quirks or Quirks(), others=True, **more)

    return make


def paths(driver: Driver) -> list[str]:
    """The endpoints that the latest runs asked, without ids."""
    return [seen.path for seen in driver.sandbox.requests]


def said(run: Run, *words: str) -> list[str]:
    """What the run tells the operator that holds all these words."""
    return [notice for notice in run.notices if all(word in notice for word in words)]


@pytest.mark.long
def test_all_of_it_arrives_and_nothing_changes_without_reason(mirror: Callable[..., Driver]):
    """A first sync has everything; the next one needs 15 requests at most and loads nothing."""
    driver = mirror(40)
    while len(driver.shop.allowlist) + len(driver.shop.blocklist) < 60:
        driver.shop.add_entry("blocklist")
    first = driver.sync()
    assert not differences(driver)
    assert not first.new_columns
    assert not first.notices
    driver.shop.tick(3600)
    driver.sandbox.requests.clear()
    again = driver.sync()
    assert again.requests == len(paths(driver)) <= 15
    assert not again.tally.new + again.tally.changed
    assert again.resources == dict.fromkeys(again.resources, "read")
    assert again.resources.keys() == {"returns", "advanced_shipping_notices", *BY_NAME} - {*LISTS, *EACH.split(", ")}
    assert not {"/allowlists", "/blocklists"} & {*paths(driver)}  # read today already
    driver.shop.tick(DAY)
    driver.sync()
    assert {"/allowlists", "/blocklists"} <= {*paths(driver)}


def test_what_changes_and_goes(mirror: Callable[..., Driver], postgres: str, monkeypatch: pytest.MonkeyPatch):
    """Changed rows replace the old ones with their sets, gone ones are marked, those that come back lose the mark."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    driver = mirror(address=postgres, dataset="other_resources")
    shop = driver.shop
    shop.add_label_requests(3)
    driver.sync()
    assert not differences(driver)
    gone = shop.add_destination("Short-lived")
    shop.change_destination(shop.destinations[0]["id"], name="Renamed", enabled=False)
    shop.remove_entry("allowlist")
    shop.add_entry("blocklist", "product_tag", "final-sale-2")
    shop.settle_label_requests(2)
    shop.remove_webhook(shop.webhooks[0]["id"])
    shop.change_webhook(shop.webhooks[0]["id"], status="inactive")
    shop.add_shipment_items(2)
    shop.tick(DAY)
    driver.sync()
    assert not differences(driver)
    shop.remove_destination(gone)
    shop.tick(DAY)
    assert said(driver.sync(), "1 row of destinations", "_deleted_at")
    assert not differences(driver)
    assert driver.query("SELECT name FROM destinations WHERE _deleted_at IS NOT NULL") == [("Short-lived",)]


@pytest.mark.long
@pytest.mark.parametrize("shift", ["remove", "swap"])
def test_lists_that_shift_while_they_are_read(mirror: Callable[..., Driver], shift: str):
    """An entry that slips from page to page unseen is never taken for gone, and is there after the next sync."""
    driver = mirror()
    driver.sync()
    driver.quirk(page_shift=shift)
    driver.shop.tick(DAY)
    driver.sync()
    marked = {row[0] for row in driver.query("SELECT id FROM allowlist_items WHERE _deleted_at IS NOT NULL")}
    assert not marked & {str(row["id"]) for row in driver.shop.allowlist}
    driver.quirk(page_shift="none")
    driver.shop.tick(DAY)
    driver.sync()
    assert not differences(driver)


@pytest.mark.long
def test_a_list_that_is_empty_of_a_sudden(mirror: Callable[..., Driver]):
    """A list that lacks every row is not believed: nothing is marked, the run ends with 3 and says how to go on."""
    driver = mirror()
    for n in range(4):
        driver.shop.add_destination(f"Warehouse {n}")
    driver.sync()
    taken = list(driver.shop.destinations)
    driver.shop.destinations.clear()
    driver.shop.tick(60)
    doubtful = driver.sync()
    assert doubtful.exit_code == 3
    assert said(doubtful, "destinations", "--allow-deletions")
    assert driver.query("SELECT count(*) FROM destinations WHERE _deleted_at IS NULL") == [(len(taken),)]
    assert driver.sync(allow_deletions=True).exit_code == 0
    assert not differences(driver)


def test_a_destination_without_an_address(mirror: Callable[..., Driver]):
    """Loop's permanent 500 is asked for once, said for what it is, and fails nothing."""
    driver = mirror()
    driver.sync()
    address = driver.shop.destinations[0]["address"]
    driver.shop.change_destination(driver.shop.destinations[0]["id"], address=None)
    driver.shop.tick(60)
    driver.sandbox.requests.clear()
    run = driver.sync()
    assert (run.outcome, run.exit_code) == ("done", 0)
    assert len(said(run, "destinations", "no address", "Loop Admin")) == 1
    assert paths(driver).count("/destinations") == 1
    driver.shop.change_destination(driver.shop.destinations[0]["id"], address=address)
    assert not differences(driver)  # what was there is neither lost nor marked


@pytest.mark.long
def test_a_key_with_the_scope_returns_alone(mirror: Callable[..., Driver]):
    """It goes without the rest: one line names the scopes, the run ends with 0; what was asked for by name ends with 2."""
    driver = mirror()
    driver.sync()
    before = driver.query("SELECT count(*) FROM allowlist_items WHERE _deleted_at IS NULL")
    driver.quirk(scopes=frozenset({"returns"}))
    driver.shop.tick(DAY)
    run = driver.sync()
    assert run.exit_code == 0
    assert len(run.notices) == 1
    assert {name for name, word in run.resources.items() if word == "refused"} >= {"destinations", "webhooks", *LISTS}
    assert all(scope in run.notices[0] for scope in ("Orders", "Destinations (Read)", "Developer Tools"))
    assert driver.query("SELECT count(*) FROM allowlist_items WHERE _deleted_at IS NULL") == before
    with pytest.raises(AccessDeniedError, match="scope Orders"):
        driver.sync(only="allowlist_items")
    driver.quirk(scopes=SCOPES)
    driver.sync()
    assert not differences(driver)


@pytest.mark.long
def test_an_endpoint_that_is_out_of_order(mirror: Callable[..., Driver]):
    """A passing failure of one resource costs only that one: the run says so, and ends with 3 once it lasts for days."""
    driver = mirror()
    driver.sync()
    driver.quirk(broken=frozenset({"/webhooks"}))
    driver.shop.tick(3600)
    run = driver.sync()
    assert (run.exit_code, len(said(run, "webhooks could not be read"))) == (0, 1)
    driver.shop.tick(3 * DAY)
    assert driver.sync().exit_code == 3
    driver.quirk(broken=frozenset())
    assert driver.sync().exit_code == 0
    assert not differences(driver)


@pytest.mark.long
def test_old_label_requests_that_are_still_issued(mirror: Callable[..., Driver]):
    """They tell no time of a change, so all of the last 90 days and those still issued are read again."""
    driver = mirror()
    ids = driver.shop.add_label_requests(3)
    driver.sync()
    driver.shop.tick(120 * DAY)
    driver.sync()
    settled = driver.shop.settle_label_requests(2, "cancelled")  # which come with errors of their own
    settled += driver.shop.settle_label_requests(len(driver.shop.label_requests), "fulfilled")
    assert {*ids} <= {*settled}
    driver.sync()
    assert not differences(driver)
    assert driver.query("SELECT count(*) FROM label_requests WHERE status = 'issued'") == [(0,)]


def test_pages_that_are_shorter_than_asked_for(mirror: Callable[..., Driver]):
    """A server that gives no more than its default of 50 label requests a page loses none of them."""
    driver = mirror(70, quirks=Quirks(label_page=50))
    driver.shop.add_label_requests(70)
    driver.sync(only="label_requests")
    assert not differences(driver, ("label_requests", "label_request_products"))


@pytest.mark.long
def test_items_that_are_added_without_a_word(mirror: Callable[..., Driver]):
    """A shipment whose `updated_at` did not move is read again when it counts more items; the others are left alone."""
    driver = mirror()
    driver.shop.add_shipment(driver.shop.ids()[:2])
    driver.sync()
    driver.shop.add_shipment_items(1, silent=True)
    driver.shop.tick(60)
    driver.sandbox.requests.clear()
    driver.sync()
    assert not differences(driver)
    assert sum("/items" in path for path in paths(driver)) == 1


@pytest.mark.long
def test_notes_and_details(mirror: Callable[..., Driver]):
    """They are read for each return when they are named: never read, changed since, and open ones once a day."""
    driver = mirror(quirks=Quirks(notes_shape="object", type_variants=0.5), settings={"extra_resources": EACH})
    number = next(one for one in driver.shop.ids() if driver.shop.body(one)["state"] == "open")
    driver.shop.add_note(number, "Call back")
    driver.sync()
    assert not differences(driver, (*COLUMNS,))
    driver.shop.tick(3600)
    driver.sandbox.requests.clear()
    driver.sync()
    assert not [path for path in paths(driver) if "/notes" in path]
    driver.shop.add_note(number, "Called back, which moves no updated_at")
    driver.shop.tick(DAY)
    driver.quirk(notes_shape="array")
    driver.sync()
    assert not differences(driver, (*COLUMNS,))
    driver.shop.remove_notes(number)
    driver.shop.change(len(driver.shop))
    driver.sync()
    assert not differences(driver, (*COLUMNS,))


@pytest.mark.long
def test_no_more_returns_than_there_is_time_for(mirror: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """A run asks for a bounded number of returns, newest first, and the next ones go on; by name it asks for all."""
    monkeypatch.setattr("loop_returns.runs.others._MOST", 5)
    driver = mirror(settings={"extra_resources": "return_notes"})
    run = driver.sync()
    assert said(run, "return_notes", "5 of 12", "--only return_notes")
    newest = [row[0] for row in driver.query("SELECT id FROM returns ORDER BY updated_at DESC LIMIT 5")]
    assert {row[0] for row in driver.query("SELECT id FROM _loop_reads WHERE resource = 'return_notes'")} == {*newest}
    driver.sync()
    assert driver.query("SELECT count(*) FROM _loop_reads WHERE resource = 'return_notes'") == [(10,)]
    driver.sync(only="return_details")
    assert driver.query("SELECT count(*) FROM return_details") == [(12,)]


@pytest.mark.long
def test_money_as_the_shopper_saw_it(mirror: Callable[..., Driver]):
    """Details have both currencies; a price in the smallest unit becomes an amount in the currency's own digits."""
    driver = mirror(60, settings={"extra_resources": "return_details"})
    driver.shop.add_label_requests(20)
    driver.sync()
    both = "presentment_currency, presentment_total, total, return_id"
    rows = driver.query(f"SELECT {both} FROM return_details WHERE multi_currency")
    assert rows
    assert all(currency and shown is not None for currency, shown, _, _ in rows)
    assert any(shown != total for _, shown, total, _ in rows)
    assert not driver.query("SELECT 1 FROM return_details WHERE NOT multi_currency AND presentment_total IS NOT NULL")
    prices = driver.query("SELECT price_currency, price_amount, price FROM label_request_products")
    assert {currency for currency, _, _ in prices} <= {"USD", "CAD", "JPY", "KWD", "EUR", "GBP"}
    assert all(amount is not None for _, amount, _ in prices)


@pytest.mark.long
def test_a_webhooks_address_is_a_secret(mirror: Callable[..., Driver]):
    """Only its host lands, and a mark that changes with the address; the rest is nowhere in the warehouse."""
    driver = mirror()
    addresses = [urlsplit(row["url"]) for row in driver.shop.webhooks]
    parts = [part for one in addresses for part in (one.password, one.query, *one.path.split("/"))]
    secrets = [part for part in parts if part and any(letter.isdigit() for letter in part)]
    assert secrets
    driver.sync()
    before = driver.query("SELECT id, url_mark FROM webhook_subscriptions ORDER BY id")
    found = {host for (host,) in driver.query("SELECT url_host FROM webhook_subscriptions")}
    assert found == {one.hostname for one in addresses}
    content = driver.file.read_bytes()
    assert not [secret for secret in secrets if secret.encode() in content]
    driver.shop.change_webhook(driver.shop.webhooks[0]["id"], url="https://hooks.example.com/other/0123456789abcdef")
    driver.shop.tick(60)
    driver.sync()
    after = driver.query("SELECT id, url_mark FROM webhook_subscriptions ORDER BY id")
    assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1


@pytest.mark.long
def test_personal_values(mirror: Callable[..., Driver]):
    """Entries of lists, addresses of label requests and texts of notes obey `pii`, also when it is changed later."""
    driver = mirror(settings={"extra_resources": EACH})
    driver.shop.add_note(driver.shop.ids()[0], "The shopper is Ada Archer")
    driver.sync()
    kept = "SELECT count(value) FROM allowlist_items UNION ALL SELECT count(content) FROM return_notes"
    assert all(count for (count,) in driver.query(kept))
    driver.shop.tick(DAY)
    driver.sync(pii="drop")
    driver.backfill(NOW - timedelta(days=400), NOW + timedelta(days=2), pii="drop")
    for query in (kept, "SELECT count(origin_name) FROM label_requests", "SELECT count(customer_email) FROM return_details"):
        assert not any(count for (count,) in driver.query(query)), query


@pytest.mark.long
def test_reconcile_finds_what_was_changed_in_the_warehouse(mirror: Callable[..., Driver]):
    """What differs although Loop has not changed it is drift, and repaired; what Loop has changed is only loaded."""
    driver = mirror()
    driver.shop.add_label_requests(3)
    driver.sync()
    driver.execute("UPDATE destinations SET name = 'Elsewhere' WHERE id = (SELECT min(id) FROM destinations)")
    driver.execute("UPDATE label_request_products SET sku = 'X' WHERE product_index = 0")
    driver.shop.change_webhook(driver.shop.webhooks[0]["id"], status="inactive")
    driver.shop.tick(60)
    run = driver.reconcile()
    assert run.drift.keys() == {"destinations", "label_requests"}
    assert run.drift["destinations"] == {"changed": 1}
    assert not differences(driver)
    assert not driver.reconcile().drift


@pytest.mark.long
@pytest.mark.parametrize("table", ["label_request_products", "return_notes"])
def test_a_table_that_was_dropped(mirror: Callable[..., Driver], table: str):
    """The next sync makes it again and fills it."""
    driver = mirror(settings={"extra_resources": "return_notes"})
    driver.shop.add_label_requests(3)
    driver.sync()
    driver.execute(f"DROP TABLE {table}")
    driver.shop.tick(60)
    assert said(driver.sync(), "made again", table)
    assert not differences(driver, tuple(name for name in COLUMNS if name != "return_details"))


@pytest.mark.long
def test_a_return_that_comes_back(mirror: Callable[..., Driver]):
    """What belongs to a return that was marked as deleted loses the mark with it, though nothing of it has changed."""
    driver = mirror(settings={"extra_resources": EACH})
    number = driver.shop.ids()[-1]
    driver.shop.add_note(number)
    driver.sync()
    away = driver.shop.store.take(number)
    driver.shop.store.remove(number)
    driver.shop.tick(60)
    driver.reconcile(allow_deletions=True)
    assert driver.count("return_notes", f"return_id = '{number}' AND _deleted_at IS NOT NULL") > 0
    driver.shop.store.put(away)
    driver.shop.tick(60)
    driver.reconcile()
    driver.sync()
    assert not differences(driver, (*COLUMNS,))


@pytest.mark.long
def test_a_label_request_that_is_gone(mirror: Callable[..., Driver]):
    """One that a range lacks is asked for by itself, and marked when Loop does not have it."""
    driver = mirror()
    driver.shop.add_label_requests(3)
    driver.sync()
    gone = driver.shop.label_requests.pop()
    driver.shop.tick(60)
    assert said(driver.sync(), "1 row of label_requests")
    assert driver.query("SELECT id FROM label_requests WHERE _deleted_at IS NOT NULL") == [(str(gone["id"]),)]
    assert not differences(driver)


@pytest.mark.long
def test_a_wrong_clock(mirror: Callable[..., Driver]):
    """A `Date` that is a year ahead keeps nothing from being read once it is right again."""
    driver = mirror()
    driver.quirk(date_ahead=365.0 * DAY)
    driver.sync()
    driver.quirk(date_ahead=0.0)
    driver.shop.tick(DAY)
    driver.shop.add_entry("allowlist")
    driver.shop.add_label_requests(1)
    driver.sync()
    assert not differences(driver)


@pytest.mark.long
def test_a_machine_whose_clock_is_behind(mirror: Callable[..., Driver]):
    """Items are read again when their shipment has changed, whatever time the machine that loads it thinks it is."""
    driver = mirror()
    driver.shop.add_shipment(driver.shop.ids()[:2])
    driver.sync()
    driver.shop.add_shipment_items(2)
    driver.shop.tick(60)
    with time_machine.travel(driver.shop.now - timedelta(hours=5)):
        driver.sync()
    assert not differences(driver)


@pytest.mark.long
def test_one_return_that_cannot_be_read(mirror: Callable[..., Driver]):
    """It keeps nothing else out: the run names it, and the next one asks for it again."""
    driver = mirror(settings={"extra_resources": EACH})
    number = driver.shop.ids()[-1]
    driver.quirk(broken=frozenset({f"/warehouse/return/{number}/notes"}))
    run = driver.sync()
    assert said(run, "return_notes", "1 return")
    assert driver.count("_loop_reads", "resource = 'return_notes'") == len(driver.shop) - 1
    driver.quirk(broken=frozenset())
    driver.shop.tick(60)
    driver.sync()
    assert not differences(driver, (*COLUMNS,))


@pytest.mark.long
def test_single_returns_are_loaded_as_they_are_read(mirror: Callable[..., Driver]):
    """A run over many returns loads them in parts, also where they have no notes, so that a kill costs little."""
    driver = mirror(settings={"extra_resources": "return_notes"})
    for number in driver.shop.ids():
        driver.shop.remove_notes(number)
    driver.sync(only="returns")
    driver.limits = replace(LIMITS, rows=400, idle_rows=400)
    driver.sync(only="return_notes")
    assert driver.query("SELECT count(DISTINCT _dlt_load_id) > 1 FROM _loop_reads") == [(True,)]
    driver.shop.tick(2 * DAY)
    driver.shop.add_returns(3)
    assert driver.sync().outcome == "done"
    rows = driver.query("SELECT count(*), count(DISTINCT id) FROM _loop_reads WHERE resource = 'return_notes'")
    assert rows == [(len(driver.shop), len(driver.shop))]
