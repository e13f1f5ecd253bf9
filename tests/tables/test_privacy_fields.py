"""What is personal by the API's list of fields stays out of a warehouse that is to hold none; the rest is unharmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.mirror import TABLES, expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

PERSONAL = {  # written down a second time, so that a slip in the declarations shows
    "returns": """customer tracking_number label_url status_page_url return_method_address return_method_rma_id
        return_method_qr_code_url return_method_scannable_id secret""",
    "return_line_items": """return_comment condition_return_processor condition_note condition_images
        disposition_return_processor disposition_note""",
    "return_exchanges": "",
    "return_labels": "url tracking_number",
    "return_refunds": "",
    "advanced_shipping_notices": """customer_email tracking_number integration_tracking_url label_url scannable_id
        return_method_rma_code actioned_by""",
}


def personal_values(driver: Driver) -> set[str]:
    """Every personal text that the API gave, but for those that say nothing."""
    tables = expected(driver.shop.returns_snapshot(), driver.shop.asn_snapshot())
    found = [row.get(name) for table, names in PERSONAL.items() for name in names.split() for row in tables[table]]
    return {value for value in found if isinstance(value, str) and value not in {"", "N/A", "automatic"}}


def elsewhere(driver: Driver) -> list[str]:
    """Differences in columns that are not personal."""
    personal = {f"{table} {name}" for table, names in PERSONAL.items() for name in names.split()}
    lines = driver.differences()
    return [line for line in lines if f"{line.split(' ')[0]} {line.split(').')[-1].split(':')[0]}" not in personal]


def test_drop(drive: Callable[..., Driver]):
    """No personal text is anywhere, every personal column is empty, and every other value is what the API gave."""
    shop = Shop.generate(seed=1, returns=60, days=60, now=NOW)
    shop.add_field("secret", "undeclared")
    driver = drive(shop)
    driver.sync(pii="drop")
    held = {table: driver.rows(table) for table in TABLES}
    texts = {value for rows in held.values() for row in rows for value in row.values() if isinstance(value, str)}
    assert personal_values(driver)
    assert not personal_values(driver) & texts
    for table, names in PERSONAL.items():
        for name in names.split():
            assert {row[name] for row in held[table]} == {None}, f"{table}.{name}"
    assert elsewhere(driver) == []
