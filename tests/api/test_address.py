"""A base URL that would send the key into the open, or nowhere, is refused at once."""

from __future__ import annotations

import pytest

from loop_returns.api.facts import BASE_URL
from loop_returns.errors import ConfigurationError
from loop_returns.settings import load


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
    assert load(base_url=given, need_key=False).base_url == used


@pytest.mark.parametrize(
    "given",
    [
        "http://api.loopreturns.com/api/2026-10",
        "http://127.0.0.1.example.com/api/v1",
        "http://localhost.example.com/api/v1",
        "http://10.0.0.1/api/v1",
        "ftp://api.loopreturns.com/api/v1",
        "api.loopreturns.com/api/2026-10",
        "",
        "https:///api/v1",
        "https://api.loopreturns.com/api",
        "https://api.loopreturns.com",
        "https://api.loopreturns.com/api/v2",
        "https://api.loopreturns.com/api/2026-1",
        "https://api.loopreturns.com/api/2026-10/warehouse",
        "https://user:secret@api.loopreturns.com/api/v1",
        "https://api.loopreturns.com/api/v1?x=1",
        "https://api.loopreturns.com/api/v1#x",
        "https://exa mple\x00.com/api/v1",
    ],
)
def test_unusable_addresses(given: str) -> None:
    """The refusal names the setting and an address that works, and is the operator's to repair."""
    with pytest.raises(ConfigurationError) as caught:
        load(base_url=given, need_key=False)
    assert caught.value.exit_code == 2
    assert "base_url" in caught.value.message
    assert BASE_URL in caught.value.message
