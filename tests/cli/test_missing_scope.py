"""A key that may read returns but no shipping notices is not called wrong, and the way on is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loop_returns.tables.resources import BY_NAME

if TYPE_CHECKING:
    from loop_returns.sandbox import Sandbox
    from tests.support.script import Script


@pytest.fixture
def without_notices(sandbox: Sandbox) -> None:
    """The sandbox refuses the key for the report of shipping notices alone."""
    sandbox.quirks = replace(sandbox.quirks, denied=frozenset({"/warehouse/reporting/asn"}))


@pytest.mark.usefixtures("without_notices")
def test_sync(script: Script):
    """The sync loads the returns, ends with 2, says that the key lacks the notices, and names `--only returns`."""
    _, err = script("sync", code=2)
    assert "API key works" in err.splitlines()[-1]
    assert "--only returns" in err.splitlines()[-1]
    assert "key is wrong" not in err
    assert script.status()["tables"][0]["rows"] == 40
    script("sync", "--only", "returns")


@pytest.mark.usefixtures("without_notices")
def test_check(script: Script):
    """The check finds the returns well, and says the same of the notices."""
    findings = {one["subject"]: one for one in json.loads(script("check", "--json", code=2)[0])["findings"]}
    notices = findings["advanced_shipping_notices"]
    assert {name for name, one in findings.items() if one["exit_code"]} == {"advanced_shipping_notices"}
    assert "API key works" in notices["message"]
    assert "--only returns" in notices["message"]


def test_check_names_every_scope(sandbox: Sandbox, script: Script):
    """The check lists every resource with its scope; one that the key lacks is no fault."""
    sandbox.quirks = replace(sandbox.quirks, scopes=frozenset({"returns", "orders"}))
    findings = {one["subject"]: one["message"] for one in json.loads(script("check", "--json")[0])["findings"]}
    assert findings.keys() > {*BY_NAME}
    assert all(BY_NAME[name].scope in findings[name] for name in BY_NAME)
    assert "may read it" in findings["allowlist_items"]
    assert "lacks the scope" in findings["destinations"]
