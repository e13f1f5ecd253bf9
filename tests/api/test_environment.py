"""Proxies and certificates that the environment names wrongly are refused with the way to set them right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns.api import network
from loop_returns.api.client import LoopClient
from loop_returns.api.facts import BASE_URL
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

WRONG = [
    ("HTTPS_PROXY", "ftp://operator:hunter2hunter2@proxy.example"),
    ("HTTPS_PROXY", "http://operator:hunter2hunter2@proxy.example:port"),
    ("NO_PROXY", "[::1"),
    ("SSL_CERT_FILE", "nowhere.pem"),
    ("SSL_CERT_FILE", "empty.pem"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_cannot_be_used(name: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is told which variable to correct (exit code 2), without the password that it may hold."""
    (home / "empty.pem").touch()
    monkeypatch.setenv(name, value)
    network.certificates.cache_clear()
    with pytest.raises(ConfigurationError, match=name) as caught:
        LoopClient(api_key="k" * 20, base_url=BASE_URL, rate_limiter=RateLimiter())
    network.certificates.cache_clear()
    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is None, "a traceback would show the proxy's address"
