"""The client can be used without a warehouse."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import loop_returns.api.client, loop_returns.api.rate_limit, loop_returns.api.pages, loop_returns.api.response
import loop_returns.api.windows, loop_returns.errors, loop_returns.dates, loop_returns.api.facts
print(sorted({"dlt", "duckdb", "pyarrow", "pandas", "sqlglot"} & set(sys.modules)))
"""


def test_no_warehouse_is_imported() -> None:
    """Importing the client loads neither dlt nor DuckDB nor Arrow, so that commands that only ask Loop start fast."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
