"""Page cursors in Laravel's form: base64url of JSON naming the column and value of the page's position."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from loop_returns.sandbox.times import bare, parse

_SECRET = b"sandbox"


@dataclass(frozen=True)
class CursorPosition:
    """The row at which a page ended; `number` only where the cursor has a tiebreaker."""

    second: int
    number: int | None
    forward: bool = True


def encode(column: str, position: CursorPosition, *, opaque: bool) -> str:
    """Encode an edge as the API does: `{"created_at":"2022-06-27 16:25:01","_pointsToNextItems":true}`."""
    parts: dict[str, object] = {column: bare(position.second)}
    if position.number is not None:
        parts["id"] = position.number
    parts["_pointsToNextItems"] = position.forward
    plain = json.dumps(parts, separators=(",", ":")).encode()
    if opaque:
        nonce = hashlib.sha256(plain).digest()[:16]
        sealed = {
            "iv": _b64(nonce),
            "value": _b64(_mask(plain, nonce)),
            "mac": hashlib.sha256(nonce + plain).hexdigest(),
        }
        plain = json.dumps(sealed, separators=(",", ":")).encode()
    return _b64(plain)


def decode(text: str) -> CursorPosition | None:
    """Decode a cursor of either form; None when it is none, which Laravel takes for the first page."""
    try:
        parts = json.loads(_unb64(text))
        if "iv" in parts:
            parts = json.loads(_mask(_unb64(parts["value"]), _unb64(parts["iv"])))
        forward = bool(parts.pop("_pointsToNextItems", True))
        number = parts.pop("id", None)
        (moment,) = parts.values()
        return CursorPosition(int(parse(moment)), number, forward)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _mask(data: bytes, nonce: bytes) -> bytes:
    """Not encryption: it only has to look like it, to a client that tries to read the cursor."""
    stream = b"".join(hashlib.sha256(_SECRET + nonce + bytes([block])).digest() for block in range(len(data) // 32 + 1))
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))
