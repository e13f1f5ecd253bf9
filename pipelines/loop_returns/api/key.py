"""The API key on its way into a request, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from loop_returns.settings import AUTH_HEADER

if TYPE_CHECKING:
    from collections.abc import Generator


class Key(httpx.Auth):
    """Adds the key to a request at the last moment, and shows it to nobody."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<API key>"

    def hide(self, text: str) -> str:
        """The text without the key in it."""
        return text.replace(self._text, "…")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sets the header of a request that is about to leave."""
        request.headers[AUTH_HEADER] = self._text
        yield request
