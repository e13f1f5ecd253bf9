"""The hand-worked tables in `golden/` are what the oracle makes of the same shops: neither was copied from a mart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loop_returns import marts
from tests.support.golden_answers import ANSWERED, ANSWERS, BY_RULE, OTHERS, OUTSIDE
from tests.support.golden_shop import SHOP, golden, written
from tests.support.oracle.compared import AnyOf
from tests.support.oracle.flat import group
from tests.support.oracle.whole import everything

if TYPE_CHECKING:
    from tests.support.oracle.parsed import Row

KEYS = {mart.name: mart.key for mart in marts.all_marts()} | {
    "rpt_inbound_forecast": ("shop", "expected_date", "destination_id", "carrier", "stage", "return_type", "currency")
}


@pytest.mark.parametrize("question", ["", *ANSWERS])
def test_golden(question: str):
    """Each row of each table is one of the oracle's, and the other way round; each value is the oracle's."""
    tables, beside = (ANSWERS[question], OUTSIDE.get(question, {})) if question else (SHOP, {})
    expected = everything(group(tables, beside))
    names = {file.stem for file in (ANSWERED / question).glob("*.txt")} if question else expected.keys() - OTHERS - BY_RULE
    assert names
    for mart in sorted(names):
        columns, rows = golden(mart)
        by_hand = {tuple(row[columns.index(name)] for name in KEYS[mart]): row for row in rows}
        ours = {tuple(written(row[name]) for name in KEYS[mart]): row for row in expected[mart]}
        assert by_hand.keys() == ours.keys(), mart
        for key, row in by_hand.items():
            wrong = {name: value for name, value in zip(columns, row, strict=True) if not _agrees(ours[key], name, value)}
            assert not wrong, (mart, key, wrong, {name: ours[key][name] for name in wrong})


def _agrees(row: Row, name: str, value: str) -> bool:
    """True when the written value is that of the oracle, or when the oracle does not work out the column."""
    ours: Any = row.get(name, value)
    return value in ({written(one) for one in ours.values} if isinstance(ours, AnyOf) else {written(ours)})
