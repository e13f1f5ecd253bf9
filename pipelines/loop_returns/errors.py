"""What can go wrong, named by what the operator must do.

Every message is one paragraph for the operator, with the next step, and never holds the API key.
"""

from datetime import datetime
from typing import Any, ClassVar


class LoopReturnsError(Exception):
    """The root of all errors raised on purpose; `str(error)` is the message for the operator."""

    exit_code: ClassVar[int] = 1

    @property
    def message(self) -> str:
        """The paragraph for the operator."""
        return str(self)


class ConfigurationError(LoopReturnsError):
    """The operator must change something; repeating the run changes nothing."""

    exit_code: ClassVar[int] = 2


class AccessDeniedError(ConfigurationError):
    """HTTP 401 or 403: Loop answers a wrong key and a missing scope alike.

    Source: docs.loopreturns.com/api-reference/authentication, measured by client w6w.
    """


class ExtraMissingError(ConfigurationError):
    """An optional package that the command needs is not installed."""


class RequestRejectedError(ConfigurationError):
    """HTTP 400, 404, 409 or 422: Loop understood the request and won't serve it."""


class RangeRejectedError(RequestRejectedError):
    """HTTP 422 about `from`, `to` or the distance between them: a narrower window may be served."""


class PageSizeRejectedError(RequestRejectedError):
    """HTTP 422 about `pageSize`: smaller pages may be served."""


class UnreadableError(ConfigurationError):
    """Loop fails at this for a reason that lies in the shop's own data, and does so each time."""


class TransientError(LoopReturnsError):
    """Nothing to change: the next run repairs it."""


class UnreachableError(TransientError):
    """The network failed, also after retries: no connection, a timeout, a connection cut while reading."""


class ServerError(TransientError):
    """HTTP 5xx that outlasted the retries."""


class RateLimitedError(TransientError):
    """HTTP 429 that outlasted the retries."""


class InvalidResponseError(TransientError):
    """HTTP 200 without the data: not JSON, a web page, cut off, or an error object."""


class NotFoundError(LoopReturnsError):
    """Loop has no such return, or nothing of that kind for it."""


class CancelledError(LoopReturnsError):
    """A wait or request was given up because the run is ending; the error that ends it is another one.

    Where nothing else ends it, a signal did: its exit code is that of every run that was interrupted.
    """

    exit_code: ClassVar[int] = 130


class LockedError(LoopReturnsError):
    """Another run holds the lock; the attributes tell which, as far as is known."""

    exit_code: ClassVar[int] = 75

    pid: int | None = None
    host: str | None = None
    command: str | None = None
    started: datetime | None = None

    def __init__(self, message: str, **known: Any) -> None:
        super().__init__(message)
        vars(self).update(known)


class WarehouseError(LoopReturnsError):
    """The warehouse could not be opened, read or loaded."""


class DatabaseInUseError(WarehouseError):
    """Another program has the DuckDB file open, so nothing can be loaded."""
