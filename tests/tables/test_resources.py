"""What the odd answers of the other endpoints mean, in every shape that a source knows."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from loop_returns.api.response import RawResponse
from loop_returns.api.retry import RetryableError
from loop_returns.errors import UnreadableError
from loop_returns.tables.resource import Resource
from loop_returns.tables.resources import BY_NAME, RESOURCES
from tests.support import SAMPLES

NOTE = {"id": 1, "content": "Called", "created_at": "2023-08-23 09:00:00"}


def rows(name: str, body: object, *, status: int = 200) -> list[dict[str, object]]:
    """What a resource makes of a body."""
    one: Resource = BY_NAME[name]
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return [one.arrange(row) for row in one.rows(RawResponse(one.path, status, content))]


@pytest.mark.parametrize("body", [[NOTE], {"notes": [NOTE]}, {"data": [NOTE]}, NOTE])
def test_notes(body: object):
    """An array, an object that holds one, and a single note are the same note."""
    assert rows("return_notes", body) == [NOTE]


def test_no_notes():
    """422 and the bare word false say that there are none, as an empty array does; any other 422 is a failure."""
    assert rows("return_notes", b"false", status=422) == rows("return_notes", []) == rows("return_notes", b"false") == []
    with pytest.raises(Exception, match="422"):
        rows("return_notes", {"message": "The given data was invalid."}, status=422)


def test_a_destination_without_an_address():
    """The documented 500 is told from any other one, which another attempt may heal."""
    with pytest.raises(UnreadableError, match="no address"):
        rows("destinations", {"message": "One or more destinations do not have an address."}, status=500)
    with pytest.raises(RetryableError):
        rows("destinations", {"message": "Server Error"}, status=500)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ([{"amount": 50000, "currency": "USD"}, {"amount": 25000, "currency": "CAD"}], (Decimal("500.00"), "USD")),
        ({"amount": 26425, "currency_code": "JPY"}, (Decimal(26425), "JPY")),
        ({"amount": "1500", "currency": "KWD"}, (Decimal("1.500"), "KWD")),
        ({"amount": "much", "currency": "USD"}, (None, "USD")),
        ([], (None, None)),
        ("12.00", (None, None)),
    ],
)
def test_prices_of_label_requests(price: object, expected: tuple[Decimal | None, str | None]):
    """An amount in the smallest unit becomes one in the currency's own digits, whichever shape it comes in."""
    (row,) = rows("label_requests", {"data": [{"id": "1", "products": [{"name": "Hat", "price": price}]}]})
    (product,) = row["products"]  # type: ignore[misc]
    assert (product.get("price_amount"), product.get("price_currency")) == expected
    assert product["price"] == price


def test_addresses_of_label_requests():
    """Both addresses become columns, and what else stands beside them is not lost."""
    body = msgspec.json.decode((SAMPLES / "label_requests.json").read_bytes())
    body["data"][0]["addresses"]["relay"] = {"city": "Dayton"}
    (first, _) = rows("label_requests", body)
    assert first["origin"]["city"] == "Columbus"  # type: ignore[index]
    assert first["relay"] == {"city": "Dayton"}


def test_every_resource_is_whole():
    """Each has a scope, a table with the shop in its key, and a parent where it is read for each row of one."""
    for one in RESOURCES:
        assert one.scope
        assert all(table.key[0] == "shop" for table in one.tables)
        assert all(table.replace_by for table in one.tables[1:])
        assert (one.parent is not None) == bool(one.table.replace_by)
