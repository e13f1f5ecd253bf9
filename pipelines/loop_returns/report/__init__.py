"""The report: one HTML page that needs no network, made from the marts.

`queries` has what it asks, `data.read_data` asks it, `figures` draws it, in notebooks too, and `write_report` puts the
figures into the page, whose frame is in `web`.
"""

from loop_returns.report.page import write_report

__all__ = ["write_report"]
