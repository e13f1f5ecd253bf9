"""The console script `loop-returns`: from arguments to an exit code. Nothing heavy is imported before a command is known."""

import os
import sys

import typer

import loop_returns.cli.demo  # noqa: F401 # adds its commands to the app
from loop_returns.cli.app import app
from loop_returns.cli.runner import refused
from loop_returns.errors import CancelledError

__all__ = ["app", "main", "run"]


def main(program: str = "loop-returns") -> None:
    """Runs the command that the process was started with; ends the process with the exit code."""
    os.umask(os.umask(0o077) | 0o077)  # what it writes holds personal data: its owner reads it, or whom a chmod lets in
    sys.exit(run(sys.argv[1:], program=program))


def run(arguments: list[str], *, program: str = "loop-returns") -> int:
    """Runs the command that the arguments name; returns the exit code. `program` is how messages call the console script."""
    try:
        code = app(arguments, prog_name=program, standalone_mode=False)
    except typer.Abort:  # before a command had begun
        return CancelledError.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of typer's usage errors, whose class has no public name
            raise
        if not error.format_message():  # no command at all: the help has been shown
            return 2
        named = [one for one in arguments[:1] if not one.startswith("-")]  # all there is to go by where no value follows
        context = getattr(error, "ctx", None)
        path = context.command_path if context else " ".join((program, *named))
        said = error.format_message()
        said += "" if said.endswith((".", "?")) else "."
        return refused(f"{said} Try '{path} --help'.", command=path, arguments=arguments)
    return int(code or 0)
