"""One sync without Loop's limit, in a process of its own: `python -m tests.bench.mirror [--only NAMES]`.

No setting lifts the limit of 300 requests a minute, so this calls the public function with the settings of the environment
and a higher one. The rest is what the command line does: the same resources, marts and checks, and the run as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from loop_returns import sync
from loop_returns.runs.session import Options

try:
    from loop_returns.settings import load
except ImportError:  # another checkout, from before the settings had that module
    from loop_returns.config import load  # type: ignore[import-not-found,no-redef]

UNLIMITED = 1_000_000


def main() -> None:
    """Syncs as a first run does or, where the warehouse has something, what changed; exits as the command line does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=None, help="names of resources, by commas")
    parser.add_argument("--destination", default="duckdb")
    given = parser.parse_args()
    options = Options(given.destination, only=None if given.only is None else frozenset(given.only.split(",")))
    run = sync(replace(load(), requests_per_minute=UNLIMITED), options)
    sys.stdout.write(json.dumps(run.record()) + "\n")
    sys.exit(run.exit_code)


if __name__ == "__main__":
    main()
