"""Whoever shows progress is told of every wait before it begins: how long, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loop_returns.api.facts import RETURNS_PATH
from loop_returns.errors import TransientError
from loop_returns.extract.api_reader import ApiReader
from loop_returns.settings import Settings
from tests.support.loopback import KEY, FakeTime, Loopback, Scripted, client_of

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = {
    "HTTP 429": Scripted({"message": f"Not with {KEY}."}, 429),
    "HTTP 500": Scripted({"message": f"Not with {KEY}."}, 500),
    "HTTP 408": Scripted({}, 408),
    "the connection broke": Scripted(reset=True),
    "the answer was cut off": Scripted([{"id": 1}], cut=5),
    "the answer was damaged": Scripted(b"no gzip", headers={"Content-Encoding": "gzip"}),
    "an answer without the data": Scripted(b"<html>"),
}


def told_by(server: Loopback, **settings: object) -> tuple[list[tuple[float, str]], FakeTime]:
    """What a client tells that asks twice and gives up, and the time that it saw."""
    told: list[tuple[float, str]] = []
    time = FakeTime()

    def on_retry(seconds: float, reason: str) -> None:
        assert len(time.slept) == len(told), "told before the wait, not after it"
        told.append((seconds, reason))

    with client_of(server, time, attempts=2, on_retry=on_retry, **settings) as client, pytest.raises(TransientError):
        client.get(RETURNS_PATH, expect="list")
    return told, time


@pytest.mark.parametrize("reason", FAULTS)
def test_a_repeat(reason: str) -> None:
    """Each wait before a repeat is told with its length and a few words, which never hold the key."""
    with Loopback(FAULTS[reason]) as server:
        told, time = told_by(server)
    assert [seconds for seconds, _ in told] == time.slept
    assert [words for _, words in told] == [reason]


def test_nobody_listening() -> None:
    """A refused connection is told as one."""
    with Loopback() as server:
        pass  # closed again
    told, _ = told_by(server)
    assert [words for _, words in told] == ["no connection"]


def test_the_rate_limit() -> None:
    """A wait for the limit of requests a minute is told too, whoever has used it up."""
    told: list[tuple[float, str]] = []
    time = FakeTime()
    headers = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0"}
    with (
        Loopback(Scripted([], headers=headers)) as server,
        client_of(server, time, on_retry=lambda *said: told.append(said)) as client,
    ):
        client.get(RETURNS_PATH)
        assert told == []
        client.get(RETURNS_PATH)
    assert told == [(time.slept[0], "the limit of requests a minute")]


def test_the_reader_of_a_shop_passes_it_on(tmp_path: Path) -> None:
    """What reads a whole shop tells the waits of all its requests to the same function."""
    told: list[str] = []
    with Loopback(Scripted({}, 503)) as server:
        settings = Settings(api_key=KEY, base_url=server.url)
        reader = ApiReader(settings, tmp_path / "pages", first_wait=0.001, on_retry=lambda _, reason: told.append(reason))
        with reader, pytest.raises(TransientError):
            reader.clock()
    assert told == ["HTTP 503"] * 7
