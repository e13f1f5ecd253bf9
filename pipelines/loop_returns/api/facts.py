"""Facts about the Loop Returns API: each constant with where it is documented or who observed it.

Nothing here is meant to be changed by an operator; what can be set is in `settings.py`. Addresses without a
scheme are under `docs.loopreturns.com`. Client names stand for public code that talks to the live API.
"""

from datetime import date, timedelta
from typing import Final

# --- where the API is (api-reference/versioning) ---
API_ROOT: Final = "https://api.loopreturns.com/api"
API_VERSION: Final = "2026-10"  # a dated version: `v1` and `latest` are moving aliases
BASE_URL: Final = f"{API_ROOT}/{API_VERSION}"
VERSION_PATTERN: Final = r"v1|latest|unstable|\d{4}-\d{2}"
AUTH_HEADER: Final = "X-Authorization"  # the bare key, no "Bearer" (api-reference/authentication)

# --- endpoints: paths below the base URL ---
RETURNS_PATH: Final = "/warehouse/return/list"  # api-reference/latest/return-data/detailed-returns-list
ASN_PATH: Final = "/warehouse/reporting/asn"  # api-reference/latest/return-data/advanced-shipping-notice
DETAILS_PATH: Final = "/warehouse/return/details"  # api-reference/latest/return-data/get-return-details
SCOPE: Final = "Returns"  # what a key needs for each of them (api-reference/authentication)
KEYS_ARE_MADE_IN: Final = "Loop Admin › Returns Management › Tools & integrations › Developer Tools"

# --- the returns list ---
STATES: Final = ("open", "closed", "expired", "cancelled", "review")
"""Every state a return can be in. One request asks for one state (client posthog); without `state` the API
leaves out `cancelled` and `review` (documented), so a complete mirror takes one pass for each."""

MAX_RANGE: Final = timedelta(days=120)
"""What a range must stay below: documented as the cap, and live accounts refuse a range of exactly this
(client posthog). The shipping notices have the same cap from version 2026-10 on
(integration-guides/migration-2026-07-to-2026-10)."""

WINDOW_DAYS: Final = 90  # well inside the cap
MAX_PAGE_SIZE: Final = 750  # documented today; 500 and 700 in older copies of api-reference/pagination
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.000Z"  # UTC, the form of the documentation's own examples
DATE_FORMAT: Final = "%Y-%m-%d"
"""The shipping notices' only safe form: a date that can't be read there silently becomes 1970-01-01 (client
w6w)."""

SHORTEST_PAGE: Final = 50
"""A page of label requests with fewer rows is the last one: it is the documented default of `limit`, whose cap may move."""

USUAL_EXPONENT: Final = 2
EXPONENTS: Final = {  # ISO 4217: digits behind the point of an amount, where they are not two
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"], 0
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
"""Label requests count in the smallest unit of the currency (api-reference/latest/label-requests)."""

FIRST_DAY: Final = date(2017, 1, 1)  # the year Loop was founded: no return can be older

# --- the rate limit (api-reference/rate-limit; headers seen by client w6w) ---
REQUESTS_PER_MINUTE: Final = 300  # per API key, so shared with every other tool that uses the key
LIMIT_HEADER: Final = "x-ratelimit-limit"
REMAINING_HEADER: Final = "x-ratelimit-remaining"
RATE_WINDOW: Final = 61.0  # seconds; a minute, and one second as requests arrive later than they are sent

# --- waits and attempts (own choice; Loop only says to pause briefly after a 429) ---
ATTEMPTS: Final = 8  # waits of 1, 2, 4 … 64 s: longer than the minute after which a spent budget is back
ATTEMPTS_AT_AN_ERROR_BODY: Final = 3  # an error object with HTTP 200 is mostly meant, seldom a hiccup
FIRST_WAIT: Final = 1.0  # seconds, also the least wait after a 429
LONGEST_BACKOFF: Final = 60.0  # seconds, without a Retry-After
MAX_WAIT: Final = 300.0  # seconds, the longest Retry-After that is honoured
BUDGET_SECONDS: Final = 900.0  # for one request with all its retries
CONNECT_TIMEOUT: Final = 10.0  # seconds
READ_TIMEOUT: Final = 120.0  # seconds without a byte; the edge in front of Loop gives up first (524, client mindcloud)
MAX_BYTES: Final = 500_000_000  # of one body; a full page of returns has about 5,000,000
MAX_CONCURRENCY: Final = 8  # requests under way at once
