"""The console script `loop-returns`: from arguments to an exit code. Nothing heavy is imported before a command is known."""

from __future__ import annotations

import sys

import typer

import loop_returns.cli.demo  # noqa: F401 # adds its commands to the app
from loop_returns.cli.app import app
from loop_returns.cli.runner import refused

__all__ = ["app", "main", "run"]


def main() -> None:
    """The entry point of the console script; ends the process with the exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command that the arguments name; returns the exit code."""
    try:
        code = app(arguments, prog_name="loop-returns", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # before a command had begun
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of typer's usage errors, whose class has no public name
            raise
        if not error.format_message():  # no command at all: the help has been shown
            return 2
        return refused(f"{error.format_message()} See `loop-returns --help`.", arguments=arguments)
    return int(code or 0)
