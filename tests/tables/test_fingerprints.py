"""Fingerprints of personal values cannot be undone without the operator's own secret, and always join."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import dlt
import pytest

from loop_returns import loop_returns_source
from loop_returns.errors import ConfigurationError
from loop_returns.sandbox import Shop
from loop_returns.tables.privacy import Privacy, new_key
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.shape import Shaper
from loop_returns.tables.values import canonical_json
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
HASH = Privacy("hash", KEY)
FORM = re.compile(r"pii_[0-9a-f]{32}")
ROW = {"id": "1", "customer": " Ann@Example.com", "tracking_number": "N/A", "label_url": "", "line_items": [], "gift": "Ann"}


@pytest.fixture
def shop() -> Shop:
    return Shop.generate(seed=4, returns=20, days=40, now=NOW)


def test_form_and_normal_form():
    """A fingerprint has a form of its own; case and outer spaces do not count; what means “none” stays as it is."""
    (row,) = Shaper("north", HASH).returns([ROW])["returns"].to_pylist()
    assert FORM.fullmatch(row["customer"])
    assert row["customer"] == Privacy("hash", KEY).hashed("ann@example.COM ")
    assert (row["tracking_number"], row["label_url"]) == ("N/A", "")
    assert row["gift"] == HASH.hashed("ann")
    (notice,) = (
        Shaper("south", HASH)
        .notices([{"id": "1", "customer_email": "ANN@example.com"}])["advanced_shipping_notices"]
        .to_pylist()
    )
    assert notice["customer_email"] == row["customer"], "a shopper joins across the shops of a dataset"


def test_the_key_decides():
    """Another key gives another fingerprint, and nothing that is public gives the one that is stored."""
    assert HASH.hashed("ann@example.com") != Privacy("hash", OTHER).hashed("ann@example.com")
    (row,) = Shaper("north", HASH).returns([ROW])["returns"].to_pylist()
    for known in (b"", b"north", b"default", b"loop_returns"):
        assert hmac.digest(known, b"ann@example.com", "sha256").hex()[:32] not in row["customer"]


def test_no_hash_without_a_key():
    """There is no way to make fingerprints without a key, and a key that is too short is refused."""
    with pytest.raises(ConfigurationError, match="loop-returns check"):
        Privacy("hash")
    assert len(new_key()) >= 32
    assert new_key() != new_key()


@pytest.mark.parametrize("privacy", [Privacy("drop"), HASH], ids=lambda one: one.policy)
def test_the_fingerprint_of_a_row_gives_nothing_away(privacy: Privacy):
    """Who has a list of addresses and everything else of a row cannot find the address by `_row_hash`."""
    salts = {canonical_json({**ROW, "customer": mail}) for mail in ("ann@example.com", " Ann@Example.com")}
    stored = privacy.fingerprint(ROW, RETURNS)
    if privacy.policy == "drop":
        assert stored == privacy.fingerprint({**ROW, "customer": "bob@example.com", "gift": "Bob"}, RETURNS)
        assert stored != privacy.fingerprint({**ROW, "state": "closed"}, RETURNS)
    else:
        assert stored != Privacy("hash", OTHER).fingerprint(ROW, RETURNS)
        assert stored != privacy.fingerprint({**ROW, "customer": "bob@example.com"}, RETURNS)
    assert stored not in {hashlib.sha256(salt).hexdigest()[:32] for salt in salts}


def test_every_policy_and_key_has_row_hashes_of_its_own():
    """`_row_hash` changes with policy and key, so that reading a row again replaces it."""
    every = [Privacy(), Privacy("drop"), HASH, Privacy("hash", OTHER)]
    assert len({one.fingerprint(ROW, RETURNS) for one in every}) == len(every)


def test_structs_and_dictionaries_are_the_same(drive: Callable[..., Driver], shop: Shop):
    """Under `drop`, a row that is decoded the fast way and one with an undeclared field have the same fingerprint."""
    driver = drive(shop, settings={"pii": "drop"})
    driver.sync()
    shop.add_field("gift_message", "For Ada")
    assert driver.backfill(NOW.replace(month=1), NOW).tally.changed == {}


@pytest.mark.long
def test_another_key_is_refused(drive: Callable[..., Driver], shop: Shop):
    """A run with another key ends before anything is loaded, also after the policy was changed to and fro."""
    driver = drive(shop, settings={"pii": "hash", "pii_key": KEY})
    driver.sync()
    before = driver.rows("returns")
    shop.live(5)
    for policy in ("hash", "keep"):
        with pytest.raises(ConfigurationError, match=r"no longer join.*another dataset"):
            driver.sync(pii_key=OTHER)
        assert driver.rows("returns") == before
        driver.sync(pii=policy)
        before = driver.rows("returns")
    assert KEY not in str(driver.query("SELECT * FROM _loop_sync_runs"))
    with pytest.raises(ConfigurationError, match="loop-returns check"):
        driver.sync(pii_key="")


def test_the_public_source(drive: Callable[..., Driver], shop: Shop, tmp_path: Path):
    """In a pipeline of one's own the key is an argument, and another one is refused there too."""
    driver = drive(shop)
    pipeline = dlt.pipeline(
        "own", pipelines_dir=str(tmp_path / "own"), destination=dlt.destinations.duckdb(str(tmp_path / "own.duckdb"))
    )
    given = {"api_key": driver.sandbox.api_key, "base_url": driver.sandbox.url, "pii": "hash", "start_date": "2026-08-01"}
    with pytest.raises(Exception, match="loop-returns check"):
        pipeline.run(loop_returns_source(**given))
    pipeline.run(loop_returns_source(**given, pii_key=KEY))
    with pipeline.sql_client() as client:
        mails = client.execute_sql("SELECT customer FROM returns WHERE customer <> ''") or ()
    assert mails
    assert all(FORM.fullmatch(mail) for (mail,) in mails)
    with pytest.raises(Exception, match="no longer join"):
        pipeline.run(loop_returns_source(**given, pii_key=OTHER))
