"""Generates the table of `pipelines/docs/destinations.md`: `python -m loop_returns.docgen.destinations`."""

from typing import Any, Final

import dlt

from loop_returns.docgen import write_page
from loop_returns.tables.catalog import dlt_hints
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.comments import LANGUAGES
from loop_returns.warehouse.levels import EXPECTED, PROVEN, REFUSED

_COLUMNS: Final = (
    *("destination", "level", "time", "amount", "JSON", "rows are replaced by"),
    *("loaded as", "marts change at once", "comments", "lock"),
)
_SHOWN: Final = ("updated_at", "return_total", "_unparsed")  # a time, an amount, JSON
_OURS: Final = {"duckdb": "parquet", "postgres": "csv"}  # other than what dlt prefers: see `Warehouse`
_COMMENTED: Final = ("snowflake", "bigquery", "databricks")  # by dlt itself, which tests/dialects asks
_LOCKS: Final = {  # else what `warehouse/lock.py` has for all
    "duckdb": "a file beside it",
    "postgres": "between machines",
    "ducklake": "between machines, in a PostgreSQL catalogue",
}


def destinations_table() -> str:
    """What each destination does with our tables by dlt's own account, and those that are refused with the reason."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    lines += [_row(name, "proven" if name in PROVEN else "expected") for name in (*PROVEN, *EXPECTED)]
    lines += ["", "| refused | why | choose instead |", "|---|---|---|"]
    lines += [f"| `{name}` | {why} | {instead} |" for name, (why, instead) in REFUSED.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, level: str) -> str:
    caps = getattr(dlt.destinations, name)().capabilities()
    mapper, columns = caps.get_type_mapper(), dlt_hints(RETURNS)["columns"]
    table = {"name": RETURNS.name, "columns": {}}
    types = [f"`{mapper.to_destination_type(columns[column], table)}`" for column in _SHOWN]
    more: list[Any] = [
        next(one for one in caps.supported_merge_strategies or () if one == "delete-insert"),
        _OURS.get(name, caps.preferred_loader_file_format),
        "yes" if caps.supports_ddl_transactions else "no",
        "yes" if caps.sqlglot_dialect in LANGUAGES else "on tables" if name in _COMMENTED else "no",
        _LOCKS.get(name, "this machine only"),
    ]
    return f"| {' | '.join([f'`{name}`', level, *types, *more])} |"


if __name__ == "__main__":
    write_page("destinations.md", destinations_table())
