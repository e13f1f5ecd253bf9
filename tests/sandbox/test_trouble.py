"""The sandbox breaks answers in every way the real API is known or suspected to."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from loop_returns.sandbox import FAULT_NAMES, Faults, Quirks, Sandbox, SeenRequest, Shop
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
LIST = "/warehouse/return/list?from=2026-07-15&to=2026-10-11"
# no TLS on loopback; loading the certificates would take most of a request's time
_http_get = partial(httpx.get, verify=False)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shop.generate(seed=3, returns=30, days=80, now=NOW)) as running:
        yield running


def _get(sandbox: Sandbox, path: str = LIST, **headers: str) -> httpx.Response:
    return _http_get(sandbox.url + path, headers={"X-Authorization": sandbox.api_key, **headers})


def test_a_wrong_key_and_a_missing_scope_look_the_same(sandbox: Sandbox) -> None:
    """Both are a 401, in the newer or the older shape; a scope opens only its own endpoints."""
    wrong = _get(sandbox, **{"X-Authorization": "other"})
    sandbox.quirks = Quirks(scopes=frozenset({"orders"}))
    lacking = _get(sandbox)
    assert wrong.status_code == lacking.status_code == 401
    assert wrong.json() == lacking.json()
    assert wrong.json()["error"]["http_code"] == "GEN-UNAUTHORIZED"
    assert _get(sandbox, "/allowlists").status_code == 200
    sandbox.quirks = Quirks(scopes=frozenset(), unauthorized_body="old")
    assert _get(sandbox, "/destinations").json() == {"errors": "Unauthorized."}


def test_the_limiter_counts_and_refuses(sandbox: Sandbox) -> None:
    """Headers count down, the request beyond the limit is a 429, and the next window is free again."""
    sandbox.quirks = Quirks(requests_per_minute=2, rate_window=3600)
    answers = [_get(sandbox) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].headers["x-ratelimit-limit"] == "2"
    assert "retry-after" not in answers[2].headers
    sandbox.quirks = Quirks(requests_per_minute=2, rate_window=0)
    assert _get(sandbox).status_code == 200


@pytest.mark.parametrize("form", ["none", "seconds", "date"])
def test_retry_after_comes_in_both_forms(sandbox: Sandbox, form: Any) -> None:
    """A 429 tells seconds, or a date by the server's own clock, or nothing."""
    sandbox.quirks = Quirks(retry_after=form, retry_after_seconds=7, clock_skew=90)
    sandbox.fail_next(["too_many"])
    answer = _get(sandbox)
    assert answer.status_code == 429
    told = answer.headers.get("retry-after")
    date = parsedate_to_datetime(answer.headers["date"]) + timedelta(seconds=7)
    assert told == {"none": None, "seconds": "7", "date": format_datetime(date, usegmt=True)}[form]


def test_a_reset_breaks_the_connection(sandbox: Sandbox) -> None:
    """The connection breaks before or in the middle of an answer, and the next request is fine."""
    seen = set()
    for _ in range(12):
        sandbox.fail_next(["reset"])
        with pytest.raises(httpx.TransportError) as caught:
            _get(sandbox)
        seen.add(type(caught.value))
    assert httpx.ReadError in seen
    assert _get(sandbox).status_code == 200


def test_a_truncated_body_ends_early(sandbox: Sandbox) -> None:
    """Sometimes the length gives it away, sometimes only the broken JSON does."""
    seen = {"short": 0, "not json": 0}
    for _ in range(12):
        sandbox.fail_next(["truncate"])
        try:
            _get(sandbox, **{"Accept-Encoding": "identity"}).json()
        except httpx.RemoteProtocolError:
            seen["short"] += 1
        except ValueError:
            seen["not json"] += 1
    assert seen["short"] + seen["not json"] == 12
    assert all(seen.values())


def test_errors_come_with_their_bodies(sandbox: Sandbox) -> None:
    """500 as JSON, gateway trouble as HTML, and under HTTP 200 an HTML page or an error object."""
    sandbox.fail_next(["server_error", "bad_gateway", "html_200", "error_200", None])
    server, gateway, page, error, good = (_get(sandbox) for _ in range(5))
    assert (server.status_code, server.json()) == (500, {"message": "Server Error"})
    assert gateway.status_code in (502, 503, 524)
    assert "html" in gateway.headers["content-type"]
    assert (page.status_code, page.text[:9]) == (200, "<!DOCTYPE")
    assert error.status_code == 200
    assert isinstance(error.json(), dict)
    assert len(good.json()) > 0
    assert [seen.fault for seen in sandbox.requests] == [
        "server_error",
        "bad_gateway",
        "html_200",
        "error_200",
        None,
    ]
    sandbox.quirks = Quirks(destination_without_address=True)
    assert [_get(sandbox, "/destinations").status_code for _ in range(2)] == [500, 500]


def test_faults_at_random_end_after_max_consecutive(sandbox: Sandbox) -> None:
    """Even if every answer fails, the third try of a request is answered; every kind of fault occurs."""
    sandbox.quirks = Quirks(faults=replace(Faults.everywhere(1.0), slow_seconds=0.01))
    good = 0
    for _ in range(90):
        try:
            good += isinstance(_get(sandbox).json(), list)
        except (httpx.TransportError, ValueError):
            continue
    assert good >= 30
    assert {seen.fault for seen in sandbox.requests} == {None, *FAULT_NAMES}


def test_clock_header_and_compression(sandbox: Sandbox) -> None:
    """Date is the shop's clock with its skew, or missing; large bodies are compressed on request."""
    sandbox.quirks = Quirks(clock_skew=-3600)
    answer = _get(sandbox)
    assert parsedate_to_datetime(answer.headers["date"]) == NOW - timedelta(hours=1)
    assert answer.headers["content-encoding"] == "gzip"
    plain = _get(sandbox, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == answer.json()
    sandbox.quirks = Quirks(date_header=False)
    assert "date" not in _get(sandbox).headers


def test_the_shop_can_change_between_pages(sandbox: Sandbox) -> None:
    """The hook runs before the answer, which shows its changes; what it raises comes out of stop()."""
    added: list[str] = []

    def grow(seen: SeenRequest) -> None:
        assert seen.path == "/warehouse/return/list"
        added.extend(sandbox.shop.add_returns(1))

    sandbox.on_request = grow
    shown = [body["id"] for body in _get(sandbox).json()]
    assert len(added) == 1
    assert added[0] in shown
    sandbox.on_request = lambda _seen: {}["missing"]
    assert _get(sandbox).status_code == 500
    with pytest.raises(KeyError):
        sandbox.stop()


def test_reading_and_changing_at_the_same_time_is_safe(sandbox: Sandbox) -> None:
    """Threads read whole answers while the shop changes; nothing breaks on either side."""
    sandbox.quirks = Quirks(type_variants=0.2)
    with httpx.Client(headers={"X-Authorization": sandbox.api_key}) as http, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(http.get, sandbox.url + LIST) for _ in range(40)]
        for _ in range(20):
            sandbox.shop.live(5)
        sizes = [len(answer.result().json()) for answer in answers]
    assert min(sizes) > 0
    assert len(sandbox.requests) == 40
    sandbox.stop()  # would raise what broke


def test_requests_are_logged_with_what_was_asked(sandbox: Sandbox) -> None:
    """The log has endpoint, version, parameters, headers and status, and can be cleared."""
    _get(sandbox, "/warehouse/reporting/asn?from=2026-10-01")
    (seen,) = sandbox.requests
    assert (seen.method, seen.path, seen.version, seen.status) == (
        "GET",
        "/warehouse/reporting/asn",
        "2026-10",
        200,
    )
    assert seen.params == {"from": "2026-10-01"}
    assert seen.headers["x-authorization"] == sandbox.api_key
    sandbox.clear_log()
    assert sandbox.requests == []


def test_a_stopped_sandbox_is_gone_and_comes_back_on_its_port(sandbox: Sandbox) -> None:
    """After stop() also connections kept alive are dead; start() serves at the same address."""
    with httpx.Client(headers={"X-Authorization": sandbox.api_key}) as http:
        url = sandbox.url
        assert http.get(url + LIST).status_code == 200
        sandbox.stop()
        with pytest.raises(httpx.TransportError):
            http.get(url + LIST)
        sandbox.start()
        assert sandbox.url == url
        assert http.get(url + LIST).status_code == 200


def test_serve_runs_until_interrupted() -> None:
    """The program prints how to reach it, answers, and Ctrl-C ends it without a traceback."""
    code = (
        "import sys; from loop_returns.sandbox import *; "
        "serve(returns=5, seed=1, currency='USD', port=0, quirks=Quirks(), out=lambda line: print(line, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(3)]
        url = lines[1].strip().partition("=")[2]
        key = lines[2].strip().partition("=")[2]
        answer = _http_get(f"{url}/destinations", headers={"X-Authorization": key})
        run.send_signal(2)
        rest, errors = run.communicate(timeout=PATIENCE)
    assert answer.status_code == 200
    assert (run.returncode, errors) == (0, "")
    assert "1 requests" in rest


def test_importing_the_sandbox_pulls_in_nothing_heavy() -> None:
    """Neither dlt nor duckdb nor pyarrow nor httpx is imported with it."""
    code = "import sys, loop_returns.sandbox; print({'dlt', 'duckdb', 'pyarrow', 'httpx'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
