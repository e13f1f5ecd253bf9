"""The facts about the API agree with each other."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from loop_returns.api import facts
from loop_returns.errors import LoopReturnsError
from loop_returns.settings import load


def test_the_defaults_are_within_the_limits() -> None:
    """Windows are narrower than the cap, and waits outlast the budget's minute."""
    assert timedelta(days=facts.WINDOW_DAYS) < facts.MAX_RANGE
    assert sum(facts.FIRST_WAIT * 2**n for n in range(facts.ATTEMPTS - 1)) > facts.RATE_WINDOW
    assert facts.BUDGET_SECONDS > facts.MAX_WAIT
    assert facts.RATE_WINDOW > 60
    assert set(facts.STATES) == {"open", "closed", "expired", "cancelled", "review"}


def test_the_default_address_is_usable() -> None:
    """The default base URL passes its own check and is pinned to a dated version."""
    assert load(base_url=facts.BASE_URL, need_key=False).base_url == facts.BASE_URL
    assert re.fullmatch(r"\d{4}-\d{2}", facts.API_VERSION)


def test_times_are_written_as_documented() -> None:
    """A moment is sent in the form of the documentation's examples."""
    moment = datetime(2022, 1, 1, tzinfo=UTC)
    assert moment.strftime(facts.TIME_FORMAT) == "2022-01-01T00:00:00.000Z"
    assert moment.strftime(facts.DATE_FORMAT) == "2022-01-01"


def test_every_error_ends_with_a_contracted_exit_code() -> None:
    """The tree of errors uses the exit codes of the contract only, and each group its own; 3 is for runs that were done."""
    kinds = [LoopReturnsError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert set(codes.values()) == {1, 2, 75, 130}
    assert {codes[name] for name in ("ConfigurationError", "AccessDeniedError", "RangeRejectedError")} == {2}
    assert {codes[name] for name in ("TransientError", "UnreachableError", "NotFoundError", "DatabaseInUseError")} == {1}
    assert (codes["LockedError"], codes["CancelledError"]) == (75, 130)
