"""Generates the data dictionary in `pipelines/docs/dictionary.md`: `python -m loop_returns.docgen.dictionary`."""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from loop_returns.docgen import write_page
from loop_returns.marts import all_marts
from loop_returns.tables.catalog import CHILDREN, HISTORY, TABLES
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import HIDDEN, Column, Table

_JOINS: Final = frozenset({"return_id", "return_line_item_id", "provider_order_id", "provider_line_item_id"})
_LONGEST: Final = 48  # characters of an example


@cache
def examples() -> dict[str, dict[str, str]]:
    """An example value of each column, by table, from `examples.toml`."""
    return tomllib.loads(files(__package__).joinpath("examples.toml").read_text(encoding="utf-8"))


def dictionary() -> str:
    """The dictionary as Markdown: a diagram, every raw table with its columns, every mart with its columns."""
    return "\n".join([*_diagram(), *_raw_tables(), *_marts()])


def _diagram() -> Iterator[str]:
    """Keys and joins as a mermaid entity diagram; `shop` is part of every one and left out."""
    yield from ("## How the tables hang together", "", "```mermaid", "erDiagram")
    for child in CHILDREN:
        yield f'    {RETURNS.name} ||--o{{ {child.name} : "id = return_id"'
    for table in HISTORY:
        yield f'    {RETURNS.name} ||--o{{ {table.name} : "id = return_id"'
    yield '    return_line_items ||--o{ advanced_shipping_notices : "line_item_id = return_line_item_id"'
    for table in TABLES.values():
        yield f"    {table.name} {{"
        for column in table.columns:
            if column.name in _JOINS.union(table.key):
                yield f'        {column.type} {column.name} "{"key" if column.name in table.key else "joins Shopify"}"'
        yield "    }"
    yield from ("```", "", "`shop` is part of every key and of every join.", "")


def _raw_tables() -> Iterator[str]:
    yield from ("## Tables", "")
    for table in TABLES.values():
        yield from (f"### {table.name}", "", f"{table.description} Key: {_names(table.key)}.", "")
        yield from ("| column | type | meaning | PII | example |", "|---|---|---|---|---|")
        yield from (_row(table, column) for column in sorted(table.columns, key=lambda c: c.name in HIDDEN))
        yield ""


def _row(table: Table, column: Column) -> str:
    name = f"*`{column.name}`*" if column.name in HIDDEN else f"`{column.name}`"
    kind = column.type + ("" if column.nullable else ", not null")
    value = examples().get(table.name, {}).get(column.name, "")
    short = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    shown = f"`{_cell(short)}`" if value else "-"
    return f"| {name} | {kind} | {_cell(column.description)} | {column.pii.value.replace('_', ' ')} | {shown} |"


def _marts() -> Iterator[str]:
    yield from ("## Marts", "", "Views on the tables above. Rows with `_deleted_at` are left out of all of them.", "")
    for mart in sorted(all_marts(), key=lambda mart: mart.rank):
        yield from (f"### {mart.name}", "", mart.description, "")
        yield from (f"Grain: {mart.grain}. Key: {_names(mart.key)}. It answers:", "")
        yield from (f"- {question}" for question in mart.answers)
        yield from ("", "| column | meaning |", "|---|---|")
        yield from (f"| `{name}` | {_cell(meaning)} |" for name, meaning in mart.columns.items())
        yield ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_page("dictionary.md", dictionary())
