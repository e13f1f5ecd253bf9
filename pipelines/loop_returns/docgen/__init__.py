"""What is generated from the declarations: the dictionary, settings, destinations, dbt's sources and metrics."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]  # of the checkout, in which the pages are
_PART: Final = re.compile(r"(?<=edits are overwritten -->\n).*(?=<!-- end of the generated part -->)", re.DOTALL)


def write_page(name: str, generated: str) -> None:
    """Writes the generated part of a page of `pipelines/docs`; what stands around its two marks is written by hand."""
    page = ROOT / "pipelines" / "docs" / name
    page.write_text(_PART.sub(lambda _: f"\n{generated}\n", page.read_text(encoding="utf-8")), encoding="utf-8")
