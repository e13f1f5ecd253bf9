"""The network below the client: the key, proxies, certificates, the time a request may take, and what failures mean."""

import math
import ssl
import threading
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, Final

import httpcore  # what httpx is made of
import httpx

from loop_returns.api.facts import AUTH_HEADER
from loop_returns.api.retry import RetryableError
from loop_returns.errors import ConfigurationError, UnreachableError

_LONGEST_DETAIL: Final = 200  # characters of an error's own message
_REASONS: Final = (  # the first that fits
    ((httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError), "no connection"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.RemoteProtocolError, "the answer was cut off"),
    (httpx.TransportError, "the connection broke"),
)


class ApiKey(httpx.Auth):
    """Adds the key to requests that are sent; no representation shows it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<API key>"

    def hide(self, text: str) -> str:
        """The text without the key in it."""
        return text.replace(self._text, "…") if self._text else text

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sets the header of a request that is about to be sent."""
        request.headers[AUTH_HEADER] = self._text
        yield request


class TimedBackend(threading.local, httpcore.NetworkBackend):
    """The network with a deadline for each thread: a server that sends a byte now and then keeps nobody for ever.

    httpx itself only limits how long one byte may take. Attributes: `deadline`, by the clock it was given.
    """

    deadline: float = math.inf

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._network = httpcore.SyncBackend()

    def serve(self, client: httpx.Client) -> None:
        """Has a client, also on its way through proxies, use this network; httpx has no argument for it."""
        for transport in (client._transport, *client._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = self

    def left(self, timeout: float | None) -> float | None:
        """The timeout, or what is left until the deadline if that is less."""
        seconds = self.deadline - self._clock()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the answer came too slowly")
        return seconds if timeout is None else min(timeout, seconds)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **more: Any) -> "_TimedStream":
        """A connection whose every step keeps to the deadline."""
        return _TimedStream(self._network.connect_tcp(host, port, self.left(timeout), *args, **more), self)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, backend: TimedBackend) -> None:
        self._stream = stream
        self._backend = backend
        self.close = stream.close  # type: ignore[method-assign] # these two take no time
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        safe = self._stream.start_tls(ssl_context, server_hostname, self._backend.left(timeout))
        return _TimedStream(safe, self._backend)


@cache
def certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes longer than a short request."""
    return httpx.create_ssl_context()


def http_client(**arguments: Any) -> httpx.Client:
    """A client with these arguments. Raises ConfigurationError where the environment names useless proxies or certificates.

    What the library says of them is left out: it may hold a proxy's password.
    """
    try:
        return httpx.Client(verify=certificates(), **arguments)
    except OSError:
        what = "The certificates that SSL_CERT_FILE names in the environment cannot be read"
    except ImportError:
        what = "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY names a SOCKS proxy, for which the package `socksio` is not installed"
    except (ValueError, httpx.InvalidURL):
        what = "One of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY in the environment is no address"
    raise ConfigurationError(f"{what}. Correct it, or unset it, and run the same command again.")


def network_error(path: str, error: httpx.TransportError, *, hide: Callable[[str], str]) -> RetryableError:
    """What a failure of the network means; `hide` takes secrets out of its own words."""
    words, kind = hide(str(error)[:_LONGEST_DETAIL]), type(error).__name__
    detail = f"{kind}: {words}" if words else kind
    what, attempts = f"The network failed while asking for {path} ({detail}).", None
    hint = "Check the connection and base_url, then run the same command again: nothing is skipped."
    if "CERTIFICATE" in detail.upper():
        what, attempts = f"No safe connection for {path} ({detail}).", 2
        hint = (
            "The server's certificate is not trusted here: check base_url, this machine's clock, or the "
            "certificate of the proxy (SSL_CERT_FILE)."
        )
    reason = next(reason for kinds, reason in _REASONS if isinstance(error, kinds))
    return RetryableError(UnreachableError, what, reason, hint=hint, attempts=attempts)
