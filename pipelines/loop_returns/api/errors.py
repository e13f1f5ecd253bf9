"""What can go wrong, named by what the operator must do.

    LoopReturnsError                     exit code 1
    ├── ChangeSettings                   2   something must be changed: a key, an option, a date
    │   ├── BadKeyOrScope                    HTTP 401 or 403
    │   ├── DestinationWithoutAddress        a permanent HTTP 500 that only the shop can end
    │   └── RequestRefused                   HTTP 400, 404, 422 …
    │       ├── RangeRefused                 … about `from` and `to`
    │       └── PageSizeRefused              … about `pageSize`
    ├── TryAgainLater                    1   the next run repairs it
    │   ├── Unreachable                      the network
    │   ├── ServerTrouble                    HTTP 5xx
    │   ├── TooManyRequests                  HTTP 429
    │   └── BadAnswer                        HTTP 200, but not the data that was asked for
    ├── NotFound                         1   Loop has no such thing
    ├── Stopped                          1   given up because the run is ending
    ├── Busy                             75  another run holds the lock
    └── WarehouseTrouble                 1   the warehouse refused
        ├── WarehouseHeld                    another program has the DuckDB file open

Every message is one paragraph for the operator, with the next step, and never holds the API key.
"""

# ruff: noqa: N818 # the names say what the operator must do; "Error" at their ends would add nothing

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class LoopReturnsError(Exception):
    """The root of all errors raised on purpose; `str(error)` is the message for the operator."""

    exit_code: ClassVar[int] = 1

    @property
    def message(self) -> str:
        """The paragraph for the operator."""
        return str(self)


class ChangeSettings(LoopReturnsError):
    """The operator must change something; repeating the run changes nothing."""

    exit_code: ClassVar[int] = 2


class BadKeyOrScope(ChangeSettings):
    """HTTP 401 or 403: Loop answers a wrong key and a missing scope alike.

    Source: docs.loopreturns.com/api-reference/authentication, measured by client w6w.
    """

    def __init__(self, message: str, *, scope: str | None = None) -> None:
        super().__init__(message)
        self.scope = scope


class DestinationWithoutAddress(ChangeSettings):
    """The permanent HTTP 500 of `/destinations` (openapi/destinations-api.yaml)."""


class RequestRefused(ChangeSettings):
    """HTTP 400, 404, 409 or 422: Loop understood the request and won't serve it.

    Attributes:
        status: the HTTP status.
        fields: for each refused parameter what Loop says about it.
    """

    def __init__(self, message: str, *, status: int, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.fields: dict[str, list[str]] = dict(fields or {})


class RangeRefused(RequestRefused):
    """HTTP 422 about `from`, `to` or the distance between them: a narrower window may be served."""


class PageSizeRefused(RequestRefused):
    """HTTP 422 about `pageSize`: smaller pages may be served."""


class TryAgainLater(LoopReturnsError):
    """Nothing to change: the next run repairs it."""


class Unreachable(TryAgainLater):
    """The network failed, also after retries: no connection, a timeout, a connection cut while reading."""


class ServerTrouble(TryAgainLater):
    """HTTP 5xx that outlasted the retries."""


class TooManyRequests(TryAgainLater):
    """HTTP 429 that outlasted the retries."""


class BadAnswer(TryAgainLater):
    """HTTP 200 without the data: not JSON, a web page, cut off, or an error object."""


class NotFound(LoopReturnsError):
    """Loop has no such return, or nothing of that kind for it."""


class Stopped(LoopReturnsError):
    """A wait or request was given up because the run is ending; the error that ends it is another one."""


class Busy(LoopReturnsError):
    """Another run holds the lock; the attributes tell which, as far as is known."""

    exit_code: ClassVar[int] = 75

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        host: str | None = None,
        command: str | None = None,
        started: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.host = host
        self.command = command
        self.started = started


class WarehouseTrouble(LoopReturnsError):
    """The warehouse could not be opened, read or loaded."""


class WarehouseHeld(WarehouseTrouble):
    """Another program has the DuckDB file open, so nothing can be loaded."""
