"""Files that everybody on this machine can read and that hold what is not for everybody, and how to close them."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from loop_returns.warehouse.dlt_internals import secrets_files


def open_secrets() -> Iterator[str]:
    """A warning for each file of secrets, wherever dlt has read one, that another user can read."""
    for file in secrets_files():
        if _mode(file) & 0o077:
            yield f"Other users of this machine can read the secrets in {file}. Close it: chmod go= {shlex.quote(str(file))}"


def open_warehouse(file: Path) -> Iterator[str]:
    """A warning for a warehouse that everybody can read, as earlier versions made it; a group may be meant to read it."""
    if _mode(file) & 0o007:
        yield (
            f"Every user of this machine can read {file}, which holds what the shop knows of its shoppers. "
            f"Close it: chmod o= {shlex.quote(str(file))}"
        )


def _mode(file: Path) -> int:
    """0 where there is no such file, and where modes mean nothing."""
    return file.stat().st_mode if os.name == "posix" and file.is_file() else 0
