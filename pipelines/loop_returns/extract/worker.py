"""The process that shapes pages: `pool` starts it, sends it bodies, and is told where their tables are.

It ends when its input does, so it never outlives its parent.
"""

from __future__ import annotations

import gc
import pickle
import sys
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa

from loop_returns.api.response import RawResponse

if TYPE_CHECKING:
    from loop_returns.extract.page import PageWriter

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
    writer: PageWriter = receive(inward)
    send(outward, "ready")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # a page is many objects and no cycles
    while True:
        try:
            path, content, number = receive(inward)
        except GONE:  # the parent has ended
            return
        try:
            page = writer.write(RawResponse(path, 200, content), number=number)
        except Exception:  # noqa: BLE001 - the parent tries the same, and says what is wrong
            page = None
        send(outward, page)
        del page  # or they would stay until the next one is there


if __name__ == "__main__":
    main()
