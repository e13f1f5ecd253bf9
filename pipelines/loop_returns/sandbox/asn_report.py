"""`GET /warehouse/reporting/asn`: the advanced shipping notices.

Source: docs.loopreturns.com/api-reference/latest/return-data/advanced-shipping-notice and
…/integration-guides/migration-2026-07-to-2026-10 (the 120 days); dates that can't be read
become 1970-01-01 (w6w).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loop_returns.sandbox.responses import InvalidParameterError, SandboxResponse
from loop_returns.sandbox.times import DAY, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loop_returns.sandbox.quirks import Quirks
    from loop_returns.sandbox.shop_contents import ShopContents

_CAPPED_FROM: Final = "2026-10"
_DATE_LENGTH: Final = len("2026-10-01")
_LATEST_MOVES: Final = 1_793_232_000  # 2026-10-29: `latest` becomes 2026-10


def _moment(text: str) -> float:
    try:
        return parse(text)
    except ValueError:
        return 0.0  # the epoch; no error


def _capped(version: str, now: float) -> bool:
    if version == "latest":
        return now >= _LATEST_MOVES
    return version == "unstable" or (version != "v1" and version >= _CAPPED_FROM)


def asn_report(
    shop: ShopContents, params: Mapping[str, str], *, version: str, quirks: Quirks, vary: Callable[[bytes], bytes]
) -> SandboxResponse:
    """Answer a request for the report: a bare array; `vary` turns a stored row into the one that is sent.

    Raises:
        InvalidParameterError: the range is too wide for this version.
    """
    now = shop.now.timestamp()
    today = now // DAY * DAY
    low = _moment(params["from"]) if params.get("from") else today - 7 * DAY
    high = _moment(params["to"]) if params.get("to") else today
    if _capped(version, now) and high - low >= quirks.max_range_days * DAY:
        raise InvalidParameterError("from", f"The date range must not exceed {quirks.max_range_days} days.")
    whole_day = len(params.get("to") or "") in (0, _DATE_LENGTH) and quirks.asn_to_end_of_day
    high = math.nextafter(high, math.inf) if not whole_day else high + DAY
    inside: list[bytes] = []
    outside: list[bytes] = []
    with shop.lock:
        for notice in shop.store.notices():
            second: int | None = getattr(notice, quirks.asn_filter)
            if second is not None and low <= second < high:
                inside += notice.rows()
            elif len(outside) < quirks.asn_outside_rows:
                outside += notice.rows()
    rows = inside[: round(len(inside) * quirks.asn_part)] + outside[: quirks.asn_outside_rows]
    return SandboxResponse(200, b"[" + b",".join([vary(row) for row in rows]) + b"]")
