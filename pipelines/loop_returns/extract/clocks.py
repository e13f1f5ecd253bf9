"""What time it is, told by two clocks of which each may be wrong: Loop's and this machine's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median_high
from typing import Final, Self

from loop_returns.api.facts import FIRST_DAY

_NEAR: Final = timedelta(days=1)  # clocks that differ by less say the same
_ASKED: Final = 3  # times: of so many answers one may be wrong
_UNSURE: Final = timedelta(days=500)  # how far from Loop's clock this machine's is followed
_DEFAULT: Final = timedelta(hours=1)  # how far this machine's clock is expected to be ahead, where Loop tells no time


@dataclass(frozen=True)
class Clocks:
    """The time in whole seconds when a run began.

    Attributes:
        now: what is written down as the time: Loop's, where it tells one.
        earliest, latest: by either clock; reading covers both: too much is read again, nothing is left out.
        doubt: what the operator should know; None when the clocks agree.
    """

    now: datetime
    earliest: datetime
    latest: datetime
    doubt: str | None = None

    @classmethod
    def here(cls) -> Self:
        """The time by this machine's clock alone."""
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(now, now, now)

    def stopped(self, until: datetime | None) -> Self:
        """The time as if it were no later than that."""
        if until is None:
            return self
        until = until.astimezone(UTC).replace(microsecond=0)
        return replace(self, now=min(self.now, until), earliest=min(self.earliest, until), latest=min(self.latest, until))


def tell(ask: Callable[[], datetime | None]) -> Clocks:
    """The time. `ask` is one request for Loop's, and is called again where the answer is far from this machine's."""
    first = ask()
    here = datetime.now(UTC).replace(microsecond=0)
    answers = [first]
    if first is not None and abs(first - here) > _NEAR:
        answers += [ask() for _ in range(_ASKED - 1)]
    told = [answer for answer in answers if answer is not None and answer.date() >= FIRST_DAY]
    loop = median_high(told) if told else here - _DEFAULT
    here = min(max(here, loop - _UNSURE), loop + _UNSURE)
    clock = Clocks(loop, min(loop, here), max(loop, here))
    if clock.latest - clock.earliest <= _NEAR:
        return clock
    doubt = (
        f"Loop's clock says {loop:%Y-%m-%d %H:%M}, and this machine's another day (UTC). Returns were asked for up to the "
        "later time, so nothing is left out; set this machine's clock right."
    )
    return replace(clock, doubt=doubt)
