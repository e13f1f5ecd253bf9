"""The report: one HTML page that needs no network, made from the marts.

`build` writes it; `page.html`, `page.css` and the scripts beside this file are what it is made of, `queries.py` is what it says.
"""

from __future__ import annotations

from loop_returns.report.page import build

__all__ = ["build"]
