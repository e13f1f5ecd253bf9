"""Measures a process as a whole: wall time, CPU time and the most memory it held, its threads and children included.

Memory is told twice. `peak_mb` adds up what each process held at its own worst moment, shared pages in each. `pss_mb` is the
most that all of them held at one moment, each shared page once among those that share it; Linux only, otherwise 0.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import loop_returns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(loop_returns.__file__).resolve().parents[1]  # the folder of the package that is measured
_MEGA = 1_000_000
_LOOK = 0.2  # seconds between two looks at the processes; each look makes them wait a little
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, seconds of CPU, megabytes at the peak, and what the process said of itself.

    `server_mb` is what the database server had at its own peak, if there is one; it is not in the others.
    """

    wall: float
    cpu: float
    peak_mb: float
    pss_mb: float
    said: dict[str, Any] = field(default_factory=dict)
    server_mb: float = 0.0


@dataclass(frozen=True)
class Figure:
    """The medians of several runs of one thing, and the runs themselves."""

    name: str
    wall: float
    cpu: float
    peak_mb: float
    pss_mb: float
    said: dict[str, Any]
    samples: tuple[Sample, ...]
    server_mb: float = 0.0

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def measure(
    name: str,
    command: Sequence[str],
    work: Path,
    *,
    code: Path = HERE,
    env: dict[str, str] | None = None,
    server: int | None = None,
) -> Sample:
    """Runs a command of this environment's Python in a folder to its end, with the package from `code`.

    `server` is the process of a database server that it uses. What it prints is a JSON object or of no interest.
    Raises RuntimeError with the end of its output when it fails.
    """
    variables = {**environment(code), **(env or {})}
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=work, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        with _watching(process.pid, server) as peaks:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)  # wait4: the resources of this very process and those it waited for
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{name} ended with {process.returncode}:\n{(output + errors.read())[-3000:]}")
    said = json.loads(output) if output.startswith("{") else {}
    peak = (usage.ru_maxrss + sum(peaks.helpers.values())) * _RSS_UNIT  # never more: the peaks need not fall together
    together, beside = (kilobytes * 1024 / _MEGA for kilobytes in (peaks.together, peaks.server))
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak / _MEGA, together, said, beside)


@dataclass
class _Peaks:
    """In kilobytes: the most that each descendant held, by process id, and the most that all held together."""

    helpers: dict[int, int] = field(default_factory=dict)
    together: int = 0
    server: int = 0


@contextmanager
def _watching(process: int, server: int | None) -> Iterator[_Peaks]:
    """Looks at a process and its descendants again and again meanwhile, as Linux tells of them.

    Not at what `wait4` tells of memory of a child: that begins with what its parent had at the fork.
    """
    peaks = _Peaks()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            together = 0
            for one in _tree(process):
                with suppress(OSError):  # it has just ended
                    together += _kilobytes(one, "smaps_rollup", "Pss")
                    if one != process:
                        peaks.helpers[one] = _kilobytes(one, "status", "VmHWM")
            peaks.together = max(peaks.together, together)
            beside = 0
            for one in _tree(server) if server else ():
                with suppress(OSError):
                    beside += _kilobytes(one, "smaps_rollup", "Pss")
            peaks.server = max(peaks.server, beside)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def _tree(process: int) -> Iterator[int]:
    yield process
    children: list[str] = []
    with suppress(OSError):  # it, or a thread of it, has just ended
        for file in Path(f"/proc/{process}/task").glob("*/children"):
            children += file.read_text().split()
    for child in children:
        yield from _tree(int(child))


def _kilobytes(process: int, file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{process}/{file}").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def environment(code: Path = HERE) -> dict[str, str]:
    """The environment of every process: nobody's settings, and modules compiled once, as where a program is installed."""
    cache = Path(tempfile.gettempdir()) / "loop-returns-bench-pycache"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHONDONTWRITE", "SOURCES__"))}
    return {
        **kept,
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONPATH": os.pathsep.join((str(code), str(ROOT))),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }


def summary(name: str, samples: Sequence[Sample]) -> Figure:
    """The medians."""
    return Figure(
        name,
        median(sample.wall for sample in samples),
        median(sample.cpu for sample in samples),
        median(sample.peak_mb for sample in samples),
        median(sample.pss_mb for sample in samples),
        samples[-1].said,
        tuple(samples),
        median(sample.server_mb for sample in samples),
    )


@contextmanager
def serving(folder: Path, *, latency: float = 0.0, limit: int = 0) -> Iterator[str]:
    """The benchmark server for a data set; its address."""
    command = [sys.executable, "-m", "tests.bench.server", str(folder)]
    command += ["--latency", str(latency), "--limit", str(limit)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
