"""The setting `pii` decides what of a person reaches the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import DATA
from loop_returns.tables.schema import Pii
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

PERSONAL = {
    table.name: {column.name: column.type for column in table.columns if column.pii not in {Pii.NONE, Pii.PSEUDONYM}}
    for table in DATA
}


@pytest.fixture
def shop() -> Shop:
    """A shop that says a lot about its shoppers, also in a field nobody has declared."""
    made = Shop.generate(seed=4, returns=40, days=80, now=NOW)
    made.add_field("gift_message", "For Ada, with love")
    return made


def everything(driver: Driver) -> str:
    """All values of all tables in one text."""
    return "\n".join(str(row) for table in DATA for row in driver.rows(table.name))


def test_dropped_data_is_nowhere(drive: Callable[..., Driver], shop: Shop):
    """With `drop`, personal columns are empty and no e-mail, comment or link is found anywhere in the warehouse."""
    driver = drive(shop, settings={"pii": "drop"})
    driver.sync()
    for table, columns in PERSONAL.items():
        assert all(row[name] is None for row in driver.rows(table) for name in columns), table
    text = everything(driver)
    mails = {body["customer"] for body in shop.returns_snapshot() if body["customer"]}
    assert mails
    assert not [mail for mail in mails if mail in text]
    assert "Ada" not in text
    assert driver.count("returns") == len(shop)


def test_hashed_data_still_joins(drive: Callable[..., Driver], shop: Shop):
    """With `hash`, equal values have equal fingerprints in every table, and no value can be read."""
    driver = drive(shop, settings={"pii": "hash", "pii_key": "0123456789abcdef0123456789abcdef"})
    driver.sync()
    mails = {body["customer"] for body in shop.returns_snapshot() if body["customer"]}
    text = everything(driver)
    assert not [mail for mail in mails if mail in text]
    assert "Ada" not in text
    assert driver.query("SELECT count(DISTINCT customer) FROM returns")[0][0] == len({mail.lower() for mail in mails})
    joined = driver.query("SELECT count(*) FROM advanced_shipping_notices a JOIN returns r ON r.customer = a.customer_email")
    assert joined[0][0] > 0
