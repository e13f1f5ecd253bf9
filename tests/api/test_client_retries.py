"""What may heal by itself is asked for again, and what does not heal is named."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from loop_returns.api.facts import ATTEMPTS, ATTEMPTS_AT_AN_ERROR_BODY, RETURNS_PATH
from loop_returns.errors import InvalidResponseError, RateLimitedError, ServerError, TransientError, UnreachableError
from tests.support.loopback import Loopback, Scripted, client_of

PAGE = {"returns": [{"id": str(n), "total": "12.50"} for n in range(50)], "nextPageUrl": None}
HTML = b"<!doctype html><html><body>Bad gateway</body></html>"
DAMAGED = gzip.compress(b'{"returns": []}')[:-6] + b"123456"

FAULTS = {
    "too many requests": (Scripted({"message": "Too Many Attempts."}, 429), RateLimitedError),
    "server error": (Scripted({"message": "Server Error"}, 500), ServerError),
    "bad gateway": (Scripted(HTML, 502), ServerError),
    "unavailable": (Scripted(b"", 503), ServerError),
    "edge timeout": (Scripted(HTML, 524), ServerError),
    "request timeout": (Scripted({}, 408), ServerError),
    "connection reset": (Scripted(reset=True), UnreachableError),
    "cut off": (Scripted(PAGE, cut=100), UnreachableError),
    "cut off within gzip": (Scripted(PAGE, compress=True, cut=10), UnreachableError),
    "damaged gzip": (Scripted(DAMAGED, headers={"Content-Encoding": "gzip"}), InvalidResponseError),
    "cut off JSON of the right length": (Scripted(b'{"returns": [{"id": "1"}'), InvalidResponseError),
    "gzip of cut off JSON": (Scripted(b'{"returns": [{"id"', compress=True), InvalidResponseError),
    "web page with status 200": (Scripted(HTML), InvalidResponseError),
    "nothing with status 200": (Scripted(b""), InvalidResponseError),
    "error object with status 200": (Scripted({"errors": {"message": "Oops.", "code": "X"}}), InvalidResponseError),
    "error text with status 200": (Scripted({"message": "Oops."}), InvalidResponseError),
    "no rows with status 200": (Scripted({"nextPageUrl": None}), InvalidResponseError),
    "true instead of rows": (Scripted(b"true"), InvalidResponseError),
}  # fmt: skip # a table


@pytest.mark.parametrize("name", FAULTS)
def test_a_passing_fault_heals(name: str) -> None:
    """After two faults in a row the data arrives whole, and the counts tell how."""
    fault, _ = FAULTS[name]
    with Loopback(fault, fault, Scripted(PAGE, compress=True)) as server, client_of(server) as client:
        answer = client.get(RETURNS_PATH, expect="list")
    assert answer.body == PAGE
    assert len(server.seen) == 3
    assert (client.stats.requests, client.stats.retries) == (3, 2)
    assert client.stats.too_many == (2 if fault.status == 429 else 0)


@pytest.mark.parametrize("name", FAULTS)
def test_a_lasting_fault_is_named(name: str) -> None:
    """A fault that stays ends, after some attempts, in an error that says so and what comes next."""
    fault, kind = FAULTS[name]
    with Loopback(fault) as server, client_of(server) as client, pytest.raises(TransientError) as caught:
        client.get(RETURNS_PATH, expect="list")
    assert type(caught.value) is kind
    assert caught.value.exit_code == 1
    assert len(server.seen) in {ATTEMPTS, ATTEMPTS_AT_AN_ERROR_BODY}
    assert f"Tried {len(server.seen)} times" in caught.value.message
    assert RETURNS_PATH in caught.value.message
    assert "again" in caught.value.message.split("Tried")[1]


def test_the_servers_own_words_are_kept() -> None:
    """The message of a refusal with HTTP 200 quotes what the server said."""
    body = {"errors": {"message": "Return is closed.", "code": "UNPROCESSABLE_RETURN"}}
    with Loopback(Scripted(body)) as server, client_of(server) as client:
        with pytest.raises(InvalidResponseError, match="“Return is closed”"):
            client.get(RETURNS_PATH, expect="list")
        assert len(server.seen) == ATTEMPTS_AT_AN_ERROR_BODY


def test_an_error_body_has_its_own_attempts() -> None:
    """An error object with HTTP 200 is asked for again also when other faults came before it."""
    fault, error = FAULTS["server error"][0], FAULTS["error object with status 200"][0]
    with Loopback(fault, fault, fault, error, error, Scripted(PAGE)) as server, client_of(server) as client:
        assert client.get(RETURNS_PATH, expect="list").body == PAGE
        assert len(server.seen) == 6


@pytest.mark.parametrize("body", [{"message": "Oops."}, {"content": "Oops."}, {"status": "error", "message": "Oops."}])
@pytest.mark.parametrize("expect", ["list", "object", "any"])
def test_talk_is_no_data(body: dict[str, str], expect: Any) -> None:
    """An object that only talks is an error with HTTP 200, whatever was expected, and its words are kept."""
    with Loopback(Scripted(body)) as server, client_of(server) as client, pytest.raises(InvalidResponseError, match="Oops"):
        client.get(RETURNS_PATH, expect=expect)


@pytest.mark.parametrize("body", [{"id": 1, "message": "hello"}, {"id": 1, "errors": []}])
def test_data_that_talks_is_data(body: dict[str, Any]) -> None:
    """An object with a message beside its data, or an empty list of errors, is no failure."""
    with Loopback(Scripted(body)) as server, client_of(server) as client:
        assert client.get("/warehouse/return/details", expect="object").body == body


def test_nobody_listening_is_unreachable() -> None:
    """Without a server the error is UnreachableError and names the setting to check."""
    with Loopback() as server:
        pass  # closed again: nobody listens at its address now
    with client_of(server, attempts=2) as client, pytest.raises(UnreachableError, match="base_url"):
        client.get(RETURNS_PATH)
