"""Answers wait on disk instead of in memory, and nothing of them stays there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loop_returns.api.facts import RETURNS_PATH
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.errors import LoopReturnsError
from tests.support.loopback import FakeTime, Loopback, Scripted, client_of

if TYPE_CHECKING:
    from typing import Any

PAGE = {"returns": [{"id": "1", "note": "ü" * 1000}], "nextPageUrl": None}


@pytest.mark.parametrize("compress", [False, True])
def test_an_answer_is_read_from_disk(tmp_path: Path, compress: bool):
    """What is parsed is a file in the folder, decompressed and complete; it is gone once it is parsed."""
    seen = list[RawResponse]()

    def parse(response: RawResponse) -> Any:
        seen.append(response)
        assert isinstance(response.content, Path)
        assert list(tmp_path.iterdir()) == [response.content]
        assert response.length == len(response.body)
        return parse_response(response, expect="list")

    with Loopback(Scripted(PAGE, compress=compress)) as server, client_of(server, folder=tmp_path) as client:
        assert client.get(RETURNS_PATH, parse=parse).body == PAGE
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [Scripted({"message": "No."}, status=401), Scripted(b"{", cut=0), Scripted(PAGE, cut=9), Scripted(PAGE, reset=True)],
    ids=["refused", "garbled", "cut off", "reset"],
)
def test_an_answer_that_fails_leaves_nothing(tmp_path: Path, answer: Scripted):
    """An error says the same as it does for an answer in memory, and leaves no file."""
    said = []
    for folder in (tmp_path, None):
        with Loopback(answer) as server, client_of(server, FakeTime(), folder=folder) as client:
            with pytest.raises(LoopReturnsError) as caught:
                client.get(RETURNS_PATH, expect="list")
            said.append((type(caught.value), re.sub(r"\d+ s\.", "", str(caught.value))))
    assert said[0] == said[1]
    assert list(tmp_path.iterdir()) == []
