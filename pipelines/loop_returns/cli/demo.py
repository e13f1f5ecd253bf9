"""The commands that need no shop: `demo` and `sandbox`, the whole way of the data against an invented one."""
# ruff: noqa: D301 # a \b in a docstring keeps typer from wrapping the lines after it

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from typer import Option

from loop_returns.cli.app import app
from loop_returns.cli.console import show_as_json, show_table, show_text
from loop_returns.cli.options import OutputOptions
from loop_returns.cli.progress import write_event
from loop_returns.cli.runner import command, run_with_progress
from loop_returns.errors import ConfigurationError, ExtraMissingError

if TYPE_CHECKING:
    from loop_returns.runs.session import Options
    from loop_returns.sandbox import Shop

FILE: Final = "loop_demo.duckdb"
REPORT: Final = "loop_demo_report.html"
_DESTINATION: Final = "loop_demo"  # a dlt destination of its own, so that settings of the real one do not reach it
_KEY: Final = "sandbox-key"  # opens nothing but the sandbox
_DAYS: Final = 400  # age of the oldest return
QUESTIONS: Final = (  # of an analyst, in words and in SQL; the names in the SQL are those of the dataset's views
    (
        "Which products come back most, and why?",
        """SELECT month, title, units_returned, main_reason, round(returned_value, 2) AS value, currency
FROM rpt_product_returns WHERE date_basis = 'submitted'
ORDER BY units_returned DESC, title LIMIT 5""",
    ),
    (
        "How much of the returned value stays with the shop, as exchanges and store credit?",
        """SELECT currency, count(*) AS returns, round(sum(returned_value), 2) AS returned,
       round(sum(retained_revenue), 2) AS retained,
       round(100 * sum(retained_revenue) / sum(returned_value), 1) AS percent
FROM fct_returns WHERE NOT is_void
GROUP BY currency ORDER BY returns DESC""",
    ),
    (
        "How long is each carrier under way?",
        """SELECT carrier, sum(labels) AS labels, sum(delivered) AS delivered,
       round(sum(avg_days_to_deliver * measured) / sum(measured), 1) AS days
FROM rpt_carrier_performance
GROUP BY carrier ORDER BY labels DESC LIMIT 5""",
    ),
)


@command(app, "See it all work, without a key.", "dataset")
def demo(
    options: "Options",
    output: OutputOptions,
    *,
    returns: Annotated[int, Option(min=20, max=5000, help="Size of the invented shop.")] = 300,
    destination: Annotated[str, Option(metavar="NAME", help="The demo knows only duckdb.")] = "duckdb",
) -> int:
    """See it all work, without a key.

    Starts a local copy of Loop's API with an invented shop, syncs it into loop_demo.duckdb in the current folder,
    lets the shop live for a moment, syncs again, answers three questions an analyst would ask, and writes the
    report loop_demo_report.html. Your own warehouse and settings are not touched; an older demo is replaced.

    \b
    Examples:
      loop-returns demo
      loop-returns demo --returns 2000
    """
    from loop_returns.sandbox import Shop

    if destination != "duckdb":
        raise ConfigurationError(
            f"The demo writes an invented shop, and only into a DuckDB file of its own, not into `{destination}`. "
            "To fill another destination: start `loop-returns sandbox` and sync from there."
        )
    file = Path(FILE).absolute()
    with _own_dlt():
        for name in (file.name, f"{file.name}.wal"):
            file.with_name(name).unlink(missing_ok=True)
        shop = Shop.generate(returns=returns, days=_DAYS)
        try:
            return _mirror_twice(shop, replace(options, destination=_DESTINATION, file=str(file)), output)
        finally:
            file.with_name(f"{file.name}.lock").unlink(missing_ok=True)


def _mirror_twice(shop: "Shop", options: "Options", output: OutputOptions) -> int:
    """Returns the exit code of the first run that did not go well, else 0."""
    from loop_returns.report import write_report
    from loop_returns.runs.sync import sync
    from loop_returns.sandbox import Sandbox
    from loop_returns.settings import Settings

    tell, start = partial(_tell, output), datetime.now(UTC) - timedelta(days=_DAYS + 1)
    with Sandbox(shop, api_key=_KEY) as served:
        settings = Settings(api_key=_KEY, base_url=served.url, shop="demo", start_date=start)
        run_sync = partial(run_with_progress, output, sync, settings, options, quiet=not output.one_line)
        tell(f"An invented shop with {len(shop):,} returns answers at {served.url}. First sync:")
        code = run_sync()
        shop.live(len(shop) // 10)
        tell("\nMeanwhile in the shop: new returns, scans, inspections, refunds. Second sync:")
        code = code or run_sync()
    _show_answers(options, output)
    tell(f"\nThe warehouse stays in {FILE}. Open it: duckdb {FILE}, or in Python:")
    tell(f'  import duckdb; duckdb.connect("{FILE}").sql("FROM {options.dataset}.fct_returns").show()')
    try:
        page = write_report(options.target(), output=REPORT, shop=settings.shop)
        tell(f"\nThe report on it, to be opened in a browser: {page}")
    except ExtraMissingError as error:
        tell(f"\n{error}")
    return code


def _show_answers(options: "Options", output: OutputOptions) -> None:
    import duckdb

    with closing(duckdb.connect(FILE, read_only=True)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f'USE "{options.dataset}"')
        for question, sql in QUESTIONS:
            answer = connection.execute(sql)
            columns, rows = [one[0] for one in answer.description or ()], answer.fetchall()
            answers = [dict(zip(columns, row, strict=True)) for row in rows]
            if show_as_json({"question": question, "sql": sql, "answer": answers}, output, event="answer"):
                continue
            show_text("")
            show_text(question, style="bold")
            show_text(f"{sql}\n")
            show_table(columns, [["" if cell is None else str(cell) for cell in row] for row in rows])


@contextmanager
def _own_dlt() -> Iterator[None]:
    """A destination and a working folder of the demo's own: settings and state of the real warehouse stay untouched."""
    import dlt

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="loop-demo-") as folder:
        os.environ["DLT_DATA_DIR"] = folder
        dlt.config[f"destination.{_DESTINATION}.destination_type"] = "duckdb"
        try:
            yield
        finally:
            del os.environ["DLT_DATA_DIR"]
            os.environ.update(before)


def _tell(output: OutputOptions, text: str) -> None:
    if output.one_line:
        write_event("note", text=text.strip())
    else:
        show_text(text)


@command(app, "Serve an invented shop, for trying things out.")
def sandbox(
    output: OutputOptions,
    *,
    returns: Annotated[int, Option(min=0, max=200_000, help="Size of the invented shop.")] = 300,
    seed: Annotated[int, Option(help="Which shop: the same seed makes the same one.")] = 1,
    currency: Annotated[Literal["USD", "CAD", "GBP", "EUR"], Option(help="The shop's currency.")] = "USD",
    port: Annotated[int, Option(min=0, max=65535, help="Where to listen; 0 picks a free port.")] = 8765,
    live: Annotated[float | None, Option(min=0.1, metavar="SECONDS", help="Let something happen that often.")] = None,
    trouble: Annotated[float, Option(min=0, max=0.9, help="Share of answers that go wrong, in every way known.")] = 0.0,
    destination: Annotated[str, Option(metavar="NAME", help="For the sync command it suggests.")] = "duckdb",
    dataset: Annotated[str, Option(metavar="NAME", help="For the sync command it suggests.")] = "loop_sandbox",
) -> int:
    """Serve a local copy of Loop's API with an invented shop, until Ctrl-C.

    It has the real API's quirks. Copy the lines it prints into another terminal and run a sync there.

    \b
    Examples:
      loop-returns sandbox
      loop-returns sandbox --returns 20000 --live 2
      loop-returns sandbox --seed 2 --currency EUR --port 8766   # a second shop beside the first
      loop-returns sandbox --trouble 0.2        # 429, 5xx, cut connections, web pages instead of data
    """
    from loop_returns.sandbox import Faults, Quirks, serve

    tell, quirks = partial(_tell, output), Quirks(faults=Faults.everywhere(trouble))
    tell("Set these three in another terminal (the shop's name keeps its rows apart from yours), and run there:")
    tell(f"  loop-returns sync --destination {destination} --dataset {dataset}")
    tell(f"export SOURCES__LOOP_RETURNS__SHOP=sandbox{'' if currency == 'USD' else f'_{currency.lower()}'}")
    try:
        serve(returns=returns, seed=seed, currency=currency, port=port, quirks=quirks, out=tell, live_every=live)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be listened on: {error.strerror}. Name another with --port, or 0 for any free one."
        ) from error
    return 0
