"""After the setting `pii` has changed, every run says what is left of before, and the backfill it names leaves nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from loop_returns.cli.arguments import range_of
from loop_returns.errors import ConfigurationError
from loop_returns.extract.state import ShopState
from loop_returns.runs.status import status
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import DATA
from loop_returns.tables.privacy import Privacy
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.ledger import Run
    from tests.support.driving import Driver

KEY = "0123456789abcdef0123456789abcdef"
COMMAND = re.compile(r"loop-returns backfill --from (\S+) --to (\S+)")


@pytest.fixture
def shop() -> Shop:
    """A shop with fields that nobody has declared, values that fit no column, and notices without an id."""
    made = Shop.generate(seed=4, returns=40, days=80, now=NOW)
    made.add_field("gift_message", "For Ada, with love")
    made.add_field("gift_message", "For Ada, with love", where="asn")
    made.add_field("refund", "Ada says 3", where="line_item")
    made.add_field("date_delivered", "when Ada was in", where="asn")
    return made


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, drive: Callable[..., Driver], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> Driver:
    address = None
    if getattr(request, "param", "duckdb") == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    return drive(shop, address=address, dataset=f"policy_{request.node.name.split('[')[0][-20:]}", settings={"pii_key": KEY})


def notices(run: Run) -> list[str]:
    return [notice for notice in run.notices if COMMAND.search(notice)]


def backfill(driver: Driver, notice: str, policy: str) -> Run:
    """Runs the command that the notice names."""
    found = COMMAND.search(notice)
    assert found
    first, last = range_of(found[1], found[2])
    return driver.backfill(first, last, pii=policy)


def personal(driver: Driver) -> list[str]:
    """What of a person can be read anywhere in the tables."""
    text = "\n".join(str(row) for table in DATA for row in driver.rows(table.name))
    mails = {body["customer"] for body in driver.shop.returns_snapshot() if body["customer"]}
    links = {body["status_page_url"] for body in driver.shop.returns_snapshot() if body["status_page_url"]}
    return sorted(word for word in {*mails, *links, "Ada", "@example"} if word in text)


@pytest.mark.long
@pytest.mark.parametrize(
    ("driver", "policy"),
    [
        ("duckdb", "hash"),
        ("postgres", "hash"),
        ("postgres", "drop"),
    ],
    indirect=["driver"],
)
def test_named_until_clean(driver: Driver, shop: Shop, policy: str):
    """Each run names the rows and the command; after it nothing personal is in any table, and no run says it again.

    That holds for returns that Loop no longer gives, shipping notices, `_unparsed` and undeclared columns.
    """
    driver.sync(pii="keep")
    shop.delete_returns(3)
    driver.reconcile(90, pii="keep")
    assert driver.count("returns", "_deleted_at IS NOT NULL") == 3
    assert driver.count("return_line_items", "_unparsed IS NOT NULL") > 0
    known = personal(driver)
    assert len(known) > 30
    for _ in range(2):
        (notice,) = notices(driver.sync(pii=policy))
        assert f'pii = "{policy}"' in notice
    first = min(driver.query("SELECT min(created_at) FROM returns")[0]).date()
    assert f"--from {first} --to " in notice
    deleted = driver.query("SELECT id FROM returns WHERE _deleted_at IS NOT NULL ORDER BY id")
    run = backfill(driver, notice, policy)
    assert notices(run) == []
    assert personal(driver) == []
    assert driver.query("SELECT id FROM returns WHERE _deleted_at IS NOT NULL ORDER BY id") == deleted, "no row is removed"
    assert notices(driver.sync(pii=policy)) == []
    if policy == "hash":
        assert driver.count("returns", "customer LIKE 'pii!_%' ESCAPE '!'") > 30
        joined = "SELECT count(*) FROM advanced_shipping_notices a JOIN returns r ON r.customer = a.customer_email"
        assert driver.query(joined)[0][0] > 0


@pytest.mark.long
def test_another_key_after_everything_was_dropped(driver: Driver):
    """Where no fingerprint is left another key may be used; as long as one is, it is refused."""
    driver.sync(pii="hash")
    (notice,) = notices(driver.sync(pii="drop"))
    with pytest.raises(ConfigurationError, match="no longer join"):
        driver.sync(pii="hash", pii_key="another-key-of-32-letters-at-least")
    backfill(driver, notice, "drop")
    assert driver.sync(pii="hash", pii_key="another-key-of-32-letters-at-least").outcome == "done"


@pytest.mark.long
def test_a_range_that_is_too_short(driver: Driver):
    """A backfill of some of the days cleans these, and the notice goes on with the rest.

    `status` says it too, without a key and without asking Loop.
    """
    driver.sync(pii="keep")
    options, settings = driver.options(), driver.resolved(api_key="", pii="drop", pii_key="")
    (notice,) = notices(driver.sync(pii="drop"))
    run = driver.backfill(NOW - timedelta(days=20), NOW, pii="drop")
    (shorter,) = notices(run)
    rows = [int(text.split(" rows")[0].replace(",", "")) for text in (notice, shorter)]
    assert rows[0] > rows[1] > 0
    told = status(settings, options).personal_data
    assert told is not None
    assert COMMAND.search(told)
    assert backfill(driver, told, "drop").outcome == "done"
    assert status(settings, options).personal_data is None
    assert personal(driver) == []


@pytest.mark.long
def test_hashed_the_old_way(driver: Driver):
    """Fingerprints of the form that earlier versions made, whose key was the shop's name, are named and replaced."""
    driver.sync(pii="hash")
    driver_sql(driver, "UPDATE returns SET customer = md5(customer), _row_hash = md5(_row_hash)")
    driver.sync(pii="keep")  # earlier versions kept no mark of policy and key
    (notice,) = notices(driver.sync(pii="hash"))
    assert "no fingerprints of `pii_key`" in notice
    backfill(driver, notice, "hash")
    assert driver.count("returns", "customer NOT LIKE 'pii!_%' ESCAPE '!' AND customer <> ''") == 0


@pytest.mark.long
def test_looked_at_only_after_a_change(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Once the warehouse was found clean, no run looks again until policy or key change."""
    looks: list[str] = []

    def looked(reader: object, shop: str, policy: str) -> None:
        looks.append(policy)

    monkeypatch.setattr("loop_returns.runs.privacy.leftovers", looked)
    for policy in ("drop", "drop", "hash", "keep", "hash", "hash"):
        driver.sync(pii=policy)
    assert looks == ["drop", "hash", "hash"]


def test_an_unfinished_backfill_begins_anew():
    """Windows that a backfill has read under another policy or key are read again; under the same it goes on."""
    hashing = Privacy("hash", KEY)
    state = ShopState().under(hashing).with_backfill("2026", ["window"])
    assert ShopState.read(state.written()).under(hashing).backfills == state.backfills
    for other in (Privacy("drop"), Privacy()):
        assert ShopState.read(state.written()).under(other).backfills == {}
    kept = ShopState().with_backfill("2026", ["window"])
    assert ShopState.read(kept.written()).under(Privacy()).backfills == kept.backfills


def driver_sql(driver: Driver, sql: str) -> None:
    """Changes the warehouse behind the runs' back."""
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute(f"SET search_path='{driver.dataset}'")
        connection.execute(sql)
