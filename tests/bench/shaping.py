"""JSON to typed Arrow on one processor, no network: `python -m tests.bench.shaping FOLDER` prints returns a second."""

from __future__ import annotations

import gc
import json
import sys
import time
from array import array
from pathlib import Path

from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.response import RawResponse
from loop_returns.extract.page import shape_response
from loop_returns.tables.shape import Shaper

PAGE = 750
PAGES = 40


def main() -> None:
    """Shapes the first pages of the closed returns of a data set, each once, as a run's helper does."""
    folder = Path(sys.argv[1])
    offsets = array("q", (folder / "closed.offsets").read_bytes())
    shaper, seconds, returns = Shaper("default"), 0.0, 0
    gc.freeze()
    with (folder / "closed.json").open("rb") as file:
        for first in range(0, min(len(offsets) - 1, PAGE * PAGES), PAGE):
            last = min(first + PAGE, len(offsets) - 1)
            body = b'{"returns":[' + file.read(offsets[last] - offsets[first])[:-1] + b'],"nextPageUrl":null}'
            started = time.process_time()
            page = shape_response(RawResponse(RETURNS_PATH, 200, body), shaper, first_copy=first)
            seconds += time.process_time() - started
            assert page.tables
            returns += last - first
    sys.stdout.write(json.dumps({"returns_a_second": returns / seconds}) + "\n")


if __name__ == "__main__":
    main()
