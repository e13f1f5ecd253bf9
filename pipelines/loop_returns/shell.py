"""Stands between the commands and the terminal: errors become a paragraph and an exit code, signals end a run in order."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from loop_returns.api.errors import LoopReturnsError
from loop_returns.runs.progress import LogFormat, write_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; what systemd, Kubernetes and CI send
_TELLING: Final = 8  # letters; anything shorter is no real key, and stands inside ordinary words
_SHOW_CURSOR: Final = b"\x1b[?25h"
_INTERRUPTED: Final = (
    "Interrupted. What had been loaded stays, nothing is lost, and the next run goes on from there: "
    "run the same command again."
)


@dataclass(frozen=True)
class Voice:
    """How a command speaks: log lines as text or JSON, its result as JSON, tracebacks or none."""

    log_format: LogFormat = "text"
    as_json: bool = False
    debug: bool = False

    @property
    def one_line(self) -> bool:
        """True when even the result is one line of JSON."""
        return self.log_format == "json"


def guarded(work: Callable[[], int], voice: Voice) -> int:
    """Runs `work` and returns its exit code, or that of the error that ended it, which is said on standard error."""
    _quieten(voice)
    try:
        with _signals():
            return work()
    except LoopReturnsError as error:
        interrupted = _was_interrupted(error)
        say = _INTERRUPTED if interrupted else error.message
        return _failed("Interrupted" if interrupted else type(error).__name__, say, error.exit_code, voice)
    except KeyboardInterrupt:
        return _failed("Interrupted", _INTERRUPTED, 1, voice)
    except BrokenPipeError:  # `loop-returns status | head`: whoever read it has enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at exit
        return 1
    except Exception as error:  # noqa: BLE001 # the last place where an error can become a sentence
        said = f"Something went wrong that should not: {type(error).__name__}: {_one_line(error)} "
        advice = "What had been loaded stays. Run again; if it stays so, run with --debug and report what that prints."
        return _failed(type(error).__name__, said + advice, 1, voice)


def refused(message: str, *, arguments: list[str]) -> int:
    """Says what is wrong with the command line, in the log format that it asks for; returns exit code 2."""
    asked = {"--log-format=json"} & set(arguments) or "--log-format json" in " ".join(arguments)
    return _failed("UsageError", message, 2, Voice("json" if asked else "text"), trace=False)


def _failed(kind: str, message: str, code: int, voice: Voice, *, trace: bool = True) -> int:
    if voice.debug and trace:
        sys.stderr.write(hide_key(traceback.format_exc()))
    message = hide_key(message)
    if voice.one_line:
        write_event("error", error_class=kind, message=message, exit_code=code)
    else:
        sys.stderr.write(f"{message}\n")
    if voice.as_json:  # whoever parses standard output finds an object there, whatever happened
        outcome = "interrupted" if kind == "Interrupted" else "failed"
        found = {"outcome": outcome, "exit_code": code, "error_class": kind, "error_message": message}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return code


def hide_key(text: str) -> str:
    """The text without the API key, should a library have put it there."""
    keys = [os.environ.get("SOURCES__LOOP_RETURNS__API_KEY", "").strip()]
    if "dlt" in sys.modules:  # only then a file can have been read
        with suppress(Exception):  # a broken file: it is what is being reported
            from loop_returns.config import configured_key

            keys.append(configured_key() or "")
    for key in filter(None, keys):
        whole = re.escape(key) if len(key) >= _TELLING else rf"(?<!\w){re.escape(key)}(?!\w)"
        text = re.sub(whole, "…", text)
    return text


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500].rstrip(".") + "."


def _was_interrupted(error: BaseException) -> bool:
    """True when the error only wraps a signal, as dlt does with one that comes while it loads."""
    one: BaseException | None = error
    while one is not None and not isinstance(one, KeyboardInterrupt):
        one = one.__cause__ or one.__context__
    return one is not None


def _quieten(voice: Voice) -> None:
    """Libraries speak in the log format that was asked for, and only of what matters."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # dlt's reports to its makers are for who wants them
    if voice.one_line:
        os.environ.setdefault("RUNTIME__LOG_FORMAT", "JSON")
    if not voice.debug:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError):  # tests put other streams there
            stream.reconfigure(errors="replace")  # type: ignore[union-attr] # a terminal that lacks a letter shows a “?”


@contextmanager
def _signals() -> Iterator[None]:
    """The first signal raises KeyboardInterrupt, so that the run ends in order; the second ends the process at once."""
    try:
        before = [signal.signal(number, _first_signal) for number in _SIGNALS]
    except ValueError:  # not the main thread, which alone may do that: whoever runs it there handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _first_signal(number: int, frame: FrameType | None) -> None:
    if _dlt_had_one():  # dlt keeps the first one back until a load is at rest, and hands over the second
        _exit_at_once(number, frame)
    for one in _SIGNALS:
        signal.signal(one, _exit_at_once)
    if sys.stderr.isatty():
        os.write(2, b"\nStopping in order; Ctrl-C again stops at once.\n")
    raise KeyboardInterrupt


def _dlt_had_one() -> bool:
    signals = sys.modules.get("dlt.common.runtime.signals")
    return signals is not None and bool(signals.was_signal_received())


def _exit_at_once(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 # as signal handlers are called
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)  # the progress bar had hidden it
    os._exit(1)
