"""What a sync without news asks of the warehouse: elsewhere each question is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loop_returns.sandbox import Shop
from loop_returns.warehouse.reader import Reader
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.driving import Driver


def test_no_question_twice(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks nothing twice, and nothing that matters only for rows to load or for a key that may be another shop's."""
    driver = drive(Shop.generate(seed=12, returns=5, days=20, now=NOW))
    driver.sync()
    asked, query = list[tuple[Any, ...]](), Reader.query
    monkeypatch.setattr(Reader, "query", lambda self, *what: (asked.append(what), query(self, *what))[1])
    assert driver.sync().tally.new.total() == 0
    assert len(asked) > 5
    assert sorted(set(asked)) == sorted(asked)
    assert not [sql for sql, *_ in asked if sql.startswith("SELECT 1 ") or "created_at ASC" in sql]
