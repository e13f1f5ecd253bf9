"""Gives each page to the least busy helper, and starts another one when they fall behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from loop_returns.helper import Helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loop_returns.extract.page import ShapedPage
    from loop_returns.tables.shape import Shaper

MOST: Final = 2  # two shape faster than one process can load
BEHIND: Final = 2  # pages that wait for the least busy one; at the API's own pace there is hardly more than one


class Helpers:
    """The helpers of one run; thread-safe. `numbers` are the first copy numbers of pages."""

    def __init__(self, shaper: Shaper, numbers: Iterator[int]) -> None:
        self._shaper = shaper
        self._numbers = numbers
        self._all = [Helper(shaper, numbers)]
        self._room = MOST - 1  # for others
        self._changing = threading.Lock()

    def shape(self, body: bytes) -> ShapedPage | None:
        """The page in a body that came with HTTP 200; None where the caller has to shape or to refuse it."""
        ready = [helper for helper in self._all if helper.is_ready]
        if not ready:
            return self._all[0].shape(body)
        least = min(ready, key=lambda helper: helper.waiting)
        if least.waiting >= BEHIND:
            self._start_another()
        return least.shape(body)

    def close(self) -> None:
        """Ends the helpers, whatever they are doing."""
        with self._changing:
            self._room = 0
            for helper in self._all:
                helper.close()

    def _start_another(self) -> None:
        with self._changing:
            if self._room > 0:
                self._room -= 1
                another = Helper(self._shaper, self._numbers)
                self._all.append(another)
                another.start()
