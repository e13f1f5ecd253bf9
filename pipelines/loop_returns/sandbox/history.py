"""Past returns: each is submitted, then has its events up to now, the same ones that happen in the shop later."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from loop_returns.sandbox import events
from loop_returns.sandbox.bodies import submit
from loop_returns.sandbox.lines import Numbers, chance
from loop_returns.sandbox.times import DAY, iso, second_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from loop_returns.sandbox.bodies import Return

    Step = tuple[int, Callable[[int], object]]

_EXPIRES: Final = 28 * DAY  # labels expire after 28 days (help.loopreturns.com/article/46-viewing-returns)
_NIGHTLY: Final = 3 * 3600  # expiry runs at 03:00 UTC and stamps all of a night with one second


def history(rng: random.Random, numbers: Numbers, count: int, *, start: int, end: int) -> list[Return]:
    """Returns submitted after second `start`, as they are at `end`; from five on, every state occurs."""
    seconds = sorted(end - rng.randrange(max(1, end - start)) for _ in range(count))
    for index in range(1, count):
        if chance(rng, 0.03):  # some are submitted in one second
            seconds[index] = seconds[index - 1]
    returns = []
    for at in seconds:
        ret = submit(rng, numbers, at=at)
        _replay(ret, rng, numbers, at=at, now=end)
        returns.append(ret)
    _let_every_state_occur(returns, end=end)
    return returns


def _let_every_state_occur(returns: list[Return], *, end: int) -> None:
    states = Counter(ret.body["state"] for ret in returns)
    for state in events.STATES:
        fits = (ret for ret in reversed(returns) if states[ret.body["state"]] > 1)
        if states[state] == 0 and (ret := next(fits, None)) is not None:
            at = min(end, (second_of(ret.body["updated_at"]) or end) + 60)
            states[ret.body["state"]] -= 1
            states[state] += 1
            events.move_state(ret, state, at=at)
            ret.body["updated_at"] = iso(at)


def _replay(ret: Return, rng: random.Random, numbers: Numbers, *, at: int, now: int) -> None:
    """Let everything happen to a return submitted at second `at` that has happened by `now`.

    Its `updated_at` is the second of the last thing that happened.
    """
    last = at
    for second, step in _timeline(ret, rng, numbers, at=at):
        if second > now:
            break
        step(second)
        last = second
    ret.body["updated_at"] = iso(last)


def _timeline(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> Iterator[Step]:
    if chance(rng, 0.05):  # waits for approval, some for long
        yield at + 2, lambda second: events.move_state(ret, "review", at=second)
        at += (rng.randint(20, 200) if chance(rng, 0.4) else rng.randint(1, 4)) * DAY
        yield at, lambda second: events.move_state(ret, "open", at=second)
    label = at + rng.randint(20, 900)
    yield label, lambda second: events.add_label(ret, rng, at=second)
    if chance(rng, 0.06):
        yield label + 400, lambda second: events.add_label(ret, rng, at=second)
    if chance(rng, 0.04):
        cancelled = label + rng.randint(1, 5) * DAY
        yield cancelled, lambda second: events.move_state(ret, "cancelled", at=second)
    elif chance(rng, 0.07):
        night = (at + _EXPIRES) // DAY * DAY + DAY + _NIGHTLY
        yield night, lambda second: events.move_state(ret, "expired", at=second)
    else:
        yield from _delivery(ret, rng, numbers, at=label)


def _delivery(ret: Return, rng: random.Random, numbers: Numbers, *, at: int) -> Iterator[Step]:
    second = at
    for status, days in (
        ("pre_transit", 2.0),
        ("in_transit", 2.0),
        ("out_for_delivery", 5.0),
        ("delivered", 0.4),
    ):
        second += int(DAY * days * (0.3 + rng.random()))
        yield second, lambda at, status=status: events.move_label(ret, status, at=at)  # type: ignore[misc]  # mypy can't infer a default
    if chance(rng, 0.5):
        second += rng.randint(3600, DAY)
        yield second, lambda at: events.inspect(ret, rng, at=at)
    second += rng.randint(1800, 4 * DAY)
    yield second, lambda at: events.move_state(ret, "closed", at=at)
    second += rng.randint(60, 9 * 3600)  # Loop processes hours after closing
    yield second, lambda at: events.process(ret, rng, numbers, at=at)
