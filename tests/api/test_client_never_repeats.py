"""What will not heal is asked for once, and the error says what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loop_returns.api.facts import ASN_PATH, DETAILS_PATH, RETURNS_PATH
from loop_returns.errors import (
    AccessDeniedError,
    ConfigurationError,
    LoopReturnsError,
    NotFoundError,
    PageSizeRejectedError,
    RangeRejectedError,
    RequestRejectedError,
)
from tests.support import SAMPLES
from tests.support.loopback import Loopback, Scripted, client_of

SAMPLES = {sample["case"]: sample for sample in json.loads((SAMPLES / "errors.json").read_text())}


def refusal(path: str, scripted: Scripted, **query: Any) -> LoopReturnsError:
    """The error that one such answer leads to, after one request only."""
    with Loopback(scripted) as server, client_of(server) as client:
        with pytest.raises(LoopReturnsError) as caught:
            client.get(path, **query)
        assert len(server.seen) == 1
    return caught.value


def laravel(**fields: str) -> dict[str, Any]:
    return {
        "message": "The given data was invalid.",
        "errors": {name: [text] for name, text in fields.items()},
    }


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "Unauthorized."}},
        {"errors": "Unauthorized."},
        {"errors": [{"message": "Forbidden."}]},
        b"",
    ],
)
@pytest.mark.parametrize("path", [RETURNS_PATH, ASN_PATH, DETAILS_PATH])
def test_key_or_scope(status: int, body: Any, path: str) -> None:
    """A refused key names the scope that it needs, says that a wrong key looks the same, and where to look."""
    error = refusal(path, Scripted(body, status))
    assert isinstance(error, AccessDeniedError)
    assert error.exit_code == 2
    assert "“Returns”" in error.message
    assert "wrong" in error.message
    assert "Tools & integrations" in error.message


def test_a_web_page_that_refuses_is_told_apart() -> None:
    """A 403 with a web page hints at a firewall, as Loop itself answers with JSON."""
    assert "firewall" in refusal(RETURNS_PATH, Scripted(b"<html>Access denied</html>", 403)).message
    assert "firewall" not in refusal(RETURNS_PATH, Scripted({"errors": "Unauthorized."}, 403)).message


@pytest.mark.parametrize(
    ("body", "kind", "fields"),
    [
        (laravel(**{"from": "Not a valid date."}), RangeRejectedError, {"from": ["Not a valid date."]}),
        (laravel(to="The range may span 120 days."), RangeRejectedError, {"to": ["The range may span 120 days."]}),
        ({"message": "The range may not exceed 120 days."}, RangeRejectedError, {}),
        (laravel(pageSize="Too large."), PageSizeRejectedError, {"pageSize": ["Too large."]}),
        ({"message": "The page size must not be greater than 500."}, PageSizeRejectedError, {}),
        (laravel(state="State is invalid."), RequestRejectedError, {"state": ["State is invalid."]}),
        ({"errors": {"filter": "No."}}, RequestRejectedError, {"filter": ["No."]}),
        (b"<html></html>", RequestRejectedError, {}),
        ({}, RequestRejectedError, {}),
    ],
)  # fmt: skip # a table
def test_a_refused_request_says_which_part(body: Any, kind: type, fields: dict[str, list[str]]) -> None:
    """A 422 becomes the error of what was refused, with the server's words for each field."""
    error = refusal(RETURNS_PATH, Scripted(body, 422))
    assert type(error) is kind
    assert isinstance(error, RequestRejectedError)
    assert error.exit_code == 2
    assert all(text in error.message for texts in fields.values() for text in texts)


@pytest.mark.parametrize("status", [400, 404, 405, 409])
def test_other_refusals(status: int) -> None:
    """Other client errors are the operator's to look at, too."""
    error = refusal(RETURNS_PATH, Scripted({"message": "No."}, status))
    assert type(error) is RequestRejectedError
    assert ("base_url" in error.message) == (status == 404)


@pytest.mark.parametrize(
    ("path", "scripted"),
    [
        (DETAILS_PATH, Scripted(SAMPLES["return details: nothing matches"]["body"])),
        (DETAILS_PATH, Scripted({"errors": {"message": "No return found with this ID."}}, 404)),
    ],
)
def test_nothing_there(path: str, scripted: Scripted) -> None:
    """A thing that Loop doesn't have is NotFoundError, whatever status says so."""
    assert type(refusal(path, scripted)) is NotFoundError


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    """A redirect is reported with its target, and nothing is asked there."""
    with Loopback(Scripted([])) as other:
        error = refusal(RETURNS_PATH, Scripted(b"", status, {"Location": f"{other.url}/login"}))
    assert isinstance(error, ConfigurationError)
    assert f"{other.url}/login" in error.message
    assert other.seen == []


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_known_error_body_is_an_error(sample: dict[str, Any]) -> None:
    """None of the error bodies known of Loop passes as data, and what it says reaches the operator."""
    body = sample["body"].encode() if isinstance(sample["body"], str) else sample["body"]
    server = Loopback(Scripted(body, sample["status"]))
    with server, client_of(server) as client, pytest.raises(LoopReturnsError) as caught:
        client.get(DETAILS_PATH, expect="any")
    said = body.get("message") if isinstance(body, dict) else None
    assert (said or "Loop").rstrip(".") in caught.value.message
