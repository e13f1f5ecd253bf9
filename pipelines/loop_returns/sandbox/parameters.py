"""Query parameters that several endpoints read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop_returns.sandbox.responses import InvalidParameterError
from loop_returns.sandbox.times import parse

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_moment(params: Mapping[str, str], name: str) -> float | None:
    """Second of a date parameter; None when it was not sent.

    Raises:
        InvalidParameterError: it is not a date.
    """
    if not params.get(name):
        return None
    try:
        return parse(params[name])
    except ValueError:
        raise InvalidParameterError(name, f"The {name} is not a valid date.") from None
