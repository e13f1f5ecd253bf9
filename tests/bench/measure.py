"""Measures a process as a whole: wall time, CPU time and the most memory it held, its threads and children included."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
_MEGA = 1_000_000
_LOOK = 0.1  # seconds between two looks at a process
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, seconds of CPU, megabytes at the peak, and what the process said of itself."""

    wall: float
    cpu: float
    peak_mb: float
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """The medians of several runs of one thing, and the runs themselves."""

    name: str
    wall: float
    cpu: float
    peak_mb: float
    said: dict[str, Any]
    samples: tuple[Sample, ...]

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def measure(name: str, command: Sequence[str], *, env: dict[str, str] | None = None) -> Sample:
    """Runs a command of this environment's Python to its end.

    Its last line of output is a JSON object, if it prints any. Raises RuntimeError with the end of its output when it fails.
    """
    variables = {**environment(), **(env or {})}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    with _helpers_of(process.pid) as peaks:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)  # wait4: the resources of this very process
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{output[-3000:]}")
    said = json.loads(output.splitlines()[-1]) if output.rstrip().endswith("}") else {}
    peak = usage.ru_maxrss + sum(peaks.values())  # never more than this: the peaks need not fall together
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak * _RSS_UNIT / _MEGA, said)


@contextmanager
def _helpers_of(process: int) -> Iterator[dict[int, int]]:
    """The most memory that each child of a process has held meanwhile, by process id, as Linux tells it.

    Not from `wait4`: what it tells of a child begins with what its parent had at the fork.
    """
    peaks: dict[int, int] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            with suppress(OSError):  # it has just ended
                children = (file.read_text() for file in Path(f"/proc/{process}/task").glob("*/children"))
                for child in " ".join(children).split():
                    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
                    peaks[int(child)] = int(told[1]) if told else 0

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def environment() -> dict[str, str]:
    """The environment of every process that is measured: modules are compiled once, as where a program is installed."""
    cache = Path(tempfile.gettempdir()) / "loop-returns-bench-pycache"
    return {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONPATH": str(ROOT),
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
        samples[-1].said,
        tuple(samples),
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
