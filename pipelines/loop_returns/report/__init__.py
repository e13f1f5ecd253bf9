"""The report: one HTML page that needs no network, made from the marts.

`build` writes it; the folder `web` has what it is made of, `queries.py` asks what it says.
"""

from __future__ import annotations

from loop_returns.report.page import build

__all__ = ["build"]
