"""The tables that settings name, made from what shops sell: order lines, amounts of refunds, rates of currencies."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from tests.support.mirror import moment, money, text

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from loop_returns.sandbox import Shop
    from tests.support.driving import Driver
    from tests.support.oracle.parsed import Row

Tables = tuple[list["Row"], list["Row"], list["Row"]]
TYPES = {
    "orders": {"shop": "varchar", "order_id": "varchar", "order_line_id": "varchar", "product_id": "varchar",
               "variant_id": "varchar", "units": "integer", "amount": "decimal(18, 2)", "currency": "varchar",
               "ordered_at": "timestamptz", "customer": "varchar"},
    "refunds": {"shop": "varchar", "refund_id": "varchar", "amount": "decimal(18, 2)"},
    "rates": {"currency": "varchar", "day": "date", "rate": "decimal(18, 6)"},
}  # fmt: skip


def of(shops: list[tuple[str, Shop]], rng: random.Random) -> Tables:
    """Orders of most of what came back and of what did not, amounts of most refunds, a rate a week."""
    orders, refunds = [], []
    for name, shop in shops:
        for body in shop.returns_snapshot():
            at = moment(body["created_at"])
            assert at is not None
            orders += _orders(name, body, at, rng)
            for refund in body.get("shopify_refund_object") or []:
                if rng.random() < 0.8 and real(refund["provider_refund_id"]):
                    chosen = money(body["refund"]) or Decimal(5)
                    amount = rng.choice((chosen, chosen, chosen, chosen * 2, chosen - 1))
                    refunds.append({"shop": name, "refund_id": text(refund["provider_refund_id"]), "amount": amount})
    now = shops[0][1].now.date()
    rates = [
        {"currency": currency, "day": now - timedelta(days=7 * week), "rate": Decimal(rng.randrange(500, 1500)) / 1000}
        for currency in ("USD", "CAD", "EUR")
        for week in range(20)
    ]  # fmt: skip
    return _once(orders, "shop", "order_line_id"), _once(refunds, "shop", "refund_id"), rates


def _orders(name: str, body: Row, at: datetime, rng: random.Random) -> list[Row]:
    """One line for each Shopify line of the return, and one of which nothing came back; also of exchange orders."""
    found = []
    ordered = at - timedelta(days=rng.randrange(1, 90), seconds=rng.randrange(86_400))
    order = {
        "shop": name,
        "order_id": real(body["provider_order_id"]) or f"O{body['id']}",
        "currency": body["currency"],
        "ordered_at": ordered,
        "customer": rng.choice(
            (f"Shopper{rng.randrange(60)}@Example.com", f"shopper{rng.randrange(60)}@example.com ", "N/A", None)
        ),
    }
    for line in body["line_items"]:
        units = rng.randrange(1, 5)
        if rng.random() < 0.9 and real(line["provider_line_item_id"]):
            one = {"order_line_id": line["provider_line_item_id"], "units": units}
            what = {name: real(line[name]) for name in ("product_id", "variant_id")}
            found.append(order | one | what | {"amount": Decimal(rng.randrange(100, 30_000)) / 100})
    for item in body["exchanges"]:
        what = {name: real(item[name]) for name in ("product_id", "variant_id")}
        what["order_id"] = real(item["exchange_order_id"]) or f"E{item['exchange_id']}"
        more = {"order_line_id": f"x{item['exchange_id']}", "units": 1, "amount": Decimal(20)}
        found.append(order | what | more | {"ordered_at": at + timedelta(days=5)})
    what = {"order_line_id": f"kept{body['id']}", "product_id": "kept", "variant_id": "1", "units": 2, "amount": Decimal(40)}
    return [*found, order | what | {"order_id": f"K{body['id']}"}]


def real(value: Any) -> str | None:
    """An id as the shop system has it, which knows no `N/A`."""
    found = text(value)
    return found if found and found.strip().isdigit() else None


def _once(rows: list[Row], *key: str) -> list[Row]:
    return list({tuple(row[name] for name in key): row for row in rows}.values())


def write(driver: Driver, tables: Tables) -> None:
    """Makes them in the warehouse, in a schema of their own."""
    if driver.address is None:
        with duckdb.connect(str(driver.file)) as connection:
            _write(connection, tables, "?")
        return
    import psycopg2

    connection = psycopg2.connect(driver.address)
    try:
        with connection, connection.cursor() as cursor:
            _write(cursor, tables, "%s")
    finally:
        connection.close()


def _write(cursor: duckdb.DuckDBPyConnection, tables: Tables, mark: str) -> None:
    cursor.execute("CREATE SCHEMA IF NOT EXISTS beside")
    for (name, columns), rows in zip(TYPES.items(), tables, strict=True):
        cursor.execute(f"DROP TABLE IF EXISTS beside.{name} CASCADE")
        cursor.execute(f"CREATE TABLE beside.{name} ({', '.join(f'{one} {kind}' for one, kind in columns.items())})")
        marks = f"({', '.join([mark] * len(columns))})"
        for start in range(0, len(rows), 100):
            some = rows[start : start + 100]
            values = [row[one] for row in some for one in columns]
            cursor.execute(f"INSERT INTO beside.{name} VALUES {', '.join([marks] * len(some))}", values)
