"""Benchmarks: `python -m tests.bench` prints a table and writes JSON. `--help` names the parts and their sizes.

Every figure is of a whole process in a run of its own against one server that hands out ready-made bytes; ratios compare
runs of the same call. Machines are noisy: quote medians and ratios.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from tests.bench.dataset import END, changed, full, write
from tests.bench.measure import Sample, measure, serving, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.measure import Figure

_LIMIT: Final = 300  # requests a minute
_LATENCY: Final = 0.7  # seconds


class Bench:
    """One call: where it keeps its files, how often it repeats, and what it has found."""

    def __init__(self, folder: Path, *, repeats: int) -> None:
        self.folder = folder
        self.repeats = repeats
        self.figures: list[Figure] = []
        self.ratios: dict[str, float] = {}

    def data(self, returns: int, *, share: float | None = None) -> Path:
        """The data set of that many returns, or of the `share` of them that has changed a day later; made once."""
        folder = self.folder / f"data-{returns}{'' if share is None else f'-changed-{share}'}"
        if not folder.exists():
            if share is None:
                write(folder, full(returns), now=END)
            else:
                write(folder, changed(returns, count=round(returns * share)), now=END + timedelta(days=1))
        return folder

    def timed(self, name: str, once: Callable[[Path], Sample], *, repeats: int | None = None) -> Figure:
        """Runs something several times, each in an empty folder."""
        samples = []
        for _ in range(repeats or self.repeats):
            with tempfile.TemporaryDirectory(dir=self.folder) as work:
                samples.append(once(Path(work)))
        self.figures.append(summary(name, samples))
        return self.figures[-1]


def mirror(url: str, work: Path, *options: str) -> Sample:
    """One sync of the mirror into a file in `work`."""
    command = ["-m", "tests.bench.mirror", url, str(work / "bench.duckdb"), *options]
    return measure("mirror", command, env={"DLT_DATA_DIR": str(work / "dlt")})


def peer(name: str, url: str, work: Path) -> Sample:
    """One run of another way to read the same."""
    return measure(name, ["-m", "tests.bench.peers", name, url, str(work)], env={"DLT_DATA_DIR": str(work / "dlt")})


def paced(bench: Bench, sizes: Sequence[int]) -> None:
    """(a) 300 requests in any minute, 0.7 s latency: the mirror, and a plain reader that asks page after page."""
    for size in sizes:
        with serving(bench.data(size), latency=_LATENCY, limit=_LIMIT) as url:
            ours = bench.timed(
                f"paced, {size:,}: mirror", lambda work, url=url: mirror(url, work, "--rpm", "300"), repeats=1
            )  # type: ignore[misc]
        requests = int(ours.said["requests"])
        bench.ratios[f"paced {size}: requests"] = requests
        bench.ratios[f"paced {size}: wall / (requests / 300 min)"] = ours.wall / (requests / _LIMIT * 60)
        if requests > _LIMIT:
            bench.ratios[f"paced {size}: wall / ((requests - 300) / 300 min)"] = ours.wall / (
                (requests - _LIMIT) / _LIMIT * 60
            )
        with serving(bench.data(size), latency=_LATENCY) as url:
            plain = bench.timed(
                f"paced, {size:,}: plain reader", lambda work, url=url: peer("sequential", url, work), repeats=1
            )  # type: ignore[misc]
        bench.ratios[f"paced {size}: plain reader / mirror"] = plain.wall / ours.wall


def unpaced(bench: Bench, sizes: Sequence[int], *, stock: int) -> None:
    """(b) no limit: the mirror against the floor, dlt's nested tables in Parquet, and stock dlt."""
    peaks = {}
    for size in sizes:
        with serving(bench.data(size)) as url:
            ours = bench.timed(f"unpaced, {size:,}: mirror", lambda work, url=url: mirror(url, work))  # type: ignore[misc]
            floor = bench.timed(f"unpaced, {size:,}: DuckDB read_json", lambda work, url=url: peer("floor", url, work))  # type: ignore[misc]
        peaks[size] = ours.peak_mb
        bench.ratios[f"unpaced {size}: returns a second"] = size / ours.wall
        bench.ratios[f"unpaced {size}: mirror / floor"] = ours.wall / floor.wall
    bench.ratios[f"unpaced: peak at {max(sizes)} / at {min(sizes)}"] = peaks[max(sizes)] / peaks[min(sizes)]
    with serving(bench.data(stock)) as url:
        for name in ("stock", "nested"):
            found = bench.timed(
                f"unpaced, {stock:,}: dlt {name}", lambda work, url=url, name=name: peer(name, url, work), repeats=1
            )  # type: ignore[misc]
            speed = bench.ratios[f"unpaced {min(sizes)}: returns a second"] / (stock / found.wall)
            bench.ratios[f"unpaced: mirror's speed / dlt {name}'s"] = speed


def increments(bench: Bench, sizes: Sequence[int]) -> None:
    """(c) 1 % of the returns changed since the last sync; (d) nothing changed."""
    walls = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=bench.folder) as kept:
            full_shop = Path(kept)
            with serving(bench.data(size)) as url:
                mirror(url, full_shop)
                quiet = bench.timed(f"nothing new, of {size:,}", lambda _, url=url, at=full_shop: mirror(url, at))  # type: ignore[misc]
                bench.ratios[f"nothing new, of {size}: requests"] = int(quiet.said["requests"])
            with serving(bench.data(size, share=0.01)) as url:
                ours = bench.timed(f"1 % changed, of {size:,}", lambda work, url=url, at=full_shop: _again(url, at, work))  # type: ignore[misc]
            walls[size] = ours.wall
    bench.ratios[f"1 % changed: {max(sizes)} / {min(sizes)}"] = walls[max(sizes)] / walls[min(sizes)]


def _again(url: str, kept: Path, work: Path) -> Sample:
    """A sync into a copy of a warehouse, so that each repeat finds the same."""
    shutil.copyfile(kept / "bench.duckdb", work / "bench.duckdb")
    return mirror(url, work)


def shaping(bench: Bench, size: int) -> None:
    """JSON to typed Arrow alone, on one processor."""
    folder = str(bench.data(size))
    found = bench.timed("shaping alone", lambda _: measure("shaping", ["-m", "tests.bench.shaping", folder]))
    rates = sorted(float(sample.said["returns_a_second"]) for sample in found.samples)
    bench.ratios["shaping: returns a second and processor"] = rates[len(rates) // 2]


def start_up(bench: Bench) -> None:
    """(d) how long `--help` takes, and Python with the libraries that a run needs."""
    code = "import sys; from loop_returns.cli import main; sys.argv[1:] = ['--help']; main()"
    bench.timed("--help", lambda _: measure("help", ["-c", code]), repeats=5)
    bench.timed(
        "import of what a run needs", lambda _: measure("import", ["-c", "import loop_returns.runs.sync"]), repeats=5
    )


def show(bench: Bench) -> None:
    """Prints what was found."""
    console = Console()
    table = Table(title="whole processes, medians", box=None)
    for column in ("", "wall s", "cpu s", "peak MB", "runs"):
        table.add_column(column, justify="left" if not column else "right")
    for one in bench.figures:
        table.add_row(one.name, f"{one.wall:.2f}", f"{one.cpu:.2f}", f"{one.peak_mb:,.0f}", str(len(one.samples)))
    console.print(table)
    ratios = Table(title="of one call", box=None, show_header=False)
    for name, value in bench.ratios.items():
        ratios.add_row(name, f"{value:,.2f}")
    console.print(ratios)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the parts that are asked for; returns what it writes as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["paced", "unpaced", "increments", "start", "shaping", []], help="all by default"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 400_000], help="returns, for paced and unpaced")
    parser.add_argument("--increments", type=int, nargs="+", default=[200_000, 2_000_000], help="returns, for increments")
    parser.add_argument("--stock", type=int, default=20_000, help="returns for stock dlt, which needs gigabytes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where data sets are kept for the next call")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    given = parser.parse_args(arguments)
    parts = given.parts or ["start", "shaping", "unpaced", "increments", "paced"]
    with tempfile.TemporaryDirectory(prefix="loop-bench-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, repeats=given.repeats)
        if "start" in parts:
            start_up(bench)
        if "shaping" in parts:
            shaping(bench, min(given.sizes))
        if "unpaced" in parts:
            unpaced(bench, given.sizes, stock=given.stock)
        if "increments" in parts:
            increments(bench, given.increments)
        if "paced" in parts:
            paced(bench, given.sizes)
    show(bench)
    found = {"ratios": bench.ratios, "figures": [one.record() for one in bench.figures]}
    given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.stdout.write(f"written to {given.json}\n")
    return found


if __name__ == "__main__":
    main()
