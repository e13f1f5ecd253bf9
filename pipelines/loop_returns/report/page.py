"""Puts figures, tables and the script that draws them together to one file."""

import json
import os
import shutil
from datetime import datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from loop_returns import __version__
from loop_returns.dates import in_utc
from loop_returns.errors import ConfigurationError, ExtraMissingError
from loop_returns.report.data import SCALE, Data, read_data
from loop_returns.settings import load
from loop_returns.tables.runs import STALE
from loop_returns.warehouse.destination import Target

OUTPUT: Final = "loop_returns_report.html"
DAYS: Final = 731  # two years: this one and the one to compare it with
_STARTS: Final = {"30 days": 30, "90 days": 90, "12 months": 365}


def write_report(target: Target, *, output: str | Path = OUTPUT, days: int = DAYS, shop: str | None = None) -> Path:
    """Writes the report on all shops of a warehouse, replacing what is there, and returns its absolute path.

    Needs no API key and sends no request to Loop.

    Args:
        target: the warehouse, as `find_target` finds it.
        output: the HTML file.
        days: how far back the page goes, by the day on which a return was submitted.
        shop: which shop is chosen when the page opens; None: the one that the settings name; without returns: all.

    Raises:
        ExtraMissingError: the extra `report` is not installed.
        ConfigurationError: `output` can't be written, there was no sync yet, there are no marts, or settings are wrong.
        WarehouseError: the warehouse can't be read.
    """
    if not all(map(find_spec, ("altair", "jinja2", "vl_convert"))):
        raise ExtraMissingError(
            "The report page needs the extra `report`, which draws its charts: run `pip install 'loop-returns[report]'`, or "
            "`pip install -e '.[report]'` in a clone."
        )
    path = Path(output).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigurationError(f"The report cannot be written to {output}: name a file in a folder that exists.")
    text = render(read_data(target, days=days), shop=shop or load(need_key=False).shop)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, part)  # who might read the old page may read the new one
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(
            f"The report cannot be written to {output}: {error.strerror}. Choose another place with --output."
        ) from error
    return path


def render(data: Data, *, shop: str | None = None) -> str:
    """The page as text. Whatever the data say is escaped where it is written."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__, "web")
    pages = Environment(autoescape=True, loader=loader, undefined=StrictUndefined, trim_blocks=True)
    pages.filters |= {"moment": _moment, "parsed": _parsed}
    pages.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    filled = any(row["returns"] for row in data.tables["freshness"])
    currencies = {name: data.currencies(name) for name in ("", *data.shops)}
    known = [row["synced_up_to"] for row in data.tables["freshness"]]
    up_to = min(map(in_utc, known)) if known and None not in known else None  # of the shop that is furthest behind
    return pages.get_template("page.html").render(
        data=data,
        version=__version__,
        filled=filled,
        shop=data.shops[0] if len(data.shops) == 1 else shop if shop in data.shops else "",
        currencies=currencies,
        starts={text: max(data.first, data.last - timedelta(days=days - 1)) for text, days in _STARTS.items()},
        up_to=up_to,
        stale=up_to is None or data.made_at - up_to > STALE,
        embedded={"currencies": currencies, "scale": SCALE} | (_charts(data) if filled else {}),
        library=_library(),
    )


def _charts(data: Data) -> dict[str, Any]:
    """The specifications of the figures, bound to the fields of the page, and once each the rows that they draw."""
    from loop_returns.report.figures import FIGURES

    charts, datasets = {}, {}
    for figure in FIGURES:
        chart = figure(data).properties(description=(figure.__doc__ or "").partition("\n")[0]).to_dict(validate=False)
        for name, rows in chart.pop("datasets").items():
            datasets[name] = {"columns": list(rows[0]) if rows else [], "rows": [list(row.values()) for row in rows]}
        for parameter in chart["params"]:
            parameter["bind"] = {"element": f"#{parameter['name']}", "event": "change"}
        charts[figure.__name__] = chart
    return {"charts": charts, "datasets": datasets}


@cache
def _library() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    from altair import SCHEMA_VERSION
    from vl_convert import javascript_bundle

    script = javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=SCHEMA_VERSION.rpartition(".")[0])
    return script.replace("</script", "<\\/script")


def _parsed(value: Any) -> Any:
    return (json.loads(value) if isinstance(value, str) else value) or {}  # PostgreSQL's driver has read it already


def _moment(value: datetime | None) -> str:
    return f"{in_utc(value):%d %b %Y, %H:%M} UTC" if value else "never"
