"""Every way the sandbox can behave like the real API, as switches.

The defaults are what is documented or most often seen; what sources disagree about can be turned either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    import random

FaultName = Literal["too_many", "server_error", "bad_gateway", "reset", "truncate", "html_200", "error_200", "slow"]
PageShift = Literal["none", "insert", "remove", "swap"]
FAULT_NAMES: Final[tuple[FaultName, ...]] = get_args(FaultName)
SCOPES: Final = frozenset(
    ("returns", "orders", "destinations:read", "label_requests:read", "happy_returns_shipments:read", "developer_tools")
)


@dataclass(frozen=True)
class Faults:
    """How often an answer goes wrong: probabilities per answer, together at most 1.

    `too_many` is a 429, `server_error` a 500, `bad_gateway` a 502, 503 or 524 with HTML; `reset` breaks the
    connection before or in the middle of the body; `truncate` ends the body early, half the time under a
    Content-Length that fits what is sent; `html_200` and `error_200` are an HTML page and an error object under
    HTTP 200; `slow` answers after `slow_seconds`.
    """

    too_many: float = 0.0
    server_error: float = 0.0
    bad_gateway: float = 0.0
    reset: float = 0.0
    truncate: float = 0.0
    html_200: float = 0.0
    error_200: float = 0.0
    slow: float = 0.0
    max_consecutive: int = 2  # of one request (same path and parameters); then it is answered, so retries end
    slow_seconds: float = 0.2

    def pick(self, rng: random.Random) -> FaultName | None:
        """Draw the fault of one answer, or None."""
        draw = rng.random()
        for name in FAULT_NAMES:
            chance: float = getattr(self, name)
            if draw < chance:
                return name
            draw -= chance
        return None

    @classmethod
    def everywhere(cls, chance: float, *, max_consecutive: int = 2) -> Faults:
        """Every kind of fault, `chance` (0 to 1) in all."""
        each = chance / len(FAULT_NAMES)
        return cls(**dict.fromkeys(FAULT_NAMES, each), max_consecutive=max_consecutive)


@dataclass(frozen=True)
class Quirks:
    """The sandbox's behaviour; replace it on a running `Sandbox` at any time."""

    # What a page cursor holds. "timestamp": the documented column and second, without a tiebreaker, so the
    # server skips rows that share the page edge's second; "tiebreaker": an id too, loses nothing; "opaque":
    # unreadable, and skips like "timestamp".
    cursor: Literal["timestamp", "tiebreaker", "opaque"] = "timestamp"
    cursor_column: Literal["filter", "created_at"] = "created_at"  # which column orders the pages
    order: Literal["desc", "asc"] = "desc"
    stuck_cursor: bool = False  # from the second page on, the next link repeats the cursor it was asked with
    link_host: Literal["loop", "sandbox", "foreign"] = "loop"  # host in nextPageUrl

    from_inclusive: bool = True
    to_inclusive: bool = True
    max_range_days: int = 120  # a range of exactly this many days is refused, as live accounts do
    max_page_size: int = 750

    requests_per_minute: int | None = None  # beyond it 429; None: no limit and no rate headers
    rate_window: float = 60.0  # seconds of that "minute"
    rate_limit_headers: bool = True
    retry_after: Literal["none", "seconds", "date"] = "none"
    retry_after_seconds: int = 1  # what a 429 fault asks for; the limiter asks for the rest of its window

    unauthorized_body: Literal["new", "old"] = "new"
    scopes: frozenset[str] = SCOPES
    destination_without_address: bool = False  # GET /destinations answers a permanent 500
    missing_scope: Literal[401, 403] = 401  # documented; some clients expect 403
    notes_shape: Literal["array", "object", "single"] = "array"  # "single": one note comes without an array around it

    # What happens between two pages of a list and behind each page that is not the last. "insert": an entry is added at
    # the front, so the page's last one comes again; "remove": the first entry goes, so one slips over the page's edge
    # and is not seen; "swap": both, the new one at the end, so that `total` stays as it was. Of label requests a new
    # one is made, and one that was issued is fulfilled.
    page_shift: PageShift = "none"
    list_page: int = 15
    label_page: int = 250  # label requests on a page at most, whatever `limit` says
    shipment_page: int = 200
    shipment_filter: Literal["created_at", "updated_at"] = "created_at"  # what their `from` and `to` mean

    latency: float = 0.0  # seconds before every answer
    gzip: bool = True
    type_variants: float = 0.0  # probability that a value comes in its other known type, drawn anew for every answer

    asn_filter: Literal["created_at", "updated_at", "label_updated_at"] = "created_at"
    asn_outside_rows: int = 0  # rows outside the asked window that come along
    asn_to_end_of_day: bool = True  # a date-only `to` includes that day
    asn_part: float = 1.0  # how much of each answer's rows is sent
    denied: frozenset[str] = frozenset()  # endpoints that the key may not use
    broken: frozenset[str] = frozenset()  # endpoints that answer 500
    blank: frozenset[str] = frozenset()  # endpoints, and values of `from`, that are answered HTTP 200 without a row

    clock_skew: float = 0.0  # seconds by which the shop's clock (stamps and Date header) is ahead
    date_header: bool = True
    date_ahead: float = 0.0  # seconds by which the Date header alone is ahead: a replica serves older data
    faults: Faults = field(default_factory=Faults)
