"""The process that shapes pages: `pool` starts it, sends it bodies, and gets tables back.

It ends when its input does, so it never outlives its parent.
"""

from __future__ import annotations

import gc
import pickle
import sys
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa

from loop_returns.api.response import RawResponse
from loop_returns.extract.page import shape_response

if TYPE_CHECKING:
    from loop_returns.tables.shape import Shaper

_PROTOCOL: Final = 5
GONE: Final = (OSError, EOFError, ValueError, pickle.UnpicklingError)  # raised once the other side of a pipe has ended


def send(pipe: IO[bytes], message: object) -> None:
    """Writes one object."""
    pickle.dump(message, pipe, protocol=_PROTOCOL)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Reads one object. Raises one of `GONE` when the other side has ended."""
    return pickle.load(pipe)  # noqa: S301 - what this program wrote itself


def main() -> None:
    """Returns a page for each body, or None where a body holds none."""
    pa.set_memory_pool(pa.system_memory_pool())  # its own pool keeps freed memory
    inward, outward = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not get between the pages
    shaper: Shaper = receive(inward)
    send(outward, "ready")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # a page is many objects and no cycles
    while True:
        try:
            path, body, first_copy = receive(inward)
        except GONE:  # the parent has ended
            return
        try:
            page = shape_response(RawResponse(path, 200, body), shaper, first_copy=first_copy)
        except Exception:  # noqa: BLE001 - the parent tries the same, and says what is wrong
            page = None
        send(outward, page)


if __name__ == "__main__":
    main()
