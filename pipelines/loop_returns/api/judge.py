"""Judges an answer: the data in it, or what is wrong and whether to ask again. Pure; no network here.

The status alone proves nothing: Loop answers several failures with HTTP 200 and an error object (client w6w,
partly documented), and what stands between may answer with a web page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from loop_returns.api.decode import decode_json
from loop_returns.api.errors import (
    BadAnswer,
    BadKeyOrScope,
    ChangeSettings,
    DestinationWithoutAddress,
    NotFound,
    PageSizeRefused,
    RangeRefused,
    RequestRefused,
    ServerTrouble,
    TooManyRequests,
)
from loop_returns.api.page import rows_in
from loop_returns.api.retry import Again
from loop_returns.settings import (
    ATTEMPTS_AT_AN_ERROR_BODY,
    DESTINATIONS_PATH,
    DETAILS_PATH,
    KEYS_ARE_MADE_IN,
    SCOPES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Expect = Literal["list", "object", "any"]

_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_TALK: Final = frozenset({"message", "content", "code", "status", "success", "error", "errors"})
_LONGEST_QUOTE: Final = 300  # characters
_RANGE: Final = re.compile(r"\brange\b|\bdays\b|\b(from|to|date)\b", re.IGNORECASE)
_PAGE_SIZE: Final = re.compile(r"page.?size|per.?page", re.IGNORECASE)
_NOTHING: Final = re.compile(r"\bno\b.*\bfound\b|\bnot.found\b", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """What came back over the wire, read to its end.

    Attributes:
        path: the endpoint that was asked, below the base URL.
        status: the HTTP status.
        body: the bytes, decompressed.
        location: where a redirect points to.
        wait: the seconds of a Retry-After.
    """

    path: str
    status: int
    body: bytes
    location: str = ""
    wait: float | None = None


def judge(reply: Reply, *, expect: Expect, hide: Callable[[str], str] = str) -> Any:
    """The decoded body, if it is the data that was expected.

    Args:
        reply: the answer.
        expect: `list` for rows, bare or in an envelope; `object` for one thing; `any` for all but errors.
        hide: takes the key out of what the server says; a function, so that no traceback shows the key.

    Raises:
        Again: if another attempt may bring the data.
        LoopReturnsError: if none can.
    """
    try:
        body = decode_json(reply.body)
    except ValueError:
        body = None
        readable = False
    else:
        readable = True
    said, fields = explain(body, hide=hide)
    if not HTTPStatus(200) <= reply.status < HTTPStatus(300):
        _refused(reply, body, said=said, fields=fields, readable=readable)
    where = f"Loop answered {reply.path} with HTTP {reply.status}"
    if not readable:
        raise Again(BadAnswer, f"{where}, but not with complete JSON ({_look(reply.body)}).")
    if _is_error(body):
        if reply.path == DETAILS_PATH and _NOTHING.search(said):
            raise NotFound(f"Loop has no such return: {_quote(said)}. Check the number that was asked for.")
        raise Again(
            BadAnswer,
            f"{where}, but instead of data the body is an error: {_quote(said)}.",
            attempts=ATTEMPTS_AT_AN_ERROR_BODY,
        )
    if (expect == "list" and rows_in(body) is None) or (expect == "object" and not _is_object(body)):
        what = "no list of rows" if expect == "list" else "no object"
        raise Again(BadAnswer, f"{where}, but the body holds {what}.", attempts=ATTEMPTS_AT_AN_ERROR_BODY)
    return body


def explain(body: Any, *, hide: Callable[[str], str] = str) -> tuple[str, dict[str, list[str]]]:
    """What the server says in an error body, and what it says of single fields, in any of the shapes it has.

    Known shapes: `{"error": {"message"}}`, `{"errors": "…"}`, `{"errors": [{"message"}]}`, `{"errors":
    {"message", "code"}}`, `{"message", "errors": {field: […]}}`, `{"code", "message"}`, `{"content"}`
    (documentation, clients w6w and mindcloud).
    """
    if not isinstance(body, dict):
        return "", {}
    inner = body.get("error") or body.get("errors")
    fields: dict[str, list[str]] = {}
    words: list[object] = [body.get("message"), body.get("content")]
    if isinstance(inner, dict):
        words += [inner.get("message"), inner.get("code")]
        fields = {
            str(name): [_clean(text, hide) for text in (told if isinstance(told, list) else [told])]
            for name, told in inner.items()
            if name not in {"message", "code", "http_code"}
        }
    elif isinstance(inner, list):
        words += [each.get("message") if isinstance(each, dict) else each for each in inner]
    else:
        words.append(inner)
    words += [text for told in fields.values() for text in told] + [body.get("code")]
    said = next((word for word in words if isinstance(word, str) and word), "")
    return _clean(said, hide), fields


def _refused(reply: Reply, body: Any, *, said: str, fields: dict[str, list[str]], readable: bool) -> NoReturn:
    status, path = reply.status, reply.path
    where = f"Loop answered {path} with HTTP {status}" + (f": {_quote(said)}." if said else ".")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        hint = "Other tools share this key's 300 requests a minute: pause them, or lower requests_per_minute."
        raise Again(TooManyRequests, where, wait=reply.wait, hint=f"{hint} Then run again; nothing is skipped.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        if path.startswith(DESTINATIONS_PATH) and "address" in said.lower():
            raise DestinationWithoutAddress(
                f"{where} Loop can't list destinations while one of them has no address, and repeating "
                "does not help: give each destination an address in Loop Admin, then run again."
            )
        raise Again(ServerTrouble, where, wait=reply.wait)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise _bad_key(where, path=path, readable=readable)
    if HTTPStatus(300) <= status < HTTPStatus(400):
        raise ChangeSettings(
            f"{path} was redirected to {reply.location[:_LONGEST_QUOTE] or 'nowhere'}. Redirects are not "
            "followed, so that the key goes nowhere else: set base_url to the API's own address, and check "
            "whether a proxy asks for a login."
        )
    by_id = path == DETAILS_PATH or re.search(r"/\d", path)
    if (status == HTTPStatus.NOT_FOUND and by_id) or (status == HTTPStatus.UNPROCESSABLE_ENTITY and body is False):
        raise NotFound(f"{where} Loop has nothing there: check the number that was asked for.")
    raise _request_refused(where, status=status, said=said, fields=fields)


def _bad_key(where: str, *, path: str, readable: bool) -> BadKeyOrScope:
    scope = next((scope for start, scope in SCOPES if path.startswith(start)), None)
    named = f"the scope “{scope}”" if scope else "the scope of this endpoint"
    page = "" if readable else " The answer is a web page, so a firewall or proxy may have refused instead of Loop."
    return BadKeyOrScope(
        f"{where} Either the API key is wrong, or it lacks {named}; Loop answers both alike. Look at the "
        f"key in {KEYS_ARE_MADE_IN}, give it that scope or make a new one, and set it as "
        f"SOURCES__LOOP_RETURNS__API_KEY.{page}",
        scope=scope,
    )


def _request_refused(where: str, *, status: int, said: str, fields: dict[str, list[str]]) -> RequestRefused:
    kind, step = RequestRefused, "Check the options and settings that this request was made from."
    if status == HTTPStatus.NOT_FOUND:
        step = "Check base_url and the version at its end: there is no such endpoint."
    elif status == HTTPStatus.UNPROCESSABLE_ENTITY:
        named = " ".join(fields) or said
        if _PAGE_SIZE.search(named):
            kind, step = PageSizeRefused, "Set page_size lower."
        elif (fields.keys() & {"from", "to"}) or (not fields and _RANGE.search(said)):
            kind, step = RangeRefused, "Set window_days lower and check start_date, --from and --to."
    told = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())[:_LONGEST_QUOTE]
    return kind(f"{where}{f' ({told})' if told else ''} {step}", status=status, fields=fields)


def _is_error(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    return bool(body.get("error") or body.get("errors")) or (bool(body) and body.keys() <= _TALK)


def _is_object(body: Any) -> bool:
    return isinstance(body, dict) and bool(body)


def _look(body: bytes) -> str:
    if not body.strip():
        return "it is empty"
    if body.lstrip().startswith(b"<"):
        return "it is a web page"
    return f"it is cut off or garbled after {len(body)} bytes"


def _quote(said: str) -> str:
    return f"“{said.rstrip('.')}”" if said else "nothing more"


def _clean(value: object, hide: Callable[[str], str]) -> str:
    text = hide(value if isinstance(value, str) else "" if value is None else str(value))
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST_QUOTE]).split())
