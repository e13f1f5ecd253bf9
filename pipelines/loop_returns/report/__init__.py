"""The report: one HTML page that needs no network, made from the marts.

`write_report` writes it, and takes from the settings what it is not given; `build` takes nothing from them. The folder
`web` has what it is made of, `queries.py` asks what it says.
"""

from __future__ import annotations

from loop_returns.report.page import build, write_report

__all__ = ["build", "write_report"]
