"""The API key is sent to the API and shown to nobody."""

from __future__ import annotations

import logging
import traceback

import pytest

from loop_returns.api.client import LoopClient
from loop_returns.api.facts import BASE_URL, RETURNS_PATH
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.cli.runner import hide_key
from loop_returns.errors import LoopReturnsError
from tests.support.loopback import KEY, Loopback, Scripted, client_of

SILENT = [
    Scripted({"errors": {"from": ["Bad."]}}, 422),
    Scripted({"errors": "Unauthorized."}, 401),
    Scripted({"error": {"message": "No."}}),
    Scripted({}, 500),
    Scripted({}, 429),
    Scripted(b"<html>"),
    Scripted(reset=True),
    Scripted([], cut=1),
]
TELLTALE = [
    Scripted({"message": f"The key {KEY} is unknown", "errors": {"from": [f"Bad {KEY}"]}}, 422),
    Scripted({"errors": f"{KEY} is unauthorized"}, 401),
    Scripted({"error": {"message": f"no {KEY}"}}),
    Scripted({"message": KEY}, 500),
    Scripted({"message": KEY}, 429),
    Scripted(KEY.encode()),
    Scripted({}, 302, {"Location": f"https://example.com/?key={KEY}"}),
]


def failure(scripted: Scripted) -> LoopReturnsError:
    with Loopback(scripted) as server, client_of(server) as client:
        with pytest.raises(LoopReturnsError) as caught:
            client.get(RETURNS_PATH, expect="list")
        return caught.value


def shown_by(error: LoopReturnsError) -> str:
    return f"{error} {error!r} {error.args} {vars(error)} {error.__cause__!r} {error.__context__!r}"


def test_the_key_is_sent_in_its_header() -> None:
    """Every request carries the bare key, this program's name, and nothing else has it."""
    with Loopback() as server, client_of(server) as client:
        client.get(RETURNS_PATH, params={"state": "open", "pageSize": 5})
    (seen,) = server.seen
    assert seen.headers["x-authorization"] == KEY
    assert seen.headers["user-agent"].startswith("loop-returns/")
    assert seen.headers["accept-encoding"] == "gzip"
    assert seen.path == "/api/2026-10/warehouse/return/list"
    assert seen.params == {"state": "open", "pageSize": "5"}
    assert [name for name, value in seen.headers.items() if KEY in value] == ["x-authorization"]


@pytest.mark.parametrize("scripted", SILENT, ids=range(len(SILENT)))
def test_no_failure_shows_the_key(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    """No message, attribute, log, nor a traceback with the values of all local variables holds the key."""
    with caplog.at_level(logging.DEBUG):
        error = failure(scripted)
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "client = LoopClient" in shown
    assert KEY not in shown + shown_by(error)
    assert "receive_response" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("scripted", TELLTALE, ids=range(len(TELLTALE)))
def test_the_servers_words_do_not_show_the_key(scripted: Scripted) -> None:
    """Where the server repeats the key, it is taken out of what the operator sees."""
    assert KEY not in shown_by(failure(scripted))


def test_looking_at_the_client_does_not_show_the_key() -> None:
    """The client's text names the address only, and its parts hide the key, too."""
    with LoopClient(api_key=KEY, base_url=BASE_URL, rate_limiter=RateLimiter()) as client:
        assert repr(client) == f"LoopClient('{BASE_URL}')"
        assert KEY not in repr(vars(client))


@pytest.mark.parametrize("scheme", ["", "http:"])
def test_a_path_cannot_lead_elsewhere(scheme: str) -> None:
    """A path that looks like an address is asked for at the API's own host."""
    with Loopback() as other, Loopback() as server, client_of(server) as client:
        client.get(f"{scheme}{other.url.removeprefix('http:')}/list")
    assert other.seen == []
    assert len(server.seen) == 1


def test_a_proxy_of_the_environment_is_not_used_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to this machine don't pass through a proxy, which would see the key in clear text."""
    with Loopback() as proxy, Loopback() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with client_of(server) as client:
            client.get(RETURNS_PATH)
    assert proxy.seen == []
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("key", "The … of monkeys: …"),
        ("sk_live_0123456789", "The key of monkeys: key"),
        ("a.b*c", "The key of monkeys: key"),
    ],
)
def test_an_error_hides_the_key_and_nothing_else(monkeypatch: pytest.MonkeyPatch, key: str, said: str) -> None:
    """In a message the key becomes a dot; a very short one, as people try, leaves the words that contain it alone."""
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__API_KEY", key)
    assert hide_key("The key of monkeys: key") == said
    assert key not in hide_key(f"is ({key}) it")
    monkeypatch.setenv("SOURCES__LOOP_RETURNS__PII_KEY", "0123456789abcdef0123456789abcdef")
    assert hide_key("it is 0123456789abcdef0123456789abcdef.") == "it is …."
