"""The data dictionary is what the code says: complete, in step, and with examples that the API's samples bear out."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from loop_returns.marts import all_marts
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.dbt_sources import dbt_sources
from loop_returns.tables.dictionary import README, dictionary, in_step
from loop_returns.tables.examples import example, examples
from loop_returns.tables.shape import Shaper

yaml = pytest.importorskip("yaml")  # comes with dlt
SAMPLES = Path(__file__).parent / "samples"


def test_in_step():
    """The README of the package holds the dictionary as the code has it; if not, run the command that it names."""
    text = README.read_text(encoding="utf-8")
    assert text == in_step(text), "run: python -m loop_returns.tables.dictionary"


def test_complete():
    """Every table, every mart and every column is in it, each with its meaning."""
    text = dictionary()
    for table in TABLES.values():
        section = text.split(f"\n### {table.name}\n")[1].split("\n### ")[0]
        for column in table.columns:
            (row,) = [line for line in section.splitlines() if f"`{column.name}`" in line.split("|")[1:2].__str__()]
            assert column.description.replace("|", "\\|") in row
            assert f"| {column.pii.value.replace('_', ' ')} |" in row
    for mart in all_marts():
        section = text.split(f"\n### {mart.name}\n")[1].split("\n### ")[0]
        assert all(f"| `{name}` | {meaning} |" in section for name, meaning in mart.columns.items())
        assert all(question in section for question in mart.answers)


def test_hand_written_text_stays():
    """What stands before and after the dictionary is not touched, and writing it twice changes nothing."""
    once = in_step("Before.\n\n")
    twice = in_step(once + "After.\n")
    assert once.startswith("Before.\n")
    assert twice == once + "After.\n"


def shown(value: Any) -> str:
    """A value as examples are written."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S+00")
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_examples():
    """An example belongs to a column; where the samples have values of that column it is one of them."""
    page = json.loads((SAMPLES / "returns_list_page.json").read_text(encoding="utf-8"))["returns"]
    page += json.loads((SAMPLES / "returns_list_array.json").read_text(encoding="utf-8"))
    notices = json.loads((SAMPLES / "asn.json").read_text(encoding="utf-8"))
    shaper = Shaper("default")
    tables = shaper.returns(page).tables | shaper.notices(notices).tables
    for table, columns in examples().items():
        assert set(columns) <= set(TABLES[table].names), table
    checked = 0
    for name, rows in tables.items():
        for column in TABLES[name].columns:
            if column.name not in rows.column_names or column.name == "_row_hash":  # changes with the declared columns
                continue
            values = {shown(value) for value in rows.column(column.name).to_pylist() if value not in (None, "", "N/A", "[]")}
            if values:
                assert example(name, column.name) in values, f"{name}.{column.name}: one of {sorted(values)[:3]}"
                checked += 1
    assert checked > 100


def test_dbt_sources():
    """The dbt source is valid YAML with every table, column, meaning and key."""
    (source,) = yaml.safe_load(dbt_sources(dataset="shop_data"))["sources"]
    assert source["name"] == "shop_data"
    tables = {table["name"]: table for table in source["tables"]}
    assert tables.keys() == TABLES.keys() | {mart.name for mart in all_marts()}
    for table in TABLES.values():
        columns = {column["name"]: column for column in tables[table.name]["columns"]}
        assert {name: column["description"] for name, column in columns.items()} == {
            column.name: column.description for column in table.columns
        }
        assert {name for name, column in columns.items() if column.get("data_tests")} == {
            column.name for column in table.columns if not column.nullable
        }
        (test,) = tables[table.name]["data_tests"]
        assert all(name in test["unique"]["column_name"] for name in table.key)
