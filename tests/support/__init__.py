"""What tests share. Data lies in `tests/samples` (bodies of the API) and `tests/fixtures` (files of earlier versions).

chromium      drives a Chromium over its debugging protocol, to look at the report as a reader does
driving       drives the runs in-process against a sandbox, and looks into the warehouse they fill
golden_answers  two more, for the marts that need other kinds of returns
golden_shop   two small shops whose marts were worked out by hand
killing       kills a run at a moment that can be named
loopback      a server on a real socket that answers what a test scripted
mirror        what a warehouse must hold of a shop, worked out without the project's code
oracle        what every mart must say of a shop, worked out without the project's code
shop_life     a random shop between random runs under random faults
warehouses    a DuckDB file or a real PostgreSQL, loaded through dlt
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "tests" / "samples"
FIXTURES = ROOT / "tests" / "fixtures"
PATIENCE = 300.0  # seconds until a test gives up on what happens at once; only a hang takes that long
