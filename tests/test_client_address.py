"""A base URL that would send the key into the open, or nowhere, is refused at once."""

from __future__ import annotations

import pytest

from loop_returns.api.client import LoopClient
from loop_returns.api.errors import ChangeSettings
from loop_returns.api.pace import Pace
from loop_returns.settings import BASE_URL

from .loopback import KEY


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (BASE_URL, BASE_URL),
        (f"{BASE_URL}/", BASE_URL),
        (f" {BASE_URL}//\n", BASE_URL),
        ("https://api.loopreturns.com/api/v1", "https://api.loopreturns.com/api/v1"),
        ("https://api.loopreturns.com/api/latest", "https://api.loopreturns.com/api/latest"),
        ("https://api.loopreturns.com/api/unstable", "https://api.loopreturns.com/api/unstable"),
        ("https://proxy.example.com:8443/loop/2026-07", "https://proxy.example.com:8443/loop/2026-07"),
        ("http://127.0.0.1:5000/api/2026-10", "http://127.0.0.1:5000/api/2026-10"),
        ("http://127.9.9.9/api/v1", "http://127.9.9.9/api/v1"),
        ("http://localhost:5000/api/v1", "http://localhost:5000/api/v1"),
        ("http://[::1]:5000/api/v1", "http://[::1]:5000/api/v1"),
    ],
)
def test_usable_addresses(given: str, used: str) -> None:
    """Accepted are https anywhere and http on this machine, with any version, whatever slashes end them."""
    with LoopClient(api_key=KEY, base_url=given, pace=Pace()) as client:
        assert client.base_url == used


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("http://api.loopreturns.com/api/2026-10", "https://"),
        ("http://127.0.0.1.example.com/api/v1", "https://"),
        ("http://localhost.example.com/api/v1", "https://"),
        ("http://10.0.0.1/api/v1", "https://"),
        ("ftp://api.loopreturns.com/api/v1", "https://"),
        ("api.loopreturns.com/api/2026-10", "host"),
        ("", "host"),
        ("https:///api/v1", "host"),
        ("https://api.loopreturns.com/api", "version"),
        ("https://api.loopreturns.com", "version"),
        ("https://api.loopreturns.com/api/v2", "version"),
        ("https://api.loopreturns.com/api/2026-1", "version"),
        ("https://api.loopreturns.com/api/2026-10/warehouse", "version"),
        ("https://user:secret@api.loopreturns.com/api/v1", "user"),
        ("https://api.loopreturns.com/api/v1?x=1", "“?”"),
        ("https://api.loopreturns.com/api/v1#x", "“?”"),
        ("https://exa mple\x00.com/api/v1", "address"),
    ],
)
def test_unusable_addresses(given: str, reason: str) -> None:
    """The refusal names the setting, the reason and an address that works, and is the operator's to heal."""
    with pytest.raises(ChangeSettings) as caught:
        LoopClient(api_key=KEY, base_url=given, pace=Pace())
    assert caught.value.exit_code == 2
    assert "base_url" in caught.value.message
    assert BASE_URL in caught.value.message
    assert reason in caught.value.message.split("can't be used:")[1].split("Set it to")[0]
