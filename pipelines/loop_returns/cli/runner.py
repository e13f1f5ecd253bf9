"""Runs the commands: errors become a paragraph and an exit code, signals end a run in order."""

import functools
import inspect
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from typer import Abort, Exit, Typer

from loop_returns.cli.console import discard, show_as_json, show_run
from loop_returns.cli.options import OUTPUT, SHARED, OutputOptions, run_options
from loop_returns.cli.progress import LogFormat, make_progress, write_event
from loop_returns.errors import CancelledError, LoopReturnsError
from loop_returns.warehouse.dlt_internals import had_signal
from loop_returns.warehouse.failures import was_interrupted

if TYPE_CHECKING:
    from loop_returns.runs.ledger import Run

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; what systemd, Kubernetes and CI send
_SHORTEST_KEY: Final = 8  # letters; anything shorter is no real key, and occurs inside ordinary words
_SHOW_CURSOR: Final = b"\x1b[?25h"
_INTERRUPTED: Final = (
    "Interrupted. What had been loaded stays, nothing is lost, and the next run goes on from there: "
    "run the same command again."
)


def command(app: Typer, short_help: str, *names: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Makes a command of a function that returns an exit code; `names` are the shared options that it takes.

    What is made of those arrives in its parameters `options` and `output`; its keywords are options of its own. Errors
    and signals are handled as `run_guarded` does.
    """
    taken = (*names, "log_format", "debug")

    def register(work: Callable[..., int]) -> Callable[..., int]:
        accepted = inspect.signature(work).parameters
        own = [one for one in accepted.values() if one.kind == one.KEYWORD_ONLY]
        parameters = [*own, *(SHARED[name] for name in taken)]

        @functools.wraps(work)
        def entry(**values: Any) -> NoReturn:
            shared = {name: values.pop(name) for name in taken}
            output = OutputOptions(command=work.__name__, **{name: shared.pop(name) for name in OUTPUT if name in shared})

            def run() -> int:
                options = {"options": run_options(output, **shared)} if "options" in accepted else {}
                return work(**options, output=output, **values)

            raise Exit(run_guarded(run, output))

        entry.__annotations__ = {one.name: one.annotation for one in parameters}
        entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # where typer looks for options
        app.command(short_help=short_help)(entry)
        return work

    return register


def run_with_progress(
    output: OutputOptions, work: "Callable[..., Run]", *given: Any, quiet: bool = False, **more: Any
) -> int:
    """Calls a function that runs something, shows its progress unless it is to be quiet, and returns the exit code."""
    with closing(make_progress(output.log_format, quiet=quiet)) as progress:
        run = work(*given, **more, progress=progress)
    show_run(run, output)
    return run.exit_code or 0


def run_guarded(work: Callable[[], int], output: OutputOptions) -> int:
    """Runs `work` and returns its exit code, or that of the error that ended it, which is printed on standard error."""
    _configure_libraries(output)
    with _signals() as received:
        try:
            return work()
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 # the last place where an error can become a message
            return _ended(error, output, is_interrupted=bool(received))


def _ended(error: BaseException, output: OutputOptions, *, is_interrupted: bool) -> int:
    """Says how the error ended the command and returns its exit code. A library may have made another error of a signal."""
    if isinstance(error, BrokenPipeError):  # `2>&1 | head`: nobody reads what could be said
        discard(sys.stdout, sys.stderr)
        return LoopReturnsError.exit_code
    if is_interrupted or isinstance(error, Abort | CancelledError) or was_interrupted(error):  # Abort: at a prompt
        return _failed("Interrupted", _INTERRUPTED, CancelledError.exit_code, output)
    kind = type(error).__name__
    if isinstance(error, LoopReturnsError):
        return _failed(kind, error.message, error.exit_code, output)
    text = " ".join(str(error).split())[:500].rstrip(".")
    advice = "What had been loaded stays. Run again; if it stays so, run with --debug and report what that prints."
    return _failed(kind, f"Something went wrong that should not: {kind}: {text}. {advice}", 1, output)


def refused(message: str, *, command: str, arguments: list[str]) -> int:
    """Says what is wrong with the command line, in the format that it asks for; returns exit code 2."""
    json_asked = "--log-format=json" in arguments or "--log-format json" in " ".join(arguments)
    log_format: LogFormat = "json" if json_asked else "text"
    output = OutputOptions(command=command.rsplit(maxsplit=1)[-1], log_format=log_format, as_json="--json" in arguments)
    return _failed("UsageError", message, 2, output)


def _failed(kind: str, message: str, code: int, output: OutputOptions) -> int:
    message, trace = hide_key(message), hide_key(traceback.format_exc()) if output.debug else None
    outcome = {"Interrupted": "interrupted", "LockedError": "locked"}.get(kind, "failed")
    record = {"outcome": outcome, "exit_code": code, "error_class": kind, "error_message": message}
    if output.one_line:
        more = {} if trace is None else {"traceback": trace}
        write_event("error", command=output.command, message=message, **record, **more)
    else:
        sys.stderr.write(f"{trace or ''}{message}\n")
    if output.as_json:  # standard output holds one object, also after a failure
        show_as_json(record, output)
    return code


def hide_key(text: str) -> str:
    """The text without the secret settings, in case a library has put them there."""
    mine = (name for name in os.environ if name.startswith("SOURCES__LOOP_RETURNS__") and name.endswith("_KEY"))
    keys = [os.environ[name].strip() for name in mine]
    if "dlt" in sys.modules:  # only then a file can have been read
        with suppress(Exception):  # a broken file: it is what is being reported
            from loop_returns.settings import configured_secrets

            keys += configured_secrets()
    for key in filter(None, keys):
        whole = re.escape(key) if len(key) >= _SHORTEST_KEY else rf"(?<!\w){re.escape(key)}(?!\w)"
        text = re.sub(whole, "…", text)
    return text


def _configure_libraries(output: OutputOptions) -> None:
    """Libraries log in the format that was asked for; warnings and dlt's telemetry are off."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # unless the operator asked for it
    if not output.debug or output.one_line:  # a warning is no line of JSON
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError):  # tests put other streams there
            stream.reconfigure(errors="replace")  # type: ignore[union-attr] # a letter that the terminal lacks becomes a “?”


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The first signal raises KeyboardInterrupt, so that the run ends in order; the second ends the process at once.

    Gives a list of the signals received.
    """
    before: dict[signal.Signals, Any] = {}
    received: list[int] = []

    def first(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if had_signal():  # dlt holds the first one back during a load, and passes on the second
            _exit_now(number, frame)
        for one in _SIGNALS:
            signal.signal(one, _exit_now)
        if sys.stderr.isatty():
            os.write(2, b"\nStopping in order; Ctrl-C again stops at once.\n")
        raise KeyboardInterrupt

    with suppress(ValueError):  # not the main thread, which alone may do that: whoever runs it there handles signals
        before = {number: signal.signal(number, first) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_now(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 # as signal handlers are called
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)  # the progress bar had hidden it
    os._exit(CancelledError.exit_code)
