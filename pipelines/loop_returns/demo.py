"""`demo` and `sandbox`: the whole way of the data against an invented shop on this machine."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dlt
import duckdb

from loop_returns.api.errors import ChangeSettings
from loop_returns.commands import quieten_dlt
from loop_returns.config import Settings
from loop_returns.report.command import write_report
from loop_returns.runs.progress import make, write_event
from loop_returns.runs.report import show_json, show_run, show_table, show_text, show_title
from loop_returns.runs.session import Options
from loop_returns.runs.sync import sync
from loop_returns.sandbox import Faults, Quirks, Sandbox, Shop
from loop_returns.sandbox import serve as serve_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.shell import Voice

FILE: Final = "loop_demo.duckdb"
REPORT: Final = "loop_demo_report.html"
_DESTINATION: Final = "loop_demo"  # a dlt destination of its own, so that settings of the real one do not reach it
_KEY: Final = "sandbox-key"  # opens nothing but the sandbox
_DAYS: Final = 400  # age of the oldest return


@dataclass(frozen=True)
class Question:
    """What an analyst asks, in words and in SQL; the names in the SQL are those of the dataset's views."""

    words: str
    sql: str


QUESTIONS: Final = (
    Question(
        "Which products come back most, and why?",
        """SELECT title, units_returned, main_reason, round(returned_value, 2) AS value, currency
FROM rpt_product_returns
ORDER BY units_returned DESC, title LIMIT 5""",
    ),
    Question(
        "How much of the returned value stays with the shop, as exchanges and store credit?",
        """SELECT currency, count(*) AS returns, round(sum(returned_value), 2) AS returned,
       round(sum(retained_revenue), 2) AS retained,
       round(100 * sum(retained_revenue) / sum(returned_value), 1) AS percent
FROM fct_returns WHERE NOT is_void
GROUP BY currency ORDER BY returns DESC""",
    ),
    Question(
        "How long is each carrier under way?",
        """SELECT carrier, sum(labels) AS labels, sum(delivered) AS delivered,
       round(sum(avg_days_to_deliver * measured) / sum(measured), 1) AS days
FROM rpt_carrier_performance
GROUP BY carrier ORDER BY labels DESC LIMIT 5""",
    ),
)


def demo(voice: Voice, *, returns: int, destination: str = "duckdb", dataset: str = "loop_returns") -> int:
    """Syncs an invented shop twice into `loop_demo.duckdb` in this folder, asks three questions, and writes the report.

    Returns the exit code of the first run that did not go well, else 0. Raises ChangeSettings for another destination
    than DuckDB.
    """
    if destination != "duckdb":
        raise ChangeSettings(
            f"The demo writes an invented shop, and only into a DuckDB file of its own, not into `{destination}`. "
            "To fill another destination: start `loop-returns sandbox` and sync from there."
        )
    quieten_dlt(voice)
    file = Path(FILE).absolute()
    for name in (file.name, f"{file.name}.wal"):
        file.with_name(name).unlink(missing_ok=True)
    shop = Shop.generate(returns=returns, days=_DAYS)
    with _own_dlt(), Sandbox(shop, api_key=_KEY) as sandbox:
        settings = Settings(
            api_key=_KEY, base_url=sandbox.url, shop="demo", start_date=datetime.now(UTC) - timedelta(days=_DAYS + 1)
        )
        options = Options(_DESTINATION, dataset, file=str(file))
        _say(voice, f"An invented shop with {len(shop):,} returns answers at {sandbox.url}. First sync:")
        code = _sync(settings, options, voice)
        shop.live(returns // 10)
        _say(voice, "\nMeanwhile in the shop: new returns, scans, inspections, refunds. Second sync:")
        code = code or _sync(settings, options, voice)
        _ask(file, dataset, voice)
        page = write_report(options, output=REPORT, shop=settings.shop)
    file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
    _say(voice, f"\nThe warehouse stays in {file.name}. Open it: duckdb {file.name}, or in Python:")
    _say(voice, f'  import duckdb; duckdb.connect("{file.name}").sql("FROM {dataset}.fct_returns").show()')
    _say(voice, f"\nThe report on it, to be opened in a browser: {page}")
    return code


def serve(
    voice: Voice, *, returns: int, seed: int, port: int, live: float | None, trouble: float, to: tuple[str, str]
) -> int:
    """Serves an invented shop until Ctrl-C; `to` is the destination and dataset of the sync command it suggests.

    Raises ChangeSettings when the port is taken.
    """
    destination, dataset = to
    _say(voice, "Set these three in another terminal (the shop's name keeps its rows apart from yours), and run there:")
    _say(voice, f"  loop-returns sync --destination {destination} --dataset {dataset}")
    _say(voice, "export SOURCES__LOOP_RETURNS__SHOP=sandbox")
    quirks = Quirks(faults=Faults.everywhere(trouble))
    try:
        serve_sandbox(
            returns=returns,
            seed=seed,
            port=port,
            quirks=quirks,
            out=lambda line: _say(voice, line),
            live_every=live,
        )
    except OSError as error:
        raise ChangeSettings(
            f"Port {port} cannot be listened on: {error.strerror}. Name another with --port, or 0 for any free one."
        ) from error
    return 0


def _sync(settings: Settings, options: Options, voice: Voice) -> int:
    with closing(make(voice.log_format, quiet=not voice.one_line)) as progress:
        run = sync(settings, options, progress=progress)
    show_run(run, one_line=voice.one_line)
    return run.exit_code or 0


def _ask(file: Path, dataset: str, voice: Voice) -> None:
    with closing(duckdb.connect(str(file), read_only=True)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f'USE "{dataset}"')
        for question in QUESTIONS:
            answer = connection.execute(question.sql)
            columns = [one[0] for one in answer.description or ()]
            rows = answer.fetchall()
            if voice.one_line:
                found = [dict(zip(columns, row, strict=True)) for row in rows]
                show_json({"question": question.words, "sql": question.sql, "answer": found}, one_line=True)
                continue
            show_text("")
            show_title(question.words)
            show_text(question.sql)
            show_text("")
            show_table(columns, [["" if cell is None else str(cell) for cell in row] for row in rows])


@contextmanager
def _own_dlt() -> Iterator[None]:
    """A destination and a working folder of the demo's own: settings and state of the real warehouse stay untouched."""
    before = os.environ.get("DLT_DATA_DIR")
    with tempfile.TemporaryDirectory(prefix="loop-demo-") as folder:
        os.environ["DLT_DATA_DIR"] = folder
        dlt.config[f"destination.{_DESTINATION}.destination_type"] = "duckdb"
        try:
            yield
        finally:
            del os.environ["DLT_DATA_DIR"]
            if before is not None:
                os.environ["DLT_DATA_DIR"] = before


def _say(voice: Voice, text: str) -> None:
    if voice.one_line:
        write_event("note", text=text.strip())
    else:
        show_text(text)
