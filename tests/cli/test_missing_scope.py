"""A key that may read returns but no shipping notices is not called wrong, and the way on is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

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
    returns, notices, warehouse = json.loads(script("check", "--json", code=2)[0])["findings"]
    assert (returns["exit_code"], notices["exit_code"], warehouse["exit_code"]) == (0, 2, 0)
    assert "API key works" in notices["message"]
    assert "--only returns" in notices["message"]
