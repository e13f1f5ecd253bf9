"""A shop on this machine, and the console script with the settings that lead to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from loop_returns.sandbox import Sandbox, Shop
from tests.support.script import KEY, Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A shop with 40 returns of the last 60 days, and nothing else: eight more tables take a first sync a second more."""
    shop = Shop.generate(returns=40, days=60)
    for rows in (shop.destinations, shop.allowlist, shop.blocklist, shop.label_requests, shop.shipments, shop.webhooks):
        rows.clear()
    with Sandbox(shop, api_key=KEY) as served:
        yield served


@pytest.fixture
def script(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Script:
    """The console script, set up for that shop."""
    monkeypatch.chdir(tmp_path)
    start = datetime.now(UTC) - timedelta(days=61)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", KEY)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__BASE_URL", sandbox.url)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__START_DATE", f"{start:%Y-%m-%d}")
    return Script(tmp_path, capfd)
