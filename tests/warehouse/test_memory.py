"""DuckDB has little memory, and as much as a load needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.sandbox import Shop
from loop_returns.warehouse import load
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.driving import Driver


def test_a_load_that_does_not_fit(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch):
    """A load for which the limit is too low is made again with a higher one, and nothing of it lands twice."""
    driver = drive(Shop.generate(seed=8, returns=60, days=50, now=NOW))
    driver.sync(only="advanced_shipping_notices")
    opened: list[int] = []
    monkeypatch.setattr(load, "_MEMORY", 24)  # megabytes
    plain = load.Warehouse._open

    def note(self: load.Warehouse) -> None:
        opened.append(self._memory)
        plain(self)

    monkeypatch.setattr(load.Warehouse, "_open", note)
    driver.sync()
    assert opened[-1] > 24
    driver.assert_equal()
