"""A wrong address of the API stops only what talks to Loop, and the message says which addresses there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.script import Script


@pytest.mark.long
@pytest.mark.parametrize("address", ["nowhere", "http://api.example.com/api/2026-10"])
def test_what_asks_nothing_of_loop(script: Script, monkeypatch: pytest.MonkeyPatch, address: str):
    """Status, report and a plan work with it; a sync names https, and http for this machine."""
    script("sync")
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__BASE_URL", address)
    script("status")
    script("report")
    script("sync", "--dry-run")
    _, err = script("sync", code=2)
    assert "https address" in err
    assert "http address of this machine" in err
