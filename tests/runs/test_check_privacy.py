"""`check` makes a key for fingerprints where there is none, and refuses one that does not fit the warehouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from loop_returns.errors import ConfigurationError
from loop_returns.runs.check import check, worst
from loop_returns.sandbox import Shop
from loop_returns.settings import Settings, load
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.check import Finding
    from tests.support.driving import Driver

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


@pytest.fixture
def driver(drive: Callable[..., Driver]) -> Driver:
    return drive(Shop.generate(seed=4, returns=20, days=40, now=NOW), settings={"pii": "hash"})


def looked(driver: Driver, **settings: str) -> tuple[Finding | None, int]:
    findings = check(driver.resolved(**settings), driver.options())
    return next((one for one in findings if one.subject == "personal data"), None), worst(findings)


def test_a_fresh_key(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    """Without a key `check` ends with 2 and prints one, another one each time, that works; a run names `check`."""
    keys = set()
    for _ in range(2):
        finding, code = looked(driver)
        assert finding is not None
        assert code == 2
        found = re.search(r'pii_key = "(.+)"$', finding.message)
        assert found
        keys.add(found[1])
    assert len(keys) == 2
    with pytest.raises(ConfigurationError, match="`loop-returns check` prints a fresh one"):
        driver.sync()
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", driver.sandbox.api_key)
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__PII_KEY", keys.pop())
    assert driver.sync(pii_key=load().pii_key).outcome == "done"


def test_a_key_that_does_not_fit(driver: Driver):
    """The key of the warehouse is fine, another one is refused with exit code 2; without `hash` nobody looks."""
    driver.sync(pii_key=KEY)
    finding, code = looked(driver, pii_key=KEY)
    assert (finding is not None and finding.is_well, code) == (True, 0)
    finding, code = looked(driver, pii_key=OTHER)
    assert finding is not None
    assert code == 2
    assert "no longer join" in finding.message
    assert looked(driver, pii="keep") == (None, 0)


def test_the_key_is_a_secret(monkeypatch: pytest.MonkeyPatch):
    """A key that is too short is refused without being shown, and no settings show one."""
    assert KEY not in repr(Settings(api_key="", pii_key=KEY))
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", "an-api-key")
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__PII_KEY", "too-short-by-far")
    with pytest.raises(ConfigurationError, match="at least 32 characters") as refused:
        load()
    assert "too-short-by-far" not in str(refused.value)
