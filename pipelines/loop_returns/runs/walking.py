"""Walks windows of the returns list and loads what they hold, chunk by chunk, while the next pages are being read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.api.crew import Found, Pause, WindowDone
from loop_returns.runs.loading import Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loop_returns.api.walk import Column
    from loop_returns.api.windows import Window
    from loop_returns.runs.loading import Memory
    from loop_returns.runs.session import Session
    from loop_returns.tables.shape import Shaped


def walk_returns(
    session: Session,
    windows: Sequence[Window],
    *,
    column: Column,
    done: Callable[[Memory, Sequence[int]], None],
    each: Callable[[Shaped], None] | None = None,
    loader: Loader | None = None,
) -> None:
    """Reads all states of all windows by `column` and loads them.

    `done` is called with the shop's memory and the positions of windows that are read whole and loaded with this package; it
    goes with the ledger for what no package took. `each` sees every page.
    """
    run, progress = session.run, session.progress
    progress.windows(len(windows))
    loader = loader or Loader(session)
    whole: list[int] = []
    with loader:
        for event in session.source.returns(windows, column=column):
            if isinstance(event, Found):
                if each is not None:
                    each(event.item)
                loader.add(event.item)
                progress.rows(event.item.tables["returns"].num_rows)
                progress.budget(session.source.pace.left())
            elif isinstance(event, WindowDone):
                whole.append(event.root)
                run.windows += 1
                window = windows[event.root]
                progress.window_done(f"{window.start:%Y-%m-%d %H:%M} – {window.end:%Y-%m-%d %H:%M}")
            if isinstance(event, Pause):
                loader.get_ready()
            if loader.full(idle=isinstance(event, Pause)) and loader.flush(_bound(done, whole)):
                whole = []
        if not loader.flush(_bound(done, whole)) and whole:
            session.then_remember(_bound(done, whole))


def _bound(done: Callable[[Memory, Sequence[int]], None], whole: Sequence[int]) -> Callable[[Memory], None]:
    positions = tuple(whole)

    def remember(memory: Memory) -> None:
        done(memory, positions)

    return remember
