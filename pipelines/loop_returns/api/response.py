"""Checks a response: returns the data in it, or says what is wrong and whether another attempt may help. No network here.

The status alone proves nothing: Loop answers several failures with HTTP 200 and an error object (client w6w,
partly documented), and a firewall or proxy in between may answer with a web page.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from loop_returns.api.decode import decode_json
from loop_returns.api.facts import ATTEMPTS_AT_AN_ERROR_BODY, DETAILS_PATH, KEYS_ARE_MADE_IN, SCOPE
from loop_returns.api.pages import rows_in
from loop_returns.api.retry import RetryableError
from loop_returns.errors import (
    AccessDeniedError,
    ConfigurationError,
    InvalidResponseError,
    NotFoundError,
    PageSizeRejectedError,
    RangeRejectedError,
    RateLimitedError,
    RequestRejectedError,
    ServerError,
)

Expect = Literal["list", "object", "any"]

_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_ERROR_FIELDS: Final = frozenset({"message", "content", "code", "status", "success", "error", "errors"})
_LONGEST_QUOTE: Final = 300  # characters
_RANGE: Final = re.compile(r"\brange\b|\bdays\b|\b(from|to|date)\b", re.IGNORECASE)
_PAGE_SIZE: Final = re.compile(r"page.?size|per.?page", re.IGNORECASE)
_NOT_FOUND: Final = re.compile(r"\bno\b.*\bfound\b|\bnot.found\b", re.IGNORECASE)


@dataclass(frozen=True)
class RawResponse:
    """What the server sent, read to its end."""

    path: str  # of the endpoint, below the base URL
    status: int
    content: bytes | Path  # decompressed; a path where it waits on disk
    location: str = ""  # where a redirect points to
    wait: float | None = None  # the seconds of a Retry-After
    hide: Callable[[str], str] = str  # takes the key out of what the server says; no traceback shows what a function knows

    @property
    def body(self) -> bytes:
        """What it holds, read from disk where it waits there. Raises OSError."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    @property
    def length(self) -> int:
        """The bytes of the body."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)


def parse_response(response: RawResponse, *, expect: Expect) -> Any:
    """The decoded body, if it is what was expected: a `list` of rows, bare or in an envelope; an `object`; or `any` data.

    Raises RetryableError if another attempt may bring the data, LoopReturnsError if none can.
    """
    content = response.body
    try:
        body, is_json = decode_json(content), True
    except ValueError:
        body, is_json = None, False
    message, fields = _error_message(body, response.hide)
    if not HTTPStatus(200) <= response.status < HTTPStatus(300):
        _raise_for_status(response, message=message, fields=fields, is_json=is_json)
    problem = ""
    if not is_json:
        problem = f"but not with complete JSON ({_defect(content)})"
    elif _is_error(body):
        if response.path == DETAILS_PATH and _NOT_FOUND.search(message):
            raise NotFoundError(f"Loop has no such return: {_quote(message)}. Check the number that was asked for.")
        problem = f"but instead of data the body is an error: {_quote(message)}"
    elif expect == "list" and rows_in(body) is None:
        problem = "but the body holds no list of rows"
    elif expect == "object" and not (isinstance(body, dict) and body):
        problem = "but the body holds no object"
    if problem:
        start = f"Loop answered {response.path} with HTTP {response.status}"
        attempts = ATTEMPTS_AT_AN_ERROR_BODY if is_json else None
        raise RetryableError(InvalidResponseError, f"{start}, {problem}.", "an answer without the data", attempts=attempts)
    return body


def _error_message(body: Any, hide: Callable[[str], str]) -> tuple[str, dict[str, list[str]]]:
    """What the server says in an error body, and what it says of single fields, in any of the shapes it has.

    Known shapes: `{"error": {"message"}}`, `{"errors": "…"}`, `{"errors": [{"message"}]}`, `{"errors":
    {"message", "code"}}`, `{"message", "errors": {field: […]}}`, `{"code", "message"}`, `{"content"}`
    (documentation, clients w6w and mindcloud).
    """
    if not isinstance(body, dict):
        return "", {}
    inner = body.get("error") or body.get("errors")
    fields: dict[str, list[str]] = {}
    texts: list[object] = [body.get("message"), body.get("content")]
    if isinstance(inner, dict):
        texts += [inner.get("message"), inner.get("code")]
        fields = {
            str(name): [_clean(text, hide) for text in (value if isinstance(value, list) else [value])]
            for name, value in inner.items()
            if name not in {"message", "code", "http_code"}
        }
    elif isinstance(inner, list):
        texts += [each.get("message") if isinstance(each, dict) else each for each in inner]
    else:
        texts.append(inner)
    texts += [text for values in fields.values() for text in values] + [body.get("code")]
    message = next((text for text in texts if isinstance(text, str) and text), "")
    return _clean(message, hide), fields


def _raise_for_status(response: RawResponse, *, message: str, fields: dict[str, list[str]], is_json: bool) -> NoReturn:
    status, path = response.status, response.path
    what = f"Loop answered {path} with HTTP {status}" + (f": {_quote(message)}." if message else ".")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        hint = (
            "Other tools share this key's 300 requests a minute: pause them, or lower requests_per_minute. Then run again; "
            "nothing is skipped."
        )
        raise RetryableError(RateLimitedError, what, f"HTTP {status}", wait=response.wait, hint=hint)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        raise RetryableError(ServerError, what, f"HTTP {status}", wait=response.wait)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        page = "" if is_json else " The answer is a web page, so a firewall or proxy may have refused instead of Loop."
        raise AccessDeniedError(
            f"{what} Either the API key is wrong, or it lacks the scope “{SCOPE}”; Loop answers both alike. Look at the "
            f"key in {KEYS_ARE_MADE_IN}, give it that scope or make a new one, and set it as "
            f"SOURCES__LOOP_RETURNS__API_KEY.{page}"
        )
    if HTTPStatus(300) <= status < HTTPStatus(400):
        raise ConfigurationError(
            f"{path} was redirected to {response.location[:_LONGEST_QUOTE] or 'nowhere'}. Redirects are not "
            "followed, so that the key goes nowhere else: set base_url to the API's own address, and check "
            "whether a proxy asks for a login."
        )
    if status == HTTPStatus.NOT_FOUND and path == DETAILS_PATH:
        raise NotFoundError(f"{what} Loop has nothing there: check the number that was asked for.")
    raise _request_refused(what, status=status, message=message, fields=fields)


def _request_refused(what: str, *, status: int, message: str, fields: dict[str, list[str]]) -> RequestRejectedError:
    kind, step = RequestRejectedError, "Check the options and settings that this request was made from."
    if status == HTTPStatus.NOT_FOUND:
        step = "Check base_url and the version at its end: there is no such endpoint."
    elif status == HTTPStatus.UNPROCESSABLE_ENTITY:
        named = " ".join(fields) or message
        if _PAGE_SIZE.search(named):
            kind, step = PageSizeRejectedError, "Set page_size lower."
        elif (fields.keys() & {"from", "to"}) or (not fields and _RANGE.search(message)):
            kind, step = RangeRejectedError, "Set window_days lower and check start_date, --from and --to."
    details = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())[:_LONGEST_QUOTE]
    return kind(f"{what}{f' ({details})' if details else ''} {step}")


def _is_error(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    return bool(body.get("error") or body.get("errors") or (body and body.keys() <= _ERROR_FIELDS))


def _defect(body: bytes) -> str:
    if not body.strip():
        return "it is empty"
    if body.lstrip().startswith(b"<"):
        return "it is a web page"
    return f"it is cut off or garbled after {len(body)} bytes"


def _quote(message: str) -> str:
    return f"“{message.rstrip('.')}”" if message else "nothing more"


def _clean(value: object, hide: Callable[[str], str]) -> str:
    text = hide(value if isinstance(value, str) else "" if value is None else str(value))
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST_QUOTE]).split())
