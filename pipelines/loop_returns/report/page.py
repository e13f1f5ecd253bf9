"""Puts figures, tables and the script that draws them together to one file."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from loop_returns import __version__
from loop_returns.dates import in_utc
from loop_returns.errors import ConfigurationError, ExtraMissingError
from loop_returns.report.data import SCALE, Data, product_names, read_data
from loop_returns.report.packing import packed
from loop_returns.settings import load
from loop_returns.tables.resources import BY_NAME
from loop_returns.tables.runs import STALE
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.dlt_internals import data_folder

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
    try:
        _write(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"The report cannot be written to {output}: {error.strerror}. Choose another place with --output."
        ) from error
    return path


def _write(path: Path, text: str) -> None:
    """Writes all or nothing: who reads it meanwhile sees the old text."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, part)  # who might read the old page may read the new one
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def render(data: Data, *, shop: str | None = None) -> str:
    """The page as text. Whatever the data say is escaped where it is written."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__, "web")
    pages = Environment(autoescape=True, loader=loader, undefined=StrictUndefined, trim_blocks=True)
    pages.filters |= {"moment": _moment, "parsed": _parsed}
    pages.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    shops = ["", *data.shops]
    filled = any(data.column("freshness", "returns"))
    known = data.column("freshness", "synced_up_to")
    up_to = min(map(in_utc, known)) if known and None not in known else None  # of the shop that is furthest behind
    choices = {what: {one: data.most(what, one) for one in shops} for what in ("currency", "country", "destination")}
    return pages.get_template("page.html").render(
        data=data,
        version=__version__,
        filled=filled,
        shop=data.shops[0] if len(data.shops) == 1 else shop if shop in data.shops else "",
        starts={text: max(data.first, data.last - timedelta(days=days - 1)) for text, days in _STARTS.items()},
        up_to=up_to,
        scopes={name: one.scope for name, one in BY_NAME.items()},
        stale=up_to is None or data.made_at - up_to > STALE,
        embedded={"choices": choices, "scale": SCALE, "first": f"{max(data.first, data.since)}"}
        | (embedded(data) if filled else {}),
        library=_library(),
    )


def embedded(data: Data) -> dict[str, Any]:
    """The specifications of the figures, bound to the fields of the page, and once each the tables that the page shows."""
    from loop_returns.report.figures import FIGURES

    charts, named = {}, replace(data, is_named=True)
    for figure in FIGURES:
        chart = figure(named).properties(description=(figure.__doc__ or "").partition("\n")[0]).to_dict(validate=False)
        for parameter in chart["params"]:
            parameter["bind"] = {"element": f"#{parameter['name']}", "event": "change"}
        charts[figure.__name__] = chart
    tables = {name: packed(table) for name, table in data.tables.items() if name not in {"freshness", "resources", "runs"}}
    names: dict[str, dict[str, str]] = {}
    for (shop, product), title in product_names(data).items():
        names.setdefault(shop, {})[product] = title
    return {"charts": charts, "tables": tables, "names": names}


def _library() -> str:
    """Vega, Vega-Lite and vega-embed as one script; making it takes a third of the time, so it is kept with dlt's data."""
    from altair import SCHEMA_VERSION
    from vl_convert import javascript_bundle

    kept = data_folder() / "loop_returns" / f"vega-{version('vl-convert-python')}-{SCHEMA_VERSION}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    script: str = javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=SCHEMA_VERSION.rpartition(".")[0])
    script = script.replace("</script", "<\\/script")
    with suppress(OSError):  # where nothing can be kept it is made each time
        kept.parent.mkdir(parents=True, exist_ok=True)
        _write(kept, script)
    return script


def _parsed(value: Any) -> Any:
    return json.loads(value) if value else {}


def _moment(value: datetime | None) -> str:
    return f"{in_utc(value):%d %b %Y, %H:%M} UTC" if value else "never"
