"""The commands that need no shop: `demo` and `sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from loop_returns.cli_options import Dataset, Debug, Format, LogFormat, end_with

if TYPE_CHECKING:
    from loop_returns.shell import Voice


def demo(
    *,
    returns: Annotated[int, typer.Option(min=20, max=5000, help="Size of the invented shop.")] = 300,
    destination: Annotated[str, typer.Option(metavar="NAME", help="The demo knows only duckdb.")] = "duckdb",
    dataset: Dataset = "loop_returns",
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """See it all work, without a key, in under a minute.

    Starts a local copy of Loop's API with an invented shop, syncs it into loop_demo.duckdb in the current folder,
    lets the shop live for a moment, syncs again, answers three questions an analyst would ask, and writes the
    report loop_demo_report.html. Your own warehouse and settings are not touched; an older demo is replaced.

    \b
    Examples:
      loop-returns demo
      loop-returns demo --returns 2000
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns.demo import demo as show

        return show(voice, returns=returns, destination=destination, dataset=dataset)

    raise end_with(work, log_format=log_format, debug=debug)


def sandbox(
    *,
    returns: Annotated[int, typer.Option(min=0, max=200_000, help="Size of the invented shop.")] = 300,
    seed: Annotated[int, typer.Option(help="Which shop: the same seed makes the same one.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 picks a free port.")] = 8765,
    live: Annotated[float | None, typer.Option(min=0.1, metavar="SECONDS", help="Let something happen that often.")] = None,
    trouble: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of answers that go wrong, in every way known.")
    ] = 0.0,
    destination: Annotated[str, typer.Option(metavar="NAME", help="For the sync command it suggests.")] = "duckdb",
    dataset: Annotated[str, typer.Option(metavar="NAME", help="For the sync command it suggests.")] = "loop_sandbox",
    log_format: Format = LogFormat.TEXT,
    debug: Debug = False,
) -> None:
    """Serve a local copy of Loop's API with an invented shop, until Ctrl-C.

    It has the real API's quirks. Copy the lines it prints into another terminal and run a sync there.

    \b
    Examples:
      loop-returns sandbox
      loop-returns sandbox --returns 20000 --live 2
      loop-returns sandbox --trouble 0.2        # 429, 5xx, cut connections, web pages instead of data
    """  # noqa: D301 # \b keeps typer from wrapping the lines

    def work(voice: Voice) -> int:
        from loop_returns.demo import serve

        return serve(voice, returns=returns, seed=seed, port=port, live=live, trouble=trouble, to=(destination, dataset))

    raise end_with(work, log_format=log_format, debug=debug)
