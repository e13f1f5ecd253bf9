"""What the server says, before it is put on the wire, and how it refuses."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

_WORTH_IT: Final = 1024  # bytes


@dataclass(frozen=True)
class Answer:
    """A whole answer; `body` is encoded."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def packed(self, extra: dict[str, str], *, gzip_it: bool) -> Answer:
        """The same answer with more headers, compressed if that is wanted and worth it."""
        headers = extra | self.headers
        if not gzip_it or len(self.body) <= _WORTH_IT:
            return replace(self, headers=headers)
        return replace(self, body=gzip.compress(self.body, 1), headers=headers | {"Content-Encoding": "gzip"})


class RefusedError(Exception):
    """The request is invalid: HTTP 422 in Laravel's shape, field -> what is wrong with it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.answer = json_answer({"message": "The given data was invalid.", "errors": {name: [text]}}, status=422)


def json_answer(body: object, *, status: int = 200) -> Answer:
    """A body as JSON."""
    return Answer(status, msgspec.json.encode(body))


def html_answer(status: int, title: str) -> Answer:
    """What a proxy in front of the API says."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, page.encode(), content_type="text/html; charset=UTF-8")


def not_found(what: str = "resource") -> Answer:
    """A 404 in the newer shape."""
    return json_answer({"code": "NOT_FOUND", "message": f"The {what} could not be found."}, status=404)


def unauthorized(shape: str) -> Answer:
    """A 401: the key is wrong or lacks the scope; the answer does not tell which."""
    body: dict[str, Any] = {"errors": "Unauthorized."}
    if shape == "new":
        body = {"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "Unauthorized."}}
    return json_answer(body, status=401)
