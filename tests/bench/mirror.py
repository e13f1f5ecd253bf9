"""One run of the mirror, in a process of its own: `python -m tests.bench.mirror URL FILE`. Prints what it did as JSON."""

from __future__ import annotations

import argparse
import json
import sys

from tests.bench.dataset import DAY, END, SPAN, timedelta

from loop_returns.config import Settings
from loop_returns.runs.session import Options
from loop_returns.runs.sync import sync


class Silent:
    """Progress that shows nothing."""

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


def main() -> None:
    """Syncs the returns, as a first run does or, where the warehouse has something, what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("file")
    parser.add_argument("--rpm", type=int, default=1_000_000)
    parser.add_argument("--concurrency", type=int, default=4)
    given = parser.parse_args()
    settings = Settings(
        api_key="benchmark-key-0123456789",
        base_url=f"{given.url}/api/2026-10",
        start_date=END - SPAN - timedelta(seconds=DAY),
        requests_per_minute=given.rpm,
        max_concurrency=given.concurrency,
        marts="off",
    )
    options = Options(file=given.file, only=frozenset({"returns"}))
    run = sync(settings, options, progress=Silent())  # type: ignore[arg-type] # every call does nothing
    sys.stdout.write(json.dumps(run.record()) + "\n")


if __name__ == "__main__":
    main()
