"""Responses before they are sent, and the errors that endpoints answer with."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loop_returns.sandbox.quirks import Quirks

_MINIMUM_TO_COMPRESS: Final = 1024  # bytes


@dataclass(frozen=True)
class SandboxResponse:
    """A whole response; `body` is encoded."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def with_headers(self, extra: dict[str, str], *, compress: bool) -> SandboxResponse:
        """The same response with more headers, compressed if that is wanted and the body is not tiny."""
        headers = extra | self.headers
        if not compress or len(self.body) <= _MINIMUM_TO_COMPRESS:
            return replace(self, headers=headers)
        return replace(self, body=gzip.compress(self.body, 1), headers=headers | {"Content-Encoding": "gzip"})


class InvalidParameterError(Exception):
    """The request is invalid: HTTP 422 in Laravel's shape, field -> what is wrong with it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.response = json_response({"message": "The given data was invalid.", "errors": {name: [text]}}, status=422)


def json_response(body: object, *, status: int = 200) -> SandboxResponse:
    """A body as JSON."""
    return SandboxResponse(status, msgspec.json.encode(body))


def varied(rows: Iterable[dict[str, Any]], vary: Callable[[bytes], bytes]) -> list[msgspec.Raw]:
    """Rows as they are sent: `vary` turns a stored one into that."""
    return [msgspec.Raw(vary(msgspec.json.encode(row))) for row in rows]


def html_response(status: int, title: str) -> SandboxResponse:
    """What a proxy in front of the API sends."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return SandboxResponse(status, page.encode(), content_type="text/html; charset=UTF-8")


def not_found(what: str = "resource") -> SandboxResponse:
    """A 404 in the newer shape."""
    return json_response({"code": "NOT_FOUND", "message": f"The {what} could not be found."}, status=404)


def unauthorized(shape: str) -> SandboxResponse:
    """A 401: the key is wrong or lacks the scope; the response does not tell which."""
    body: dict[str, Any] = {"errors": "Unauthorized."}
    if shape == "new":
        body = {"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "Unauthorized."}}
    return json_response(body, status=401)


def forbidden() -> SandboxResponse:
    """A 403: what some clients expect for a missing scope."""
    return json_response({"errors": [{"message": "Forbidden."}]}, status=403)


def link_host(quirks: Quirks, own: str) -> str:
    """The host that links to pages name; `own` is this server's."""
    return {"loop": "https://api.loopreturns.com", "foreign": "https://collector.example.net", "sandbox": own}[
        quirks.link_host
    ]
