"""What `COPY` brings into PostgreSQL is what `INSERT` would have: every type, every odd value, null apart from nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dlt
import psycopg2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loop_returns.warehouse.destination import find_target

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ODD = [
    "", " ", "  a ", "NULL", "null", "\\N", "\\.", "a\n\\.\nb", "\\.\n", "\n", "\r", "\r\n", "a\rb", "\t", '"', '""', '"a"',
    "'", "a,b", ";", "\\", "\\\\", "␀", "👍🏽", "é", "\u2028", "{}", "%s", "$1", "-", "0", "true", "2024-01-01", "x" * 9000,
]  # fmt: skip
TEXTS = st.none() | st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "words": TEXTS,
            "amount": st.none() | st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=4),
            "moment": st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
            "flag": st.none() | st.booleans(),
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "document": st.none()
            | st.dictionaries(TEXTS.filter(bool), TEXTS | st.integers(-(10**9), 10**9) | st.booleans(), max_size=3),
        }
    ),
    min_size=1,
    max_size=30,
)
KINDS = {
    "words": pa.string(),
    "amount": pa.decimal128(18, 4),
    "moment": pa.timestamp("us", tz="UTC"),
    "flag": pa.bool_(),
    "number": pa.int64(),
    "document": pa.string(),
}


def landed(postgres: str, folder: Path, rows: list[dict[str, Any]], file_format: Any) -> list[tuple[Any, ...]]:
    """What PostgreSQL has after a load of the rows in that form, in order, as its own text; null is None."""
    columns = {"n": pa.array(range(len(rows)), pa.int64())}
    for name, kind in KINDS.items():
        values = [row[name] for row in rows]
        if name == "document":
            values = [None if value is None else json.dumps(value) for value in values]
        columns[name] = pa.array(values, kind)
    hints: Any = {"document": {"data_type": "json"}}
    target = find_target(destination="postgres", dataset=f"by_{file_format}")
    pipeline = dlt.pipeline(
        f"by_{file_format}", pipelines_dir=str(folder), destination=target.destination, dataset_name=target.dataset
    )
    resource = dlt.resource([pa.table(columns)], name="things", columns=hints, write_disposition="replace")
    pipeline.run(resource, loader_file_format=file_format)
    connection = psycopg2.connect(postgres)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'{name}::text' for name in KINDS)} FROM by_{file_format}.things ORDER BY n")
        found = cursor.fetchall()
    connection.close()
    return found


@pytest.mark.long
def test_every_value(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Texts that CSV or COPY could misread, amounts, times, booleans, integers and JSON land as by `INSERT`."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(ROWS)
    def equal(rows: list[dict[str, Any]]) -> None:
        copied = landed(postgres, tmp_path, rows, "csv")
        assert copied == landed(postgres, tmp_path, rows, "insert_values")
        assert [row[0] for row in copied] == [row["words"] for row in rows]

    first = {"amount": Decimal("-0.0001"), "moment": None, "flag": None, "number": None, "document": {"a": '"\n'}}
    assert [row[0] for row in landed(postgres, tmp_path, [{"words": text, **first} for text in [None, *ODD]], "csv")] == [
        None,
        *ODD,
    ]
    equal()
