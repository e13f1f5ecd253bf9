"""The console script `loop-returns`, and `python -m loop_returns`: looks after signals before anything is imported."""

import signal
import sys

_INTERRUPTED = 130  # as `errors.CancelledError.exit_code`, which takes an import


def main(program: str = "loop-returns") -> None:
    """The entry point; ends the process with the exit code. Messages call the console script `program`."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, until `run_guarded` handles both
        from loop_returns.cli import main as begin

        begin(program)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":  # helper processes import this file under another name
    main("python -m loop_returns")
